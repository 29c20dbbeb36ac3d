// Package runner runs a request: encode the images, lay out the prefix, prefill, then decode token
// by token.
//
// Before it: an image's pixels (package mmproj/imageproc) and a prompt. After it: text, tokens and
// their probabilities. It works on two small interfaces; runner/llamacpp implements them.
//
//	pixels [3,S,S] ──Encode──▶ embeddings [n*T,E] ──┐
//	                                prompt ─────────┴▶ Generate         sampled tokens
//	                                                   Score            given tokens
//	                                                   Search           beam search
//
// # The prefix
//
// PaliGemma is a prefix language model (big_vision models/proj/paligemma/paligemma.py,
// make_attn_mask). The prefix is
//
//	image tokens of image 1, of image 2, ..., BOS, prompt, "\n"
//
// and each of its positions attends to all of it; each token of the answer attends to the prefix
// and to the answer so far. With two image tokens i, a prompt p, the separator n and an answer a b:
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
	"iter"
	"time"

	"github.com/pali-gguf/pali/paligemma"
)

// Encoder turns an image into image embeddings.
type Encoder interface {
	// Config gives the image's side S, the number of image tokens T and their length E.
	Config() paligemma.VisionConfig
	// Encode turns the pixels of one image [3,S,S] into image embeddings [T,E], unscaled.
	Encode(pixels []float32) ([]float32, error)
}

// Decoder turns a prefix into logits, and each further token into the next logits.
type Decoder interface {
	// Tokenize turns text into tokens. It adds none and reads no control piece in the text.
	Tokenize(text string) ([]int32, error)
	// Prefill discards the last request and computes a prefix: the image embeddings [n*T,E] and
	// then tokens, all of which attend to each other. It returns the logits [V] that follow the
	// last token, and reserves maxNewTokens positions for the calls of Step.
	Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error)
	// Step appends token, which attends to everything before it, and returns the logits [V] that
	// follow it.
	Step(token int32) ([]float32, error)
	// Interrupt makes the running call and the following ones return an error soon, until Resume.
	// Safe for concurrent use.
	Interrupt()
	Resume()
}

// Runner answers requests, one at a time.
type Runner struct {
	Encoder    Encoder
	Decoder    Decoder
	Vocabulary *Vocabulary
}

// Result is an answer.
type Result struct {
	Text         string
	Tokens       []int32 // with EOS where it came
	Steps        []Step  // one for each token
	PrefixTokens []int32 // BOS, prompt, separator
	Timings      Timings
	Logits       [][]float32 // [G][V] if Request.Trace: row g chose token g
}

// Step is one token of an answer.
type Step struct {
	Token   int32
	Text    string  // what the token adds to the text; empty while a character is incomplete
	Logprob float64 // natural logarithm of its probability, before temperature and cuts
	// BinProb is, of a location, the probability that the corner lies here: of this location and of
	// those at most NearBins away. 0 of other tokens.
	BinProb float64
	Top     []Alternative
}

// Timings says how long each part took.
type Timings struct {
	// Vision is the time to preprocess and encode the images. It is 0 in a result of Runner, whose
	// requests come with embeddings: the caller who made them fills it in.
	Vision                      time.Duration
	Prefill, Decode             time.Duration
	PrefillTokens, DecodeTokens int
}

// Add adds the times and token counts of o, another answer's.
func (t *Timings) Add(o Timings) {
	t.Vision, t.Prefill, t.Decode = t.Vision+o.Vision, t.Prefill+o.Prefill, t.Decode+o.Decode
	t.PrefillTokens, t.DecodeTokens = t.PrefillTokens+o.PrefillTokens, t.DecodeTokens+o.DecodeTokens
}

// Generate answers q with tokens that q.Sampling and q.Constraint choose, until EOS or
// q.MaxTokens. each, if it is not nil, is called with every step as it comes; an error from it ends
// the answer. When ctx ends, the result so far is returned with ctx's error.
func (r *Runner) Generate(ctx context.Context, q Request, each func(Step) error) (*Result, error) {
	sampler := NewSampler(q.Sampling)
	next := func(logits []float32, n int) (token int32, last bool, err error) {
		token = sampler.within(logits, q.Constraint, q.MaxTokens-n)
		return token, token == paligemma.EOS || n+1 == q.MaxTokens, nil
	}
	return r.run(ctx, q, q.MaxTokens, func(out *Result, logits []float32) error {
		return r.decode(ctx, q, out, logits, next, each)
	})
}

// errStopped ends an answer whose iteration was stopped.
var errStopped = errors.New("runner: the iteration was stopped")

