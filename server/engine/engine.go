// Package engine answers requests by workers that have models loaded: it bounds and queues the
// requests, keeps image embeddings, and starts and ends workers. It knows no protocol and holds no
// C.
//
// Before it: a Request (package server makes it from HTTP). After it: a Worker, such as a process
// of package server/worker, and its tokens. The way of a request, and where it is:
//
//	request.go     what is refused at once
//	queue.go       admitted, or refused where too many wait
//	image.go       bytes to pixels, in the memory of budget.go; cache.go: or to embeddings that are cached
//	queue.go       a slot, round-robin by client
//	pool.go        a worker with the model loaded; model.go: what a worker is
//	metrics.go     what is counted of it all
package engine

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Options bound what an engine does. The zero Options is ready to use.
type Options struct {
	Parallel   int              // requests answered at a time, each by a worker of its own; 0: one
	Queue      int              // requests that may wait
	KeepAlive  time.Duration    // how long an idle worker stays; negative: for ever
	Memory     int64            // bytes that all workers may take together; 0: no bound
	ImageCache int64            // bytes of image embeddings that are kept
	MaxTokens  int              // longest answer that may be asked for; 0: 1024
	Timeout    time.Duration    // of a request, its time in the queue included; 0: ten minutes
	Limits     imageproc.Limits // of an image; zero: imageproc.DefaultLimits
	// DecodeMemory is how many bytes decoding images may take, all requests together. An image that
	// takes more is decoded alone. 0: 512 MiB.
	DecodeMemory int64
}

// WithDefaults returns o with what is 0 filled in.
func (o Options) WithDefaults() Options {
	o.Parallel = cmp.Or(o.Parallel, 1)
	o.MaxTokens = cmp.Or(o.MaxTokens, 1024)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	o.Limits = cmp.Or(o.Limits, imageproc.DefaultLimits)
	o.DecodeMemory = cmp.Or(o.DecodeMemory, 512<<20)
	return o
}

// Status says whether an engine can answer.
type Status string

const (
	Loading  Status = "loading"  // no model was loaded yet
	Ready    Status = "ok"       // a model was
	Stopping Status = "stopping" // Stop was called
)

// Engine answers requests. Safe for concurrent use.
type Engine struct {
	options Options
	queue   *queue
	pool    *pool
	images  *imageProcessor
	metrics *metrics
	status  atomic.Value // Status
}

// New makes an engine. It starts no worker yet.
func New(o Options) *Engine {
	o = o.WithDefaults()
	m := newMetrics()
	e := &Engine{options: o, queue: newQueue(o.Parallel, o.Queue), pool: newPool(o.Memory, m), metrics: m}
	e.images = newImageProcessor(o, m)
	e.status.Store(Loading)
	return e
}

// Generate answers a request. It calls each with every token; an error from it, or the end of ctx,
// ends the answer and is returned.
func (e *Engine) Generate(ctx context.Context, r *Request, each func(runner.Step) error) (*Reply, error) {
	if err := r.check(e.options.MaxTokens); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	leave, err := e.queue.admit()
	if err != nil {
		return nil, err
	}
	defer leave()
	release, err := e.images.prepareAll(ctx, r, r.accept)
	if err != nil {
		return nil, err
	}
	defer release()
	r.accept()
	return e.run(ctx, r, each)
}

// run waits for a slot and a worker, and has the worker answer.
func (e *Engine) run(ctx context.Context, r *Request, each func(runner.Step) error) (*Reply, error) {
	start := time.Now()
	release, err := e.queue.acquire(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	defer release()
	reply := &Reply{Queued: time.Since(start)}
	w, load, err := e.pool.get(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	e.status.CompareAndSwap(Loading, Ready)
	reply.Load = load
	keepAlive := e.options.KeepAlive
	if r.KeepAlive != nil {
		keepAlive = *r.KeepAlive
	}
	defer func() { e.pool.put(w, keepAlive) }()

	var images []*worker.Image
	for _, img := range r.Images {
		images = append(images, &img.input)
	}
	q := worker.Request{Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: r.Sampling, TopLogprobs: r.TopLogprobs,
		Strict: r.Strict}
	reply.Result, err = w.Generate(ctx, q, images, each)
	for _, img := range r.Images {
		e.images.remember(img)
	}
	if err != nil {
		return nil, err
	}
	e.metrics.answered(reply.Queued, reply.Load, reply.Timings)
	return reply, nil
}

// Load loads a model before its first request. Its worker stays for keepAlive, for ever if that is
// negative.
func (e *Engine) Load(ctx context.Context, m *Model, keepAlive time.Duration) error {
	w, _, err := e.pool.get(ctx, m)
	if err != nil {
		return err
	}
	e.pool.put(w, keepAlive)
	e.status.CompareAndSwap(Loading, Ready)
	return nil
}

// Unload ends the idle workers of a model.
func (e *Engine) Unload(m *Model) { e.pool.drop(m) }

// Loaded returns the models that have a worker.
func (e *Engine) Loaded() map[*Model]Loaded { return e.pool.list() }

// Decode decodes an image as for a request, to be drawn on. Where it succeeds the caller calls
// release when the drawing is encoded: until then both take of the memory for decoding.
func (e *Engine) Decode(ctx context.Context, data []byte) (img *imageproc.Image, release func(), err error) {
	return e.images.decode(ctx, data, drawing, func() {})
}

// Status returns whether the engine can answer.
func (e *Engine) Status() Status { return e.status.Load().(Status) }

// Stop makes Status return Stopping.
func (e *Engine) Stop() { e.status.Store(Stopping) }

// Close ends all workers, and with them the requests that run.
func (e *Engine) Close() { e.pool.close() }

// WriteMetrics writes what the engine counted, and what it holds.
func (e *Engine) WriteMetrics(w *Exposition) {
	e.metrics.write(w)
	n, bytes := e.images.cache.size()
	w.One("images_kept", "gauge", "Images whose embeddings are kept.", n)
	w.One("images_kept_bytes", "gauge", "Bytes of these.", bytes)
	w.One("queue_length", "gauge", "Requests that wait for their turn.", e.queue.length())
	w.One("models_loaded", "gauge", "Models that have a worker.", len(e.pool.list()))
}
