// Package calibrate computes an importance matrix: it asks a model questions and sums the squares
// of the activations that each weight matrix is multiplied with, by column.
//
// Before it: questions (package eval), and a model whose graphs a collector watches. After it: the
// sums (quant.Imatrix), which package quant weights columns by.
//
// Each question's sums are added to the total in 64-bit floats, and the state on disk holds the
// total exactly: a resumed run makes the same additions in the same order.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/runner"
)

// Collector watches the graphs of a model; *ggml.Collector is one.
type Collector interface {
	// Take returns the sums since the previous call.
	Take() ([]ggml.SumSquares, error)
	// Pause(true) stops collecting until Pause(false).
	Pause(paused bool)
}

// Options says what to ask, and where to keep the state for resuming.
type Options struct {
	Questions []eval.Question // the suffix, if there is one, is the forced answer
	Dataset   string          // names the questions in the sums
	MaxTokens int             // of the longest answer
	ID        string          // differs for runs that give different sums
	State     string          // path of the file with the sums so far
	SaveEvery int             // save the state after every n questions
	Force     bool            // discard the state of another run
}

// Run is a calibration under way.
type Run struct {
	Options
	sums           *quant.Imatrix
	resumed, saved int // questions in the state, at the beginning and now
}

// OtherRunError reports a state, the file at Path, that another run left.
type OtherRunError struct{ Path string }

func (e OtherRunError) Error() string {
	return e.Path + " is of a stopped run with other questions, another model or other options"
}

// keyRun is the key under which a state holds Options.ID.
const keyRun = "pali.imatrix.run"

// Begin begins a run, with the sums of a stopped one if there is a state. It fails with
// OtherRunError if the state is another run's, unless o.Force is set.
func Begin(o Options) (*Run, error) {
	r := &Run{Options: o, sums: &quant.Imatrix{Datasets: []string{o.Dataset}}}
	if _, err := os.Lstat(o.State); errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	f, err := gguf.Open(o.State)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if id, _ := f.Lookup(keyRun); id != o.ID {
		if o.Force {
			return r, nil
		}
		return nil, OtherRunError{o.State}
	}
	if r.sums, err = quant.ReadImatrix(f); err != nil {
		return nil, fmt.Errorf("%s: %w", o.State, err)
	}
	r.resumed, r.saved = r.sums.Chunks, r.sums.Chunks
	if r.saved > len(o.Questions) {
		return nil, fmt.Errorf("%s: %d questions were asked, there are %d", o.State, r.saved, len(o.Questions))
	}
	return r, nil
}

// Resumed returns the number of questions that a stopped run had asked.
func (r *Run) Resumed() int { return r.resumed }

// Ask asks the remaining questions and returns the sums of all. c watches the model, whose keys are
// paths. progress is called with the number of remaining questions that are done, and of all of
// them. An error names the question, unless it is from ctx, c or the state; the sums so far are
// saved.
func (r *Run) Ask(ctx context.Context, model *runner.ImageCache, c Collector, progress func(done, total int64)) (
	*quant.Imatrix, error) {
	err := r.askAll(ctx, model, c, progress)
	if err != nil && r.sums.Chunks > r.saved {
		err = errors.Join(err, r.save())
	}
	return r.sums, err
}

// askAll asks the remaining questions and saves the state after every SaveEvery of them.
func (r *Run) askAll(ctx context.Context, model *runner.ImageCache, c Collector,
	progress func(done, total int64)) error {
	for left := len(r.Questions) - r.resumed; ; {
		n := r.sums.Chunks
		progress(int64(n-r.resumed), int64(left))
		if n == len(r.Questions) {
			return nil
		}
		if n > r.saved && n%r.SaveEvery == 0 {
			if err := r.save(); err != nil {
				return err
			}
		}
		if err := r.next(ctx, model, c); err != nil {
			return err
		}
	}
}

// next asks the next question and adds its sums.
func (r *Run) next(ctx context.Context, model *runner.ImageCache, c Collector) error {
	q := &r.Questions[r.sums.Chunks]
	if err := r.ask(ctx, q, model, c); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return q.Wrap(err)
	}
	squares, err := c.Take()
	if err == nil {
		err = r.sums.Add(squares)
	}
	if err == nil {
		r.sums.Chunks++
	}
	return err
}

// ask asks the question q, forcing its answer if it has a suffix.
func (r *Run) ask(ctx context.Context, q *eval.Question, model *runner.ImageCache, c Collector) error {
	embeddings, err := r.encode(ctx, q, model, c)
	if err != nil {
		return err
	}
	request := runner.Request{Embeddings: embeddings, Prompt: q.Prefix, MaxTokens: r.MaxTokens}
	if len(q.Suffix.Texts) == 0 {
		_, err = model.Runner.Generate(ctx, request, nil)
		return err
	}
	forced, err := model.Runner.TokenizeAnswer(q.Suffix.Texts[0])
	if err == nil {
		_, err = model.Runner.Score(ctx, request, forced)
	}
	return err
}

// encode returns the embeddings of the image of q. The first image of a resumed run may be one
// whose sums are in the state: they are not collected again.
func (r *Run) encode(ctx context.Context, q *eval.Question, model *runner.ImageCache, c Collector) ([]float32, error) {
	n := r.sums.Chunks
	c.Pause(n > 0 && r.Questions[n-1].Path == q.Path)
	defer c.Pause(false)
	embeddings, _, err := model.Encode(ctx, q.Path)
	return embeddings, err
}

// save writes the state.
func (r *Run) save() error {
	b, err := r.sums.Bytes(gguf.F64, gguf.KV{Key: keyRun, Value: r.ID})
	if err != nil {
		return err
	}
	r.saved = r.sums.Chunks
	return atomicfile.WriteFile(r.State, b, true)
}

// RemoveState removes the state file, if there is one, once the sums are saved elsewhere.
func (r *Run) RemoveState() error {
	if err := os.Remove(r.State); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
