package server

// This file: what every request goes through before and after its route.

import (
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// guard passes a request on to next if its Host, Origin and key are right. It sets the headers
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
		if twoLengths(r) {
			w.Header().Set("Connection", "close")
			fail(out, invalid("a request has Content-Length and Transfer-Encoding: send one of them"))
			return
		}
		if f := s.checkOrigin(r); f != nil {
			fail(out, f)
			return
		}
		if s.crossOrigin(out, r) {
			return
		}
		if !s.authorized(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(out, failuref(http.StatusUnauthorized, "no_key",
				"this server requires a key: Authorization: Bearer KEY"))
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

// dispatch calls the route of a request. If none matches the error has the form of all others.
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
		fail(w, s.noRoute(r))
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