// Iterate returns the steps that run gives to each, as an iterator. An error of run comes last, with
// an empty step. Where the iteration is stopped, each returns an error, by which run ends the answer.
func Iterate(run func(each func(Step) error) error) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		err := run(func(s Step) error {
			if !yield(s, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Step{}, err)
		}
	}
}

// Score gives the model the tokens forced as the answer to q, whatever it would choose itself
// (teacher forcing), and returns them with their probabilities. q.MaxTokens, q.Sampling and
// q.Constraint are ignored.
func (r *Runner) Score(ctx context.Context, q Request, forced []int32) (*Result, error) {
	q.MaxTokens, q.Sampling = len(forced), Sampling{}
	next := func(logits []float32, n int) (token int32, last bool, err error) {
		if token = forced[n]; token < 0 || int(token) >= len(logits) {
			return 0, false, fmt.Errorf("runner: token %d is not in the vocabulary of %d", token, len(logits))
		}
		return token, n+1 == len(forced), nil
	}
	return r.run(ctx, q, len(forced), func(out *Result, logits []float32) error {
		return r.decode(ctx, q, out, logits, next, nil)
	})
}

// TokenizeAnswer returns the tokens of text as an answer of the model: with EOS at the end.
func (r *Runner) TokenizeAnswer(text string) ([]int32, error) {
	tokens, err := r.Decoder.Tokenize(text)
	return append(tokens, paligemma.EOS), err
}

// run checks q, prefills its prefix with room for maxNewTokens tokens, and calls answer
// with the logits [V] that follow the prefix. answer fills in the result.
func (r *Runner) run(ctx context.Context, q Request, maxNewTokens int,
	answer func(out *Result, logits []float32) error) (*Result, error) {
	if err := q.check(r.Encoder.Config()); err != nil {
		return nil, err
	}
	prefix, err := r.prefix(q.Prompt)
	if err != nil {
		return nil, err
	}
	defer r.watch(ctx)()

	out := &Result{PrefixTokens: prefix}
	logits, err := r.prefill(q, out, maxNewTokens)
	if err == nil {
		start := time.Now()
		err = answer(out, logits)
		out.Timings.Decode = time.Since(start)
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return out, err
}

// watch makes the end of ctx interrupt the decoder until end is called. end waits for an
// interruption that is under way, which would otherwise hit the next request.
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

// prefix tokenizes the prompt and the separator, each on its own, and lays them out.
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

// prefill gives the decoder the prefix and returns the logits [V] that follow it.
func (r *Runner) prefill(q Request, out *Result, maxNewTokens int) ([]float32, error) {
	start := time.Now()
	logits, err := r.Decoder.Prefill(q.Embeddings, out.PrefixTokens, maxNewTokens)
	out.Timings.Prefill = time.Since(start)
	if err != nil {
		return nil, err
	}
	out.Timings.PrefillTokens = len(q.Embeddings)/r.Encoder.Config().ProjectionDim + len(out.PrefixTokens)
	return logits, nil
}

// decode generates an answer step by step. next chooses token n from the logits [V] that precede
// it, and says whether it is the last.
func (r *Runner) decode(ctx context.Context, q Request, out *Result, logits []float32,
	next func(logits []float32, n int) (token int32, last bool, err error), each func(Step) error) error {
	text := r.Vocabulary.Decoder()
	for {
		norm, err := LogSumExp(logits)
		if err != nil {
			return err
		}
		token, last, err := next(logits, len(out.Tokens))
		if err != nil {
			return err
		}
		if q.Trace {
			out.Logits = append(out.Logits, logits)
		}
		step := out.add(r.step(logits, norm, token, q.TopLogprobs), text, last)
		if each != nil {
			if err := each(step); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if logits, err = r.Decoder.Step(token); err != nil {
			return err
		}
	}
}

// step describes a token, without its text, by the logits [V] that it was chosen from. norm is
// their LogSumExp, top the number of alternatives.
func (r *Runner) step(logits []float32, norm float64, token int32, top int) Step {
	return Step{
		Token: token, Logprob: float64(logits[token]) - norm, BinProb: binProb(logits, norm, token),
		Top: r.top(logits, norm, top),
	}
}

// add adds a step to the result and returns it with its text.
func (out *Result) add(step Step, text *TextDecoder, last bool) Step {
	step.Text = text.Add(step.Token)
	if last {
		step.Text += text.Flush()
	}
	out.Tokens, out.Steps, out.Text = append(out.Tokens, step.Token), append(out.Steps, step), out.Text+step.Text
	out.Timings.DecodeTokens = len(out.Tokens)
	return step
}
