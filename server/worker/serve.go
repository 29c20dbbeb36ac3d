package worker

// This file: the worker's side. Before it: frames from the server. After it: runner.Runner, and frames back.

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
	// Progress returns a number that changes while operations are computed, if it is not nil.
	Progress func() int
}

// beat is how often a worker that computes says so.
const beat = time.Second

// Serve loads the model and answers the requests that come over the connection, until it ends: then it calls gone, from another goroutine, whatever is
// being computed. A model that cannot be loaded is told to the server, and is the error.
func Serve(conn io.ReadWriter, load func() (*Model, error), gone func()) error {
	s := &session{out: &frames{w: conn}, asks: make(chan asked)}
	go s.read(conn, gone)
	start := time.Now()
	m, err := load()
	if err != nil {
		return errors.Join(err, s.out.send(kindFailed, Failed{Text: err.Error()}))
	}
	s.Model, s.config = m, m.Encoder.Config()
	s.limit.Store(int64(most(s.config)))
	if err := s.out.send(kindReady, Ready{s.config, m.Vocabulary.Len(), time.Since(start)}); err != nil {
		return err
	}
	for a := range s.asks {
		if err := s.answer(a); err != nil {
			return err
		}
	}
	return nil
}

// session is one connection.
type session struct {
	*Model
	config paligemma.VisionConfig
	out    *frames
	asks   chan asked
	limit  atomic.Int64 // floats of a frame; 0 until the model is loaded, since the server asks nothing before

	mu     sync.Mutex
	cancel context.CancelFunc // of the request in hand
}

// asked is a request with its floats, and the context that kindCancel ends.
type asked struct {
	Request
	body []float32
	ctx  context.Context
}

// read takes frames in until there is none, or a wrong one.
func (s *session) read(conn io.Reader, gone func()) {
	defer gone()
	defer close(s.asks)
	defer s.giveUp()
	for {
		f, err := readFrame(conn, func() int { return int(s.limit.Load()) })
		if err != nil {
			return
		}
		switch f.kind {
		case kindCancel:
			s.giveUp()
		case kindAsk:
			a := asked{body: f.body}
			if s.limit.Load() == 0 || f.decode(&a.Request) != nil {
				return
			}
			a.ctx = s.begin()
			s.asks <- a
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
	s.cancel = cancel
	return ctx
}

// giveUp ends the context of the request in hand.
func (s *session) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// answer answers one request. Its error is one of the connection.
func (s *session) answer(a asked) error {
	stop := s.beat()
	r, err := s.generate(a)
	stop()
	if r == nil || err != nil {
		var refused runner.InvalidRequestError
		return s.out.send(kindFailed, Failed{cut(err.Error()), errors.As(err, &refused)})
	}
	return s.out.send(kindDone, Done{r.PrefixTokens, r.Timings})
}

// cut keeps an error's text short.
func cut(text string) string { return text[:min(len(text), 1000)] }

// beat sends kindProgress as long as there is any, until it is stopped.
func (s *session) beat() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(beat)
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

// generate encodes the images that are not, and asks the model.
func (s *session) generate(a asked) (*runner.Result, error) {
	rows, vision, err := s.rows(a)
	if err != nil {
		return nil, err
	}
	q := runner.Request{Embeddings: rows, Prompt: a.Prompt, MaxTokens: a.MaxTokens, Sampling: a.Sampling, TopLogprobs: a.Top}
	if a.Strict != nil {
		c, err := tasks.NewGrammar(s.Vocabulary, a.Strict.Labels, a.Strict.Masks, a.MaxTokens)
		if err != nil {
			return nil, runner.InvalidRequestf("strict: %w", err)
		}
		q.Constraint = c
	}
	r, err := s.Generate(a.ctx, q, func(step runner.Step) error { return s.out.send(kindStep, step) })
	if err == nil {
		r.Timings.Vision = vision
	}
	return r, err
}

// rows returns the image embeddings [n*T,E] of a request's images, and tells the server those that it did not have.
func (s *session) rows(a asked) (rows []float32, took time.Duration, err error) {
	for _, encoded := range a.Encoded {
		n := floats(s.config, encoded)
		if n > len(a.body) {
			return nil, 0, fmt.Errorf("%d floats, want %d", len(a.body), n)
		}
		picture := a.body[:n]
		a.body = a.body[n:]
		if !encoded {
			var one time.Duration
			if picture, one, err = s.Encode(a.ctx, picture); err != nil {
				return nil, 0, err
			}
			took += one
			if err := s.out.send(kindImage, nil, picture); err != nil {
				return nil, 0, err
			}
		}
		rows = append(rows, picture...)
	}
	if len(a.body) > 0 {
		return nil, 0, fmt.Errorf("%d floats too many", len(a.body))
	}
	return rows, took, nil
}
