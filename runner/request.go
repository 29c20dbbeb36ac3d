package runner

// This file: a request, the limits of what it may ask, and the errors of those that exceed them.

import (
	"errors"
	"fmt"
	"math"

	"github.com/pali-gguf/pali/internal/textfile"
	"github.com/pali-gguf/pali/paligemma"
)

// Request is a question about images.
type Request struct {
	Embeddings []float32 // of the images, [n*T,E], as Encode returns them
	Prompt     string    // reaches the model exactly as it is
	MaxTokens  int       // longest answer
	Sampling   Sampling  // of Generate
	// Constraint says which tokens may come in Generate; nil: all. It belongs to this request
	// alone.
	Constraint  Constraint
	TopLogprobs int  // how many of the most probable tokens to report at each step
	Trace       bool // keep the logits in the result
}

// Constraint restricts which tokens an answer may consist of. tasks.Grammar is one.
type Constraint interface {
	// Mask sets the logits [V] of all tokens that may not come next to minus infinity; at least one
	// token may. left is the number of tokens that may still come, this one included.
	Mask(logits []float32, left int)
	// Accept advances the constraint by token, which was chosen.
	Accept(token int32)
}

// Limits of a request. MaxImages is for callers to check: a Runner takes what its decoder holds.
const (
	MaxImages       = 16
	MaxPromptBytes  = 8 << 10
	MaxAnswerTokens = 1 << 16 // of Request.MaxTokens
	MaxTopLogprobs  = 100
)

// Validate checks everything but the embeddings and the constraint. Its error is an
// InvalidRequestError of a ValueError or a LimitError.
func (q Request) Validate() error {
	if err := CheckPrompt(q.Prompt); err != nil {
		return err
	}
	switch {
	case q.MaxTokens < 1 || q.MaxTokens > MaxAnswerTokens:
		return invalidValue("max_tokens", q.MaxTokens, fmt.Sprintf("1 to %d", MaxAnswerTokens))
	case q.TopLogprobs < 0 || q.TopLogprobs > MaxTopLogprobs:
		return invalidValue("logprobs", q.TopLogprobs, fmt.Sprintf("0 to %d", MaxTopLogprobs))
	}
	return q.Sampling.Validate()
}

// CheckPrompt checks a prompt: what is too long, and what is not UTF-8, which would reach the model
// changed. Its error is an InvalidRequestError.
func CheckPrompt(prompt string) error {
	if len(prompt) > MaxPromptBytes {
		return InvalidRequestError{LimitError{What: "bytes of prompt", Have: int64(len(prompt)), Max: MaxPromptBytes}}
	}
	if at := textfile.InvalidUTF8([]byte(prompt)); at >= 0 {
		return InvalidRequestf("the prompt is not UTF-8: byte %d is 0x%02x; write it in UTF-8", at+1, prompt[at])
	}
	return nil
}

// Validate checks the ranges. Its error is an InvalidRequestError of a ValueError.
func (s Sampling) Validate() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return invalidValue("temperature", s.Temperature, "0 or more")
	case s.TopK < 0:
		return invalidValue("top_k", s.TopK, "0 or more")
	case !(s.TopP >= 0 && s.TopP <= 1):
		return invalidValue("top_p", s.TopP, "0 to 1")
	case !(s.MinP >= 0 && s.MinP <= 1):
		return invalidValue("min_p", s.MinP, "0 to 1")
	}
	return nil
}

// check is Validate, and checks that the embeddings are those of one or more whole images.
func (q Request) check(c paligemma.VisionConfig) error {
	if len(q.Embeddings) == 0 {
		return InvalidRequestError{errors.New("no image")}
	}
	if n := c.Tokens() * c.ProjectionDim; len(q.Embeddings)%n != 0 {
		return InvalidRequestError{fmt.Errorf("%d floats are not embeddings of %d for each image", len(q.Embeddings),
			n)}
	}
	return q.Validate()
}

// InvalidRequestError is an error of the request, not of the model. Err says what to ask instead.
type InvalidRequestError struct{ Err error }

func (e InvalidRequestError) Error() string { return e.Err.Error() }
func (e InvalidRequestError) Unwrap() error { return e.Err }

// InvalidRequestf returns an InvalidRequestError whose text is that of fmt.Errorf.
func InvalidRequestf(format string, args ...any) error {
	return InvalidRequestError{fmt.Errorf(format, args...)}
}

func invalidValue(field string, value any, want string) error {
	return InvalidRequestError{ValueError{field, value, want}}
}

// ValueError is a value that is out of its range, of a request or of an option.
type ValueError struct {
	Field string // as JSON names it: "top_p"
	Value any
	Want  string // "0 to 1"
}

func (e ValueError) Error() string { return fmt.Sprintf("%s %v: want %s", e.Field, e.Value, e.Want) }

// LimitError is a size that is too large.
type LimitError = paligemma.LimitError
