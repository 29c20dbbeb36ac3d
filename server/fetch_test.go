package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// Forty addresses that lead into this network, or out of HTTP: none is dialled.
func TestAddressesThatAreNotPublic(t *testing.T) {
	s := serve(t, func(o *Options) { o.URLs = true })
	s.images.fetcher.dialer.Dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
		t.Errorf("%s was dialled", to)
		return nil, errors.New("dialled")
	}
	s.images.fetcher.dialer.Resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
		switch name { // what a name server may answer, and what some resolvers read as numbers
		case "rebound.example":
			return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("127.0.0.1")}, nil
		case "inside.example", "localhost", "2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1",
			"0x7f.0.0.1":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		case "mapped.example":
			return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1")}, nil
		}
		return nil, errors.New("no such host")
	}
	targets := strings.Fields(`
		http://127.0.0.1/ http://127.1/ http://2130706433/ http://0x7f000001/ http://017700000001/
		http://0177.0.0.1/ http://0x7f.0.0.1/ http://localhost/ http://0.0.0.0/ http://[::1]/ http://[::]/
		http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[64:ff9b::7f00:1]/ http://[2002:7f00:1::]/
		http://[fe80::1]/ http://[fe80::1%25lo]/ http://[fc00::1]/ http://[fd12:3456::1]/ http://[ff02::1]/
		http://10.0.0.1/ http://172.16.0.1/ http://172.31.255.255/ http://192.168.1.1/
		http://169.254.169.254/latest/meta-data/ http://100.64.0.1/ http://192.0.0.1/ http://198.18.0.1/
		http://224.0.0.1/ http://255.255.255.255/ http://inside.example/ http://rebound.example/
		http://mapped.example/ http://93.184.216.34:22/ https://93.184.216.34:80/
		http://user:pass@93.184.216.34/ http:///x http://nowhere.example/ http://[2001:db8::1]/
		http://[::127.0.0.1]/`)
	if len(targets) != 40 {
		t.Fatalf("%d addresses", len(targets))
	}
	bodies := map[string]bool{}
	for _, target := range targets {
		g := s.post("/v1/caption", object{"image": target})
		if g.status != 400 {
			t.Errorf("%s: %+v", target, g)
		}
		bodies[g.body] = true
	}
	if len(bodies) != 1 {
		t.Errorf("errors differ by address: %v", bodies)
	}
	for _, other := range []string{"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/a.png",
		"data:text/html,x", "javascript:1", "unix:/run/x"} {
		if g := s.post("/v1/caption", object{"image": other}); g.status != 400 {
			t.Errorf("%s: %+v", other, g)
		}
	}
}

// What is public is fetched, from the address that was checked; a redirect is checked again, and so
// is what comes.
func TestAddressesThatArePublic(t *testing.T) {
	var dialled atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.png":
			w.Write(solidPNG(colour(5)))
		case "/text":
			w.Write([]byte("hello"))
		case "/large":
			w.Write(make([]byte, 3<<20))
		case "/moved":
			http.Redirect(w, r, "http://other.example/a.png", http.StatusFound)
		case "/inside":
			http.Redirect(w, r, "http://127.0.0.1/a.png", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/port":
			http.Redirect(w, r, "http://other.example:8080/a.png", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	s := serve(t, func(o *Options) { o.URLs, o.Limits.Bytes = true, 2<<20 })
	s.images.fetcher.dialer.Resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}
	s.images.fetcher.dialer.Dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
		dialled.Add(1)
		if to.String() != "93.184.216.34:80" {
			return nil, fmt.Errorf("%s was dialled", to)
		}
		return net.Dial("tcp", web.Listener.Addr().String())
	}
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/a.png", 200}, {"/moved", 200}, {"/text", 400}, {"/large", 400}, {"/inside", 400}, {"/file", 400},
		{"/port", 400},
		{"/round", 400}, {"/none", 400},
	} {
		t.Run(c.path, func(t *testing.T) {
			g := s.post("/v1/caption", object{"image": "http://images.example" + c.path})
			if g.status != c.status || c.status == 200 && !strings.Contains(g.body, answered(5, "caption en")) {
				t.Errorf("%+v", g)
			}
		})
	}
	if n := dialled.Load(); n > 20 {
		t.Errorf("%d connections", n)
	}
}
