package server

// This file: who may ask, and what every request goes through. Before it: net/http. After it: the routes.
//
// A page of another site can make a browser send requests to this machine. Its name for us is in Host, its own is in Origin: both must be ours.

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

// guard refuses strangers, sets the headers that every answer has, and counts and logs what is asked.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s.metrics.begin()
		out := &recorder{ResponseWriter: w, status: http.StatusOK, plain: strings.HasPrefix(r.URL.Path, "/api/")}
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				s.logger.Printf("a request failed in the server itself: %v\n%s", cause, debug.Stack())
				if !out.begun {
					fail(out, failuref(http.StatusInternalServerError, "internal", "something went wrong"))
				}
			}
			s.metrics.end(r.Pattern, out.status)
			s.logger.Printf("%s %d %.0f ms", orDash(r.Pattern), out.status, ms(time.Since(start)))
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Add("Vary", "Origin")
		if f := s.stranger(r); f != nil {
			fail(out, f)
			return
		}
		if s.crossOrigin(out, r) {
			return
		}
		if !s.known(r) {
			h.Set("WWW-Authenticate", "Bearer")
			fail(out, failuref(http.StatusUnauthorized, "no_key", "this server wants a key: Authorization: Bearer KEY"))
			return
		}
		next.ServeHTTP(out, r)
	})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func orDash(pattern string) string {
	if pattern == "" {
		return "-"
	}
	return pattern
}

// recorder keeps the status of an answer, and gives a slow reader time only as long as it reads.
type recorder struct {
	http.ResponseWriter
	status int
	begun  bool
	plain  bool // errors are a text, as Ollama has them
}

// patience is how long a connection may show no progress.
const patience = 30 * time.Second

func (w *recorder) WriteHeader(status int) {
	if !w.begun {
		w.status, w.begun = status, true
	}
	w.wait()
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begun = true
	w.wait()
	return w.ResponseWriter.Write(b)
}

func (w *recorder) wait() {
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(patience)) // an error: a connection without deadlines, in a test
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stranger refuses a request whose Host or Origin is not this server's, or that a page of another site sent.
func (s *Server) stranger(r *http.Request) *failure {
	if !s.ourHost(r.Host) {
		return failuref(http.StatusForbidden, "host", "this server has another name: use localhost, or allow the name with --allow-host")
	}
	origin := r.Header.Get("Origin")
	if !s.ourOrigin(origin, r.Host) {
		return failuref(http.StatusForbidden, "origin", "a page of this origin may not ask: allow it with --allow-origin")
	}
	site := r.Header.Get("Sec-Fetch-Site")
	if origin == "" && (site == "cross-site" || site == "same-site") && r.Method != http.MethodGet && r.Method != http.MethodHead {
		return failuref(http.StatusForbidden, "origin", "a page of another site may not ask")
	}
	return nil
}

// ourHost tells whether a Host header names this server: localhost, a loopback address, a name that was allowed; where other machines can reach it any
// address, which no name server can have pointed here.
func (s *Server) ourHost(host string) bool {
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

// ourOrigin tells whether a page of this origin may ask: none is named (no page), the server's own, one that was allowed.
func (s *Server) ourOrigin(origin, host string) bool {
	if origin == "" || slices.Contains(s.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host == host && u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == ""
}

// crossOrigin says to the page of an allowed origin that it may read the answer, and answers OPTIONS.
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

// known tells whether a request shows the key. Whether the server lives may be asked without, and the page, which asks for the key, be loaded.
func (s *Server) known(r *http.Request) bool {
	if s.Key == "" || r.URL.Path == "/health" || isPage(r) {
		return true
	}
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, want := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(s.Key))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(have[:], want[:]) == 1
}

// dispatch calls the route of a request. Where there is none, the error has the form of all others.
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
		fail(w, failuref(http.StatusMethodNotAllowed, "method", "this route wants %s", other.header.Get("Allow")))
	default:
		fail(w, failuref(http.StatusNotFound, "no_route", "there is no such route: GET /openapi.json lists them"))
	}
}

// headerOnly takes an answer's header, and drops its body.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
