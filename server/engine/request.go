package engine

// This file: a request, what is refused of it, and its answer.

import (
	"math"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// MaxImages is the largest number of images in one request.
const MaxImages = worker.MaxImages

// maxPrompt is the length of the longest prompt in bytes.
const maxPrompt = 8 << 10

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
}

// Reply is the answer to a request.
type Reply struct {
	*runner.Result
	Queued, Load time.Duration // spent waiting for a slot, and for a worker with the model loaded
}

// Ends tells whether a step is the model's own end of an answer: one without it was cut short.
func Ends(s runner.Step) bool { return s.Token == paligemma.EOS }

// check refuses what cannot be asked. maxTokens is the longest answer that may be asked for.
func (r *Request) check(maxTokens int) error {
	s := r.Sampling
	switch {
	case r.Model == nil:
		return ErrNoModel
	case len(r.Images) == 0:
		return ErrNoImage
	case len(r.Images) > MaxImages:
		return runner.InvalidRequestf("%d images: at most %d", len(r.Images), MaxImages)
	case len(r.Prompt) > maxPrompt:
		return runner.InvalidRequestf("a prompt of %d bytes: at most %d", len(r.Prompt), maxPrompt)
	case r.MaxTokens < 1 || r.MaxTokens > maxTokens:
		return runner.InvalidRequestf("%d tokens: want 1 to %d", r.MaxTokens, maxTokens)
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return runner.InvalidRequestf("temperature %v: want 0 or more", s.Temperature)
	case s.TopK < 0:
		return runner.InvalidRequestf("top_k %d: want 0 or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return runner.InvalidRequestf("top_p %v: want 0 to 1", s.TopP)
	case !(s.MinP >= 0 && s.MinP <= 1):
		return runner.InvalidRequestf("min_p %v: want 0 to 1", s.MinP)
	case r.TopLogprobs < 0 || r.TopLogprobs > 100:
		return runner.InvalidRequestf("%d log-probabilities: want 0 to 100", r.TopLogprobs)
	}
	return nil
}
