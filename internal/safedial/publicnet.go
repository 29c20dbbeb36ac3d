// Package publicnet dials servers of the internet, and no others: an address that a stranger gave, or a server by a redirect, must not lead into this network.
//
// A name is resolved once, every address it has must be public, and the connection goes to one of these: a name that means something else a moment later
// is of no use. Before it: an http.Transport's DialContext. After it: a connection.
package safedial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Dialer dials public addresses. Its two functions are the network; tests put theirs there.
type Dialer struct {
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// NewDialer returns a dialer on the real network.
func NewDialer() *Dialer {
	return &Dialer{
		Resolve: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", to.String())
		},
	}
}

// ErrNotPublic is what DialContext returns for a name that has an address which is not public.
var ErrNotPublic = errors.New("not a public address")

// DialContext resolves a name and dials one of its addresses, if all are public. It has the form that an http.Transport wants.
func (d *Dialer) DialContext(ctx context.Context, _, hostPort string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	if a, err := netip.ParseAddr(name); err == nil {
		all = append(all, a)
	} else if all, err = d.Resolve(ctx, name); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("no address")
	}
	for _, a := range all {
		if !public(a) {
			return nil, ErrNotPublic
		}
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, err
	}
	return d.Dial(ctx, netip.AddrPortFrom(all[0].Unmap(), uint16(number)))
}

// closed are the networks that are not the internet's, or reach into them (the special-purpose registries of RFC 6890, as they stand).
var closed = func() (all []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
		"192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // of 2000::/3
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

var global = netip.MustParsePrefix("2000::/3")

// public tells whether an address is one of the internet's. Of IPv6 only what is handed out is, so that an IPv4 address inside one (mapped, NAT64) is not.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	if a = a.Unmap(); a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
