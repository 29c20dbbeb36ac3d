package server

// This file: a server is made of its routes, all of which are listed here.

import (
	"cmp"
	"io"
	"log"
	"net/http"

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
	s.handler = s.guard(http.HandlerFunc(s.dispatch))
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

		{"GET /api/version", http.HandlerFunc(s.version)},
		{"GET /api/tags", http.HandlerFunc(s.tags)},
		{"GET /api/ps", http.HandlerFunc(s.ps)},
		{"POST /api/show", handle(s, false, s.show)},
		{"POST /api/generate", handle(s, false, s.generate)},
		{"POST /api/chat", handle(s, false, s.ollamaChat)},
		{"POST /api/create", failing(notImplemented)},
		{"POST /api/copy", failing(notImplemented)},
		{"POST /api/pull", failing(notImplemented)},
		{"POST /api/push", failing(notImplemented)},
		{"POST /api/embed", failing(notImplemented)},
		{"POST /api/embeddings", failing(notImplemented)},
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
