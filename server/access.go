package server

// This file: who may ask.
//
// A page of another site can make a browser send requests to this machine. The name that it uses
// for this server is in Host, its own is in Origin: both must be this server's, or have been
// allowed.

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Access says who may ask. Normalize brings it into the form that requests are compared with.
type Access struct {
	Key     string   // what clients must show; "": nothing
	Public  bool     // whether other machines can reach the server
	Hosts   []string // names and addresses of this server that clients may use beside localhost
	Origins []string // web origins, beside the server's own, whose pages may ask
}

// checkOrigin refuses a request whose Host or Origin is not this server's, or that a page of
// another site sent.
func (a *Access) checkOrigin(r *http.Request) *failure {
	if !a.allowedHost(r.Host) && !isProbe(r) {
		return failuref(http.StatusForbidden, "host", "this server does not answer to the name %s: "+
			"use localhost, or have the name allowed where the server is started", quote(r.Host, maxQuoted))
	}
	origin := r.Header.Get("Origin")
	if !a.allowedOrigin(origin, r.Host) {
		return failuref(http.StatusForbidden, "origin", "a page of the origin %s may not ask: "+
			"have the origin allowed where the server is started", quote(origin, maxQuoted))
	}
	site := r.Header.Get("Sec-Fetch-Site")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if origin == "" && (site == "cross-site" || site == "same-site") && !reads {
		return failuref(http.StatusForbidden, "origin", "a page of another site may not ask")
	}
	return nil
}

// isProbe reports whether r asks whether the server is well and names it by nothing, as load
// balancers do in HTTP/1.0, or by an address: no page of another site can send the one, and no name
// server make the other. The answer says no more than a connection does.
func isProbe(r *http.Request) bool {
	if r.URL.Path != "/health" || r.Method != http.MethodGet && r.Method != http.MethodHead ||
		r.Header.Get("Origin") != "" {
		return false
	}
	name, ok := hostOf(r.Host)
	_, err := netip.ParseAddr(name)
	return r.Host == "" || ok && err == nil
}

// hostOf returns the name in a Host header, or the address without brackets. ok is false if its port
// is none.
func hostOf(host string) (name string, ok bool) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
		if n := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); len(n) == len(host)-2 {
			name = n
		}
	}
	return name, validPort(port)
}

// allowedHost reports whether a Host header names this server: localhost, a loopback address or
// 0.0.0.0, which means this machine too, what is in Access.Hosts; if other machines can reach it any
// address, which no name server can have pointed here.
func (a *Access) allowedHost(host string) bool {
	name, ok := hostOf(host)
	if !ok {
		return false
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Zone() == "" && (ip.IsLoopback() || ip.IsUnspecified() || a.Public ||
			slices.Contains(a.Hosts, ip.Unmap().String()))
	}
	name = strings.ToLower(name)
	return name == "localhost" || slices.Contains(a.Hosts, strings.TrimSuffix(name, "."))
}

// allowedOrigin reports whether a page of origin may ask: origin is empty, the server's own (host),
// or one of Access.Origins.
func (a *Access) allowedOrigin(origin, host string) bool {
	if origin == "" || slices.Contains(a.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host) &&
		u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == ""
}

// crossOrigin sets the headers by which a page of Access.Origins may read the answer. It answers
// OPTIONS, and then returns true.
func (a *Access) crossOrigin(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(a.Origins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		// OpenAI's client adds headers of its own.
		wanted := r.Header.Get("Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Headers", cmp.Or(wanted, "Authorization, Content-Type"))
		h.Set("Access-Control-Expose-Headers", "Retry-After, Pali-Lost")
		h.Set("Access-Control-Max-Age", "600")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if r.Method != http.MethodOptions {
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// authorized reports whether a request shows the key. /health needs none, nor does the page, which
// asks for the key.
func (a *Access) authorized(r *http.Request) bool {
	if a.Key == "" || r.URL.Path == "/health" || isPage(r) {
		return true
	}
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, want := sha256.Sum256([]byte(strings.TrimLeft(shown, " \t"))), sha256.Sum256([]byte(a.Key))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(have[:], want[:]) == 1
}
