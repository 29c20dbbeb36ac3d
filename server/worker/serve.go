package worker

// This file: the worker's side.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Model is what a worker runs.
type Model struct {
	*runner.Runner
	// Progress returns a number that changes while operations are computed. nil: the
	// worker sends no heartbeat.
	Progress func() int
	GPU      bool // the model runs on a GPU
}

// heartbeat is how often a worker that computes sends kindProgress.
const heartbeat = time.Second

// Serve loads the model and answers the requests that come over conn until conn ends: then it calls
// onClose, from another goroutine, whatever is being computed. If load fails Serve sends its error
// to the server, and returns it.
func Serve(conn io.ReadWriter, load func() (*Model, error), onClose func()) error {
	s := &session{out: &frames{w: conn}, requests: make(chan received)}
	go s.read(conn, onClose)
	start := time.Now()
	m, err := load()
	if err != nil {
		return errors.Join(err, s.out.send(kindFailed, Failed{Text: err.Error()}))
	}
	s.Model, s.config = m, m.Encoder.Config()
	s.limit.Store(int64(maxFloats(s.config)))
	if err := s.out.send(kindReady, Ready{s.config, m.Vocabulary.Len(), m.GPU, time.Since(start)}); err != nil {
		return err
	}
	for q := range s.requests {
		if err := s.answer(q); err != nil {
			return err
		}
	}
	return nil
}

// session is one connection.
type session struct {
	*Model
	config   paligemma.VisionConfig
	out      *frames
	requests chan received
	limit    atomic.Int64 // floats of a frame's body; 0 until the model is loaded: the server sends no request before

	mu         sync.Mutex
	cancelLast context.CancelFunc // of the last request
}

// received is a request with its floats, and the context that kindCancel ends.
type received struct {
	Request
	body []float32
	ctx  context.Context
}

// read reads frames to the end of conn, or to one that is not allowed.
func (s *session) read(conn io.Reader, onClose func()) {
	defer onClose()
	defer close(s.requests)
	defer s.cancel()
	for {
		f, err := readFrame(conn, func() int { return int(s.limit.Load()) })
		if err != nil {
			return
		}
		switch f.kind {
		case kindCancel:
			s.cancel()
		case kindRequest:
			q := received{body: f.body}
			if s.limit.Load() == 0 || f.decode(&q.Request) != nil {
				return
			}
			q.ctx = s.begin()
			s.requests <- q
		default:
			return
		}
	}
}

// begin makes the context of a request.
func (s *session) begin() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelLast = cancel
	return ctx
}

// cancel ends the context of the last request.
func (s *session) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancelLast != nil {
		s.cancelLast()
	}
}

// answer answers one request. Its error is the connection's.
func (s *session) answer(q received) error {
	stop := s.heartbeat()
	r, err := s.generate(q)
	stop()
	if r == nil || err != nil {
		var refused runner.InvalidRequestError
		return s.out.send(kindFailed, Failed{shorten(err.Error()), errors.As(err, &refused)})
	}
	return s.out.send(kindDone, Done{r.PrefixTokens, r.Timings})
}

// heartbeat sends kindProgress whenever Progress has changed, until stop is called.
func (s *session) heartbeat() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for last := -1; ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if s.Progress == nil {
				continue
			}
			if now := s.Progress(); now != last {
				last = now
				s.out.send(kindProgress, nil) // an error shows where the answer is sent
			}
		}
	}()
	return func() { close(done); <-ended }
}

// generate encodes the images that come as pixels, and runs the model.
func (s *session) generate(q received) (*runner.Result, error) {
	embeddings, vision, err := s.embeddings(q)
	if err != nil {
		return nil, err
	}
	r := runner.Request{Embeddings: embeddings, Prompt: q.Prompt, MaxTokens: q.MaxTokens, Sampling: q.Sampling,
		TopLogprobs: q.TopLogprobs}
	if q.Strict != nil {
		c, err := tasks.NewGrammar(s.Vocabulary, q.Strict.Labels, q.Strict.Masks, q.MaxTokens)
		if err != nil {
			return nil, runner.InvalidRequestf("strict: %w", err)
		}
		r.Constraint = c
	}
	result, err := s.Generate(q.ctx, r, func(step runner.Step) error { return s.out.send(kindStep, step) })
	if err == nil {
		result.Timings.Vision = vision
	}
	return result, err
}

// embeddings returns the image embeddings [n*T,E] of a request, and how long the encoding took. It
// sends the server those that came as pixels.
func (s *session) embeddings(q received) (all []float32, took time.Duration, err error) {
	for _, encoded := range q.Encoded {
		n := floats(s.config, encoded)
		if n > len(q.body) {
			return nil, 0, fmt.Errorf("%d floats, want %d", len(q.body), n)
		}
		img := q.body[:n]
		q.body = q.body[n:]
		if !encoded {
			var one time.Duration
			if img, one, err = s.Encode(q.ctx, img); err != nil {
				return nil, 0, err
			}
			took += one
			if err := s.out.send(kindImage, nil, img); err != nil {
				return nil, 0, err
			}
		}
		all = append(all, img...)
	}
	if len(q.body) > 0 {
		return nil, 0, fmt.Errorf("%d floats too many", len(q.body))
	}
	return all, took, nil
}
