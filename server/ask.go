package server

// This file: one question from its parts to its answer. Before it: the routes. After it: images, the queue, a worker.

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// question is what a request asks.
type question struct {
	model     *Model
	pictures  []*picture
	prompt    string // reaches the model exactly as it is
	resize    imageproc.Resize
	maxTokens int
	sampling  runner.Sampling
	top       int
	strict    *worker.Strict
	keep      *time.Duration // how long the worker stays, if not as long as others
	client    string
}

// reply is its answer.
type reply struct {
	*runner.Result
	queued, load time.Duration
}

// model finds a model by its name. "" is the first; ":latest" behind a name says nothing, as Ollama's clients have it.
func (s *Server) model(name string) (*Model, error) {
	name = strings.TrimSuffix(name, ":latest")
	for i, m := range s.Models {
		if m.Name == name || name == "" && i == 0 {
			return m, nil
		}
	}
	return nil, errNoModel
}

var errNoModel = failuref(http.StatusNotFound, "model_not_found", "no such model here: GET /v1/models lists them")

// check refuses what cannot be asked.
func (q *question) check(most int) error {
	switch n := len(q.pictures); {
	case n == 0:
		return unsupported("no image: PaliGemma answers about images only")
	case n > runner.MaxImages:
		return runner.InvalidRequestError{Err: runner.LimitError{What: "images", Have: int64(n), Max: runner.MaxImages}}
	case q.maxTokens < 1 || q.maxTokens > most:
		return invalid("%d tokens: want 1 to %d", q.maxTokens, most)
	}
	return runner.Request{Prompt: q.prompt, MaxTokens: q.maxTokens, Sampling: q.sampling, TopLogprobs: q.top}.Validate()
}

// ask answers a question. each is called with every token as it comes; an error from it ends the answer.
func (s *Server) ask(ctx context.Context, q *question, each func(runner.Step) error) (*reply, error) {
	if err := q.check(s.MaxTokens); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	out, err := s.queue.admit()
	if err != nil {
		return nil, err
	}
	defer out()
	for _, p := range q.pictures {
		if err := s.prepare(ctx, q.model, p, q.resize); err != nil {
			return nil, err
		}
	}
	return s.turn(ctx, q, each)
}

// turn waits for its turn, and has a worker answer.
func (s *Server) turn(ctx context.Context, q *question, each func(runner.Step) error) (*reply, error) {
	start := time.Now()
	leave, err := s.queue.enter(ctx, q.client)
	if err != nil {
		return nil, err
	}
	defer leave()
	out := &reply{queued: time.Since(start)}
	l, load, err := s.pool.get(ctx, q.model)
	if err != nil {
		return nil, err
	}
	s.status.CompareAndSwap("loading", "ok")
	out.load = load
	keep := s.KeepAlive
	if q.keep != nil {
		keep = *q.keep
	}
	defer func() { s.pool.put(l, keep) }()

	var pictures []*worker.Image
	for _, p := range q.pictures {
		pictures = append(pictures, &p.Image)
	}
	out.Result, err = l.Ask(ctx, worker.Request{Prompt: q.prompt, MaxTokens: q.maxTokens, Sampling: q.sampling, Top: q.top, Strict: q.strict}, pictures, each)
	for _, p := range q.pictures {
		s.keep(p)
	}
	if err != nil {
		return nil, err
	}
	s.metrics.answered(out)
	return out, nil
}

// load loads a model that nobody asks yet, or ends its idle workers where keep is 0.
func (s *Server) load(ctx context.Context, m *Model, keep time.Duration) (time.Duration, error) {
	if keep == 0 {
		s.pool.drop(m)
		return 0, nil
	}
	l, load, err := s.pool.get(ctx, m)
	if err != nil {
		return 0, err
	}
	s.pool.put(l, keep)
	return load, nil
}
