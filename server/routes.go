package server

// This file: a server is made of its routes, all of which are listed here.

import (
	"cmp"
	"io"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/server/engine"
)

// New makes a server. It starts no worker yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Options, o.MaxBody = o.WithDefaults(), cmp.Or(o.MaxBody, 32<<20)
	s := &Server{Options: o, engine: engine.New(o.Options), mux: http.NewServeMux(), bodies: &bodies{max: o.MaxBody},
		images: &imageReader{}, requests: &requestMetrics{ended: map[[2]string]int64{}},
		logger: log.New(o.Log, "pali: ", 0)}
	if o.URLs {
		s.images.fetcher = newFetcher(o.Limits.Bytes)
	}
	for _, r := range s.routes() {
		s.mux.Handle(r.pattern, r.handler)
	}
	s.handler = plainPath(s.guard(http.HandlerFunc(s.dispatch)))
	return s
}

// route is one of the server's.
type route struct {
	pattern string // of http.ServeMux
	handler http.Handler
}

func (s *Server) routes() []route {
	all := []route{
		{"GET /{$}", http.HandlerFunc(home)},
		{"GET /page/{file}", http.HandlerFunc(pageFile)},
		{"GET /health", http.HandlerFunc(s.health)},
		{"GET /metrics", http.HandlerFunc(s.writeMetrics)},
		{"GET /openapi.json", http.HandlerFunc(describe)},

		{"GET /v1/models", http.HandlerFunc(s.listModels)},
		{"GET /v1/models/{model...}", failing(s.oneModel)},
		{"POST /v1/chat/completions", handle(s, false, s.chatCompletions)},
		{"POST /v1/responses", handle(s, false, s.responses)},

		{"POST /v1/completions", failing(onlyChats)},
		{"POST /v1/embeddings", failing(noEmbeddings)},

		{"GET /api/version", http.HandlerFunc(s.version)},
		{"GET /api/status", http.HandlerFunc(status)},
		{"GET /api/tags", http.HandlerFunc(s.tags)},
		{"GET /api/ps", http.HandlerFunc(s.ps)},
		{"POST /api/show", handle(s, false, s.show)},
		{"POST /api/generate", handle(s, false, s.generate)},
		{"POST /api/chat", handle(s, false, s.ollamaChat)},
		{"POST /api/pull", handle(s, false, s.pull)},
		{"POST /api/create", failing(notImplemented)},
		{"POST /api/blobs/{digest}", failing(notImplemented)},
		{"POST /api/copy", failing(notImplemented)},
		{"POST /api/push", failing(notImplemented)},
		{"POST /api/embed", failing(noEmbeddings)},
		{"POST /api/embeddings", failing(noEmbeddings)},
		{"DELETE /api/delete", failing(notImplemented)},
	}
	for _, t := range nativeTasks() {
		do := func(w http.ResponseWriter, r *http.Request, q *taskRequest) error { return s.task(w, r, &t, q) }
		all = append(all, route{"POST /v1/" + t.Name, handle(s, true, do)})
	}
	return all
}

// home answers with the page in a browser, and as Ollama does otherwise.
func home(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	if !wantsPage(r) {
		ollamaRoot(w)
		return
	}
	sendPage(w, "index.html")
}

// plainPath passes requests on to next with the path that they mean: no slash at its end, no two
// after one another. Clients join an address and a route in several ways.
func plainPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := plain(r.URL.Path); path != r.URL.Path {
			u := *r.URL
			u.Path, u.RawPath = path, plain(u.RawPath)
			copied := *r
			copied.URL = &u
			r = &copied
		}
		next.ServeHTTP(w, r)
	})
}

// plain returns a path without empty parts: "//api/tags/" is /api/tags, "//" is /.
func plain(path string) string {
	if path == "" {
		return ""
	}
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" })
	if !strings.HasPrefix(path, "/") {
		return strings.Join(parts, "/")
	}
	return "/" + strings.Join(parts, "/")
}

// likely returns a route that a client may have meant by a path which is none: it has /v1 or /api
// doubled, missing, or before the wrong protocol. "" if there is none.
func (s *Server) likely(method, path string) string {
	for _, prefix := range []string{"/v1/v1/", "/api/api/", "/v1/api/", "/api/v1/", "/v1/", "/api/", "/"} {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		for _, p := range []string{"/v1/" + rest, "/api/" + rest} {
			r := &http.Request{Method: method, URL: &url.URL{Path: p}}
			if _, pattern := s.mux.Handler(r); pattern != "" && p != path && !strings.Contains(pattern, "{") {
				return p
			}
		}
	}
	return ""
}

// noRoute is the failure of a request for a route that does not exist.
func (s *Server) noRoute(r *http.Request) *failure {
	hint := "GET /openapi.json lists all"
	if path := s.likely(r.Method, r.URL.Path); path != "" {
		hint = "did you mean " + path + "? " + hint
	}
	return failuref(http.StatusNotFound, "no_route", "no such route: %s", hint)
}
