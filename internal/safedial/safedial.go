// Package safedial dials public addresses only: an address that a client or a redirect gives must
// not lead into this network.
//
// A name is resolved once, all its addresses must be public, and the connection goes to one of
// them: a name that resolves differently a moment later gains nothing. Before it: the DialContext
// of an http.Transport. After it: a connection.
package safedial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Dialer dials public addresses. Its two functions reach the network; tests replace them.
type Dialer struct {
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// NewDialer returns a dialer for the real network.
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

// ErrNotPublic is the error of DialContext for a name with an address that is not public.
var ErrNotPublic = errors.New("not a public address")

// DialContext resolves the host of hostPort and dials one of its addresses, if all are public. It
// can be the DialContext of an http.Transport.
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

// reserved lists the networks that are not public, or reach into such (the special-purpose
// registries of RFC 6890, as they stand).
var reserved = func() (all []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
		"192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // of 2000::/3
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

var global = netip.MustParsePrefix("2000::/3")

// public reports whether a is a public address. Of IPv6 only the assigned range is, so that an IPv4
// address inside one (mapped, NAT64) is not.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	if a = a.Unmap(); a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
