// Package runner tells the one story: encode the images, lay out the prefix, prefill it, step token by token, stop.
//
// Before it: images (package mmproj) and a prompt. After it: text, tokens and their probabilities. It works on two small interfaces;
// runner/llamacpp implements them.
//
// # The prefix
//
// PaliGemma is a prefix language model (big_vision models/proj/paligemma/paligemma.py, make_attn_mask). The prefix is
//
//	image tokens of image 1, of image 2, ..., BOS, prompt, "\n"
//
// and each of its positions attends to all of it; each token of the answer attends to the prefix and to the answer so far.
// With two image tokens i, a prompt p, the separator n and an answer a b:
//
//	      i i B p n a b
//	i     1 1 1 1 1 0 0
//	i     1 1 1 1 1 0 0
//	BOS   1 1 1 1 1 0 0
//	p     1 1 1 1 1 0 0
//	n     1 1 1 1 1 0 0   <- its logits choose a
//	a     1 1 1 1 1 1 0   <- its logits choose b
//	b     1 1 1 1 1 1 1
package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
)

// Encoder turns images into image tokens.
type Encoder interface {
	// Config gives the image's side, the number of image tokens T and their length E.
	Config() paligemma.VisionConfig
	// Encode turns the pixels of one image [3,S,S] into image embeddings [T,E], unscaled.
	Encode(pixels []float32) ([]float32, error)
}

// Decoder turns a prefix into logits, and each further token into the next.
type Decoder interface {
	// Tokenize turns text into tokens, adding nothing and reading no control piece in it.
	Tokenize(text string) ([]int32, error)
	// Prefill forgets what was before, lets the image rows [n*T,E] and the tokens after them attend to each other fully, and returns
	// the logits [V] of the last one. There is room for so many Steps after it.
	Prefill(images []float32, tokens []int32, room int) ([]float32, error)
	// Step adds one token, which attends to everything before it, and returns the logits [V] behind it.
	Step(token int32) ([]float32, error)
	// Interrupt makes the running call and those after it return an error soon, until Resume. Safe for concurrent use.
	Interrupt()
	Resume()
}

// Runner answers requests, one at a time.
type Runner struct {
	Encoder    Encoder
	Decoder    Decoder
	Vocabulary *Vocabulary
}

// Request is a question about images.
type Request struct {
	Pictures  []*imageproc.Image
	Images    []float32 // the images' image embeddings [n*T,E], if Encode has been called for them; then Images are not looked at
	Prompt    string    // reaches the model exactly as it is
	Resize    imageproc.Resize
	MaxTokens int
	Forced    []int32 // if not empty, the tokens of the answer, whatever the model would choose; MaxTokens, Sampling and Constraint are not looked at
	Sampling  Sampling
	// Constraint says which tokens may come; nil: all. It belongs to this request alone.
	Constraint  Constraint
	Beams       int  // if over 1, the answer is the most probable one that a search with so many beams finds; Sampling and Constraint are not looked at
	TopLogprobs int  // how many of the most probable tokens to report at each step
	Trace       bool // keep pixels, embeddings and logits in the result
}

// Constraint gives an answer a form. tasks.Grammar is one.
type Constraint interface {
	// Forbid sets the logits of all tokens that may not come next to minus infinity, and leaves one at least. left is how many tokens
	// may still come, this one among them.
	Mask(logits []float32, left int)
	// Take says which token was chosen.
	Accept(token int32)
}

// Result is an answer.
type Result struct {
	Text         string
	Tokens       []int32 // with EOS where it came
	Steps        []Step  // one for each token
	PrefixTokens []int32 // BOS, prompt, separator
	Timings      Timings

	Pixels     []float32   // [n,3,S,S] if Request.Keep
	Embeddings []float32   // [n*T,E] if Request.Keep
	Logits     [][]float32 // [G][V] if Request.Keep: row g chose token g
}

// Step is one token of an answer.
type Step struct {
	Token   int32
	Text    string  // what the token adds to the text; empty while a character is incomplete
	Logprob float64 // natural logarithm of its probability, before temperature and cuts
	// Near is, of a location, the probability that the corner lies here: of this location and of those at most NearBins away. 0 of other tokens.
	BinProb float64
	Top     []Alternative
}

// Timings says how long each part took.
type Timings struct {
	Vision, Prefill, Decode     time.Duration
	PrefillTokens, DecodeTokens int
}

// Add adds the times and tokens of another answer.
func (t *Timings) Add(o Timings) {
	t.Vision, t.Prefill, t.Decode = t.Vision+o.Vision, t.Prefill+o.Prefill, t.Decode+o.Decode
	t.PrefillTokens, t.DecodeTokens = t.PrefillTokens+o.PrefillTokens, t.DecodeTokens+o.DecodeTokens
}

// Generate answers one request. each is called with every step as it comes; an error from it ends the answer.
// When ctx ends, the result so far is returned with ctx's error.
func (r *Runner) Generate(ctx context.Context, q Request, each func(Step) error) (*Result, error) {
	if len(q.Pictures) == 0 && len(q.Images) == 0 {
		return nil, errors.New("runner: no image")
	}
	if len(q.Forced) > 0 {
		q.MaxTokens = len(q.Forced)
	}
	if q.MaxTokens < 1 {
		return nil, fmt.Errorf("runner: at most %d tokens: want 1 or more", q.MaxTokens)
	}
	prefix, err := r.prefix(q.Prompt)
	if err != nil {
		return nil, err
	}
	defer r.watch(ctx)()

	out := &Result{PrefixTokens: prefix}
	err = r.answer(ctx, q, out, each)
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return out, err
}

