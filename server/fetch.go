package server

// This file: pictures by address, with --allow-urls. Before it: a stranger's address. After it: bytes from a public server, or an error.
//
// A name is resolved once, every address it has must be public, and the connection goes to one of these: a name that means something else a moment later
// is of no use. Each redirect is checked in the same way. No proxy, no cookies, no credentials.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// fetcher fetches pictures. Safe for concurrent use.
type fetcher struct {
	most    int64 // bytes
	client  *http.Client
	resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

func newFetcher(most int64) *fetcher {
	f := &fetcher{most: most}
	f.resolve = func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	f.dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", to.String())
	}
	f.client = &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{DialContext: f.connect, DisableKeepAlives: true, DisableCompression: true,
			ResponseHeaderTimeout: 10 * time.Second, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirects")
			}
			return checkAddress(r.URL)
		},
	}
	return f
}

// errFetch is what a client is told, whatever the cause: an error would tell it about the network here.
var errFetch = invalid("a picture's address: it could not be fetched from a public server")

// fetch returns what is at an address.
func (f *fetcher) fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > 4096 || checkAddress(u) != nil {
		return nil, errFetch
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errFetch
	}
	r.Header.Set("User-Agent", "pali")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, errFetch
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errFetch
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.most+1)) // one more is refused where the picture is decoded
	if err != nil {
		return nil, errFetch
	}
	return data, nil
}

// checkAddress accepts http and https on their own ports, without a user.
func checkAddress(u *url.URL) error {
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" || u.Host == "" || u.User != nil || u.Opaque != "" || u.Port() != "" && u.Port() != port {
		return errors.New("want http or https on the usual port")
	}
	return nil
}

// connect resolves a name and dials one of its addresses, if all are public.
func (f *fetcher) connect(ctx context.Context, _, hostPort string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	if a, err := netip.ParseAddr(name); err == nil {
		all = append(all, a)
	} else if all, err = f.resolve(ctx, name); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("no address")
	}
	for _, a := range all {
		if !public(a) {
			return nil, errors.New("not a public address")
		}
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, err
	}
	return f.dial(ctx, netip.AddrPortFrom(all[0].Unmap(), uint16(number)))
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
