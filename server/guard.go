package server

// This file: who may ask, and what every request goes through.
//
// A page of another site can make a browser send requests to this machine. The name that it uses
// for this server is in Host, its own is in Origin: both must be this server's, or have been
// allowed.

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// guard lets a request through to next if its Host, Origin and key are right. It sets the headers
// that every answer has, and counts and logs all requests.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s.requests.begin()
		out := &recorder{ResponseWriter: w, status: http.StatusOK, ollama: strings.HasPrefix(r.URL.Path, "/api/")}
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				s.logger.Printf("a request failed in the server itself: %v\n%s", cause, debug.Stack())
				if !out.begun {
					fail(out, failuref(http.StatusInternalServerError, "internal", "something went wrong"))
				}
			}
			s.requests.end(r.Pattern, out.status)
			s.logger.Printf("%s %d %.0f ms", orDash(r.Pattern), out.status, time.Since(start).Seconds()*1000)
		}()
		setSecurityHeaders(w.Header())
		if f := s.checkOrigin(r); f != nil {
			fail(out, f)
			return
		}
		if s.crossOrigin(out, r) {
			return
		}
		if !s.authorized(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(out, failuref(http.StatusUnauthorized, "no_key", "this server requires a key: Authorization: Bearer KEY"))
			return
		}
		next.ServeHTTP(out, r)
	})
}

func setSecurityHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Add("Vary", "Origin")
}

func orDash(pattern string) string {
	if pattern == "" {
		return "-"
	}
	return pattern
}

// checkOrigin refuses a request whose Host or Origin is not this server's, or that a page of
// another site sent.
func (s *Server) checkOrigin(r *http.Request) *failure {
	if !s.allowedHost(r.Host) {
		return failuref(http.StatusForbidden, "host",
			"this server does not answer to this name: use localhost, or have the name allowed where it is started")
	}
	origin := r.Header.Get("Origin")
	if !s.allowedOrigin(origin, r.Host) {
		return failuref(http.StatusForbidden, "origin",
			"a page of this origin may not ask: have the origin allowed where the server is started")
	}
	site := r.Header.Get("Sec-Fetch-Site")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if origin == "" && (site == "cross-site" || site == "same-site") && !reads {
		return failuref(http.StatusForbidden, "origin", "a page of another site may not ask")
	}
	return nil
}

// allowedHost tells whether a Host header names this server: localhost, a loopback address, a name
// of Options.Hosts; if other machines can reach it any address, which no name server can have
// pointed here.
func (s *Server) allowedHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
		if n := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); len(n) == len(host)-2 {
			name = n
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return false
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Zone() == "" && (a.IsLoopback() || s.Public)
	}
	name = strings.ToLower(name)
	return name == "localhost" || slices.Contains(s.Hosts, name)
}

// allowedOrigin tells whether a page of this origin may ask: there is none, it is the server's own,
// or one of Options.Origins.
func (s *Server) allowedOrigin(origin, host string) bool {
	if origin == "" || slices.Contains(s.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host == host && u.User == nil && u.Path == "" &&
		u.RawQuery == "" && u.Fragment == ""
}

// crossOrigin sets the headers by which a page of Options.Origins may read the answer. It answers
// OPTIONS, and then returns true.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(s.Origins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Expose-Headers", "Retry-After")
		h.Set("Access-Control-Max-Age", "600")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if r.Method != http.MethodOptions {
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// authorized tells whether a request shows the key. /health needs none, nor does the page, which
// asks for the key.
func (s *Server) authorized(r *http.Request) bool {
	if s.Key == "" || r.URL.Path == "/health" || isPage(r) {
		return true
	}
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, want := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(s.Key))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(have[:], want[:]) == 1
}

// dispatch calls the route of a request. If there is none the error has the form of all others.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	other := &headerOnly{header: http.Header{}}
	s.mux.ServeHTTP(other, r)
	switch other.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", other.header.Get("Allow"))
		fail(w, failuref(http.StatusMethodNotAllowed, "method", "this route takes %s", other.header.Get("Allow")))
	default:
		fail(w, failuref(http.StatusNotFound, "no_route", "there is no such route: GET /openapi.json lists them"))
	}
}

// headerOnly is a http.ResponseWriter that keeps the header of an answer and drops its body.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
