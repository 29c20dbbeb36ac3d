// Package server answers questions about images over HTTP: Pali's own routes, OpenAI's and Ollama's.
//
// Before it: a client's request. After it: package server/worker, which runs the model in a process of its own; this package holds no C. The way of a
// request, and where it is:
//
//	guard.go     Host, Origin, key, limits           who may ask
//	ours.go      openai*.go  ollama*.go              the body to a question, the answer to a body
//	ask.go       images, queue, worker             one question from its parts to its answer
//	image.go   images.go  fetch.go                 bytes to pixels, kept image embeddings, remote addresses
//	queue.go     pool.go                             whose turn it is, which worker answers
//	metrics.go   openapi.json                        what is told about it all
//	page.go      page/                               the page that a browser shows
package server

import (
	"context"
	"io"
	"log"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Model is a model that can be asked.
type Model struct {
	Name    string         // as clients call it
	Command worker.Command // its worker
	Vision  paligemma.VisionConfig
	Masks   *masks.Decoder // nil: boxes only
	Memory  int64          // bytes that a worker takes
	About   About
}

// About is what listings tell of a model.
type About struct {
	Modified     time.Time // of the text file
	Bytes        int64     // of its files
	Architecture string    // as GGUF names it
	Size         string    // "3B"
	Type         string    // "Q8_0"
	Parameters   int64
	Layers       int // of the decoder
	Width        int // of an embedding
}

// Options says what a server serves, and how much of it.
type Options struct {
	Version    string
	Models     []*Model         // one at least; the first is loaded by Load
	Parallel   int              // requests answered at a time, each by a worker of its own
	Queue      int              // requests that may wait
	KeepAlive  time.Duration    // how long an idle worker stays; negative: for ever
	Memory     int64            // bytes that all workers may take together; 0: no bound
	ImageCache int64            // bytes of image embeddings that are kept
	MaxBody    int64            // bytes of a request
	MaxTokens  int              // longest answer that may be asked for
	Timeout    time.Duration    // of a request, its time in the queue included
	Limits     imageproc.Limits // of an image
	Key        string           // what clients must show; "": nothing
	Public     bool             // whether other machines can reach the server
	Hosts      []string         // names of this server that clients may use beside localhost
	Origins    []string         // web origins, beside the server's own, whose pages may ask
	URLs       bool             // whether images may be given by their address
	Log        io.Writer        // a line for each request; nil: none
}

// Server is the handler. Close ends its workers. Safe for concurrent use.
type Server struct {
	Options
	handler  http.Handler
	mux      *http.ServeMux
	queue    *queue
	pool     *pool
	images   *images
	metrics  *metrics
	fetcher  *fetcher
	decoders chan struct{} // as many images are decoded at a time
	bodies   atomic.Int64  // bytes of requests in memory
	status   atomic.Value  // of /health: "loading", "ok", "stopping"
	logger   *log.Logger
}

// New makes a server. It starts no worker yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = io.Discard
	}
	s := &Server{Options: o, queue: newQueue(o.Parallel, o.Queue), images: newImages(o.ImageCache), metrics: newMetrics(),
		fetcher: newFetcher(o.Limits.Bytes), decoders: make(chan struct{}, runtime.GOMAXPROCS(0)), logger: log.New(o.Log, "pali: ", 0)}
	s.pool = newPool(o.Memory, s.metrics)
	s.status.Store("loading")
	s.mux = http.NewServeMux()
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
		{"GET /health", http.HandlerFunc(s.health)},
		{"GET /metrics", http.HandlerFunc(s.tellMetrics)},
		{"GET /openapi.json", http.HandlerFunc(s.describe)},
		{"GET /page/{file}", http.HandlerFunc(s.pageFile)},
	}
	all = append(all, s.ours()...)
	all = append(all, s.openai()...)
	return append(all, s.ollama()...)
}

// Load loads the first model, so that it is there when it is asked. Until then /health says that the server is loading.
func (s *Server) Load(ctx context.Context) error {
	l, _, err := s.pool.get(ctx, s.Models[0])
	if err != nil {
		return err
	}
	s.pool.put(l, s.KeepAlive)
	s.status.CompareAndSwap("loading", "ok")
	return nil
}

// Stop makes /health say that the server is stopping.
func (s *Server) Stop() { s.status.Store("stopping") }

// Close ends all workers, and with them the requests in hand.
func (s *Server) Close() { s.pool.close() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	status, code := s.status.Load().(string), http.StatusOK
	if status != "ok" {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]string{"status": status})
}