// Encode runs images through the vision model and returns their image embeddings [n*T,E], for Request.Images of several requests.
// It ends early with ctx's error when ctx ends.
func (r *Runner) Encode(ctx context.Context, pictures []*imageproc.Image, resize imageproc.Resize) ([]float32, error) {
	return r.interruptible(ctx, func() ([]float32, error) {
		return r.encode(ctx, Request{Pictures: pictures, Resize: resize}, &Result{})
	})
}

// EncodePixels is Encode of one image whose pixels [3,S,S] mmproj.Preprocess has made, as may be done while another is being answered about.
func (r *Runner) EncodePixels(ctx context.Context, pixels []float32) ([]float32, error) {
	return r.interruptible(ctx, func() ([]float32, error) { return r.Encoder.Encode(pixels) })
}

// interruptible calls encode, which ends early with ctx's error when ctx ends.
func (r *Runner) interruptible(ctx context.Context, encode func() ([]float32, error)) ([]float32, error) {
	defer r.watch(ctx)()
	images, err := encode()
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return images, err
}

// Refused is an error of the request, not of the model: its text says what to ask instead.
type InvalidRequestError struct{ Err error }

func (e InvalidRequestError) Error() string { return e.Err.Error() }
func (e InvalidRequestError) Unwrap() error { return e.Err }

// Refusef makes one.
func InvalidRequestf(format string, args ...any) error {
	return InvalidRequestError{fmt.Errorf(format, args...)}
}

// Answer returns the tokens of a text as the model would give it: with EOS at the end.
func (r *Runner) TokenizeAnswer(text string) ([]int32, error) {
	tokens, err := r.Decoder.Tokenize(text)
	return append(tokens, paligemma.EOS), err
}

// watch lets the end of ctx interrupt the decoder until the function that it returns is called. That one waits for an interruption that is under
// way: it would hit the next request.
func (r *Runner) watch(ctx context.Context) (end func()) {
	r.Decoder.Resume()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		r.Decoder.Interrupt()
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// prefix tokenizes the prompt and the separator, apart, and lays them out.
func (r *Runner) prefix(prompt string) ([]int32, error) {
	tokens, err := r.Decoder.Tokenize(prompt)
	if err != nil {
		return nil, err
	}
	separator, err := r.Decoder.Tokenize(paligemma.Separator)
	if err != nil {
		return nil, err
	}
	return paligemma.PrefixTokens(tokens, separator), nil
}

func (r *Runner) answer(ctx context.Context, q Request, out *Result, each func(Step) error) error {
	images, err := r.encode(ctx, q, out)
	if err != nil {
		return err
	}
	start := time.Now()
	logits, err := r.Decoder.Prefill(images, out.PrefixTokens, q.MaxTokens*max(1, q.Beams))
	out.Timings.Prefill = time.Since(start)
	if err != nil {
		return err
	}
	out.Timings.PrefillTokens = len(images)/r.Encoder.Config().ProjectionDim + len(out.PrefixTokens)

	start = time.Now()
	defer func() { out.Timings.Decode = time.Since(start) }()
	if q.Beams > 1 && len(q.Forced) == 0 {
		return r.searched(ctx, q, out, logits, each)
	}
	sampler, text := NewSampler(q.Sampling), r.Vocabulary.Decoder()
	for {
		step, err := r.choose(logits, q, len(out.Tokens), sampler)
		if err != nil {
			return err
		}
		if q.Trace {
			out.Logits = append(out.Logits, logits)
		}
		done := step.Token == paligemma.EOS && len(q.Forced) == 0 || len(out.Tokens)+1 == q.MaxTokens
		step = out.add(step, text, done)
		if err := each(step); err != nil || done {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if logits, err = r.Decoder.Step(step.Token); err != nil {
			return err
		}
	}
}

// add adds a step with its text.
func (out *Result) add(step Step, text *TextDecoder, last bool) Step {
	step.Text = text.Add(step.Token)
	if last {
		step.Text += text.Flush()
	}
	out.Tokens, out.Steps, out.Text = append(out.Tokens, step.Token), append(out.Steps, step), out.Text+step.Text
	out.Timings.DecodeTokens = len(out.Tokens)
	return step
}

// encode runs every image through the vision model: [n*T,E]. It returns what the request brings along instead, if it does.
func (r *Runner) encode(ctx context.Context, q Request, out *Result) ([]float32, error) {
	start := time.Now()
	defer func() { out.Timings.Vision = time.Since(start) }()
	if len(q.Images) > 0 {
		return q.Images, nil
	}
	var images []float32
	for _, p := range q.Pictures {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pixels := imageproc.Preprocess(p, r.Encoder.Config().ImageSize, q.Resize)
		rows, err := r.Encoder.Encode(pixels)
		if err != nil {
			return nil, err
		}
		images = append(images, rows...)
		if q.Trace {
			out.Pixels = append(out.Pixels, pixels...)
		}
	}
	if q.Trace {
		out.Embeddings = slices.Clone(images)
	}
	return images, nil
}

// choose picks token n of the answer and gives its probability among all tokens.
func (r *Runner) choose(logits []float32, q Request, n int, s *Sampler) (Step, error) {
	norm, err := logSum(logits)
	if err != nil {
		return Step{}, err
	}
	var token int32
	switch {
	case len(q.Forced) == 0:
		token = s.within(logits, q.Constraint, q.MaxTokens-n)
	case q.Forced[n] < 0 || int(q.Forced[n]) >= len(logits):
		return Step{}, fmt.Errorf("runner: token %d is not in the vocabulary of %d", q.Forced[n], len(logits))
	default:
		token = q.Forced[n]
	}
	return Step{Token: token, Logprob: float64(logits[token]) - norm, BinProb: near(logits, norm, token), Top: r.top(logits, norm, q.TopLogprobs)}, nil
}
