// Package calibrate measures which columns of a model's matrices matter: it asks the model
// questions and sums the squares of what each matrix is multiplied with.
//
// Before it: questions (package eval), and a model whose graphs a collector watches. After it: the
// sums (quant.Imatrix), which package quant rounds by.
//
// Each question's sums are added to the whole in 64-bit floats, and the state on disk holds the
// whole exactly: a run that goes on makes the same additions in the same order.
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
	// Take returns the sums since the last call.
	Take() ([]ggml.SumSquares, error)
	// Pause(true) makes it look away until Pause(false).
	Pause(paused bool)
}

// Options says what to ask, and where a stopped run goes on.
type Options struct {
	Questions []eval.Question // with a suffix the model is given it as its answer, else it answers
	Dataset   string          // names the questions in the sums
	MaxTokens int             // longest answer
	ID        string          // differs for runs that give other sums
	State     string          // path of what was summed so far
	SaveEvery int             // save it after this many questions
	Force     bool            // start over where the state is another run's
}

// Run is a calibration under way.
type Run struct {
	Options
	sums           *quant.Imatrix
	resumed, saved int // questions in the state, then and now
}

// OtherRunError is a state that another run left.
type OtherRunError struct{ Path string }

func (e OtherRunError) Error() string {
	return e.Path + " is of a stopped run with other questions, another model or other flags"
}

// keyRun is the key of a state that says which run it belongs to.
const keyRun = "pali.imatrix.run"

// Begin begins a run, with what a stopped one summed if there is a state.
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

// Resumed returns how many questions a stopped run had asked.
func (r *Run) Resumed() int { return r.resumed }

// Ask asks the questions that are left and returns the sums of all. c watches the model, whose keys
// are paths. progress is called with how many of those that were left are done. An error names the
// question, unless it is ctx's, c's or the state's; what was summed until then is saved.
func (r *Run) Ask(ctx context.Context, model *runner.ImageCache, c Collector, progress func(done, total int64)) (
	*quant.Imatrix, error) {
	err := r.askAll(ctx, model, c, progress)
	if err != nil && r.sums.Chunks > r.saved {
		err = errors.Join(err, r.save())
	}
	return r.sums, err
}

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

// ask asks one question, giving the model its answer if it is known.
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

// encode returns the embeddings of the question's image. The first image of a run that goes on may
// be one that was summed before it stopped: its sums are not taken again.
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

// Forget removes the state, when what was summed is kept elsewhere.
func (r *Run) Forget() error {
	if err := os.Remove(r.State); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
