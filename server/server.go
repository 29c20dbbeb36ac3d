// Package server answers requests about images over HTTP: Pali's native routes, OpenAI's and
// Ollama's.
//
// Before it: a client's request. After it: package server/engine, which queues it and has a worker
// answer. This package holds no C. The way of a request, and where it is:
//
//	serve.go    wire.go                          connections, until the server is stopped
//	guard.go    access.go   allow.go             who may ask: Host, Origin, key
//	charset.go  document.go                      what a body must not be: other than UTF-8, ambiguous
//	routes.go                                    which handler answers: the table of routes
//	body.go     handle.go   words.go  fields.go  the bounded body, the request that it holds, what is wrong
//	native.go   openai*.go  ollama*.go  chat.go  from a protocol's request to the engine's
//	image.go    fetch.go                         the bytes of its images
//	schema*.go  tools.go                         answers as JSON of a client's schema
//	errors.go   respond.go  stream.go            how answers and errors are written
//	metrics.go  openapi.json                     what is reported about it all
//	page.go     page/                            the page that a browser shows
package server

import (
	"context"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Model is a model that can be asked: its name is what clients call it.
type Model struct {
	engine.Model
	Masks *masks.Decoder // nil: boxes only
	Info  Info
}

// Info is what listings say of a model.
type Info struct {
	Modified         time.Time // of the text file
	Bytes            int64     // of its files
	Digest           string    // of its files: 64 hexadecimal digits
	Size             string    // "3B"
	Type             string    // "Q8_0"
	Parameters       int64     // of both halves
	VisionParameters int64
	Text             paligemma.TextConfig
	ContextLength    int // positions that the decoder was trained for
	MaxContext       int // most positions of a request; 0: as many as it needs
}

// Options says what a server serves, to whom, and how much of it.
type Options struct {
	engine.Options
	Access
	Version string
	Models  []*Model  // the first is loaded by Load
	MaxBody int64     // bytes of a request; 0: 32 MiB
	URLs    bool      // whether images may be given by their address
	Log     io.Writer // a line for each request; nil: none
	// Quiet is how long a stream that waits may send nothing: between once and twice as long it sends
	// a sign of life. 0: ten seconds.
	Quiet time.Duration
}

// Server is the handler. Close ends its workers. Safe for concurrent use.
type Server struct {
	Options
	engine   *engine.Engine
	handler  http.Handler
	mux      *http.ServeMux
	bodies   *bodies
	images   *imageReader
	requests *requestMetrics
	logger   *log.Logger
}

// Load loads the first model, so that it is there when it is asked. Until then /health reports that
// the server is loading.
func (s *Server) Load(ctx context.Context) error {
	if len(s.Models) == 0 {
		return engine.ErrNoModel
	}
	return s.engine.Load(ctx, &s.Models[0].Model, s.KeepAlive)
}

// Stop makes /health report that the server is stopping.
func (s *Server) Stop() { s.engine.Stop() }

// Close ends all workers, and with them the requests that run.
func (s *Server) Close() { s.engine.Close() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// model returns the model of a name, the first for "". The tag "latest", and the registry and folder
// that Ollama's clients put before a name, mean nothing; nor do capitals and blanks, unless they tell
// two models apart.
func (s *Server) model(name string) (*Model, error) {
	plain := strings.TrimSpace(name)
	if base, tag, _ := strings.Cut(plain, ":"); strings.EqualFold(tag, "latest") {
		plain = base
	}
	plain = strings.TrimPrefix(strings.TrimPrefix(plain, "registry.ollama.ai/"), "library/")
	var like *Model
	for i, m := range s.Models {
		switch {
		case m.Name == name || m.Name == plain || name == "" && i == 0:
			return m, nil
		case strings.EqualFold(m.Name, plain) && like == nil:
			like = m
		}
	}
	if like == nil {
		return nil, noModel(name)
	}
	return like, nil
}

// noModel is the failure of a request for a model that is not there.
func noModel(name string) error {
	return failuref(http.StatusNotFound, "model_not_found",
		"no such model here: %s: GET /v1/models or /api/tags lists them", echo(name))
}

// namedModel is model for a name that must not be "".
func (s *Server) namedModel(name string) (*Model, error) {
	if name == "" {
		return nil, engine.ErrNoModel
	}
	return s.model(name)
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	status, code := s.engine.Status(), http.StatusOK
	if status != engine.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]engine.Status{"status": status})
}

// writeMetrics writes in Prometheus's text form what the server and the engine count.
func (s *Server) writeMetrics(w http.ResponseWriter, _ *http.Request) {
	var e engine.Exposition
	s.requests.write(&e)
	s.engine.WriteMetrics(&e)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write([]byte(e.String()))
}
