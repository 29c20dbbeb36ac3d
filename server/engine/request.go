package engine

// This file: a request, what is refused of it, and its answer.

import (
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Strict constrains an answer to boxes with the labels asked for.
type Strict = worker.Strict

// Request is a prompt about images for one model.
type Request struct {
	Model       *Model
	Images      []*Image
	Prompt      string // reaches the model exactly as it is
	Resize      imageproc.Resize
	MaxTokens   int
	Sampling    runner.Sampling
	TopLogprobs int            // alternatives reported for each token
	Strict      *Strict        // nil: a free answer
	KeepAlive   *time.Duration // how long the worker stays afterwards; nil: Options.KeepAlive
	Client      string         // who asks: clients take turns in the queue
	// Accepted, if it is not nil, is called once, by Generate, when nothing of the request is left to
	// be refused but what the model refuses, and it waits for its turn. An image may be refused later
	// if it waits for memory.
	Accepted func()
}

// accept calls Accepted the first time.
func (r *Request) accept() {
	if r.Accepted != nil {
		r.Accepted()
		r.Accepted = nil
	}
}

// Reply is the answer to a request.
type Reply struct {
	*runner.Result
	Queued, Load time.Duration // spent waiting for a slot, and for a worker with the model loaded
}

// Ends reports whether s is the model's own end of an answer: one without it was cut short.
func Ends(s runner.Step) bool { return s.Token == paligemma.EOS }

// check refuses what cannot be asked. maxTokens is the longest answer that may be asked for.
func (r *Request) check(maxTokens int) error {
	switch n := len(r.Images); {
	case r.Model == nil:
		return ErrNoModel
	case n == 0:
		return ErrNoImage
	case n > runner.MaxImages:
		return runner.InvalidRequestError{Err: runner.LimitError{What: "images", Have: int64(n), Max: runner.MaxImages}}
	case r.MaxTokens < 1 || r.MaxTokens > maxTokens:
		return runner.InvalidRequestf("max_tokens %d: want 1 to %d, the most that this server allows", r.MaxTokens,
			maxTokens)
	}
	return runner.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: r.Sampling, TopLogprobs: r.TopLogprobs,
	}.Validate()
}
