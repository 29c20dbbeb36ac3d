package main

// This file: the questions of pali imatrix, asked one after the other, and the state that lets a stopped run go on. Before it: imatrix.go. After it:
// the sums, in quant.Imatrix.
//
// Each question's sums are added to the whole in 64-bit floats, and the state holds the whole exactly: a run that goes on makes the same additions in
// the same order. An image is encoded once for the questions about it that follow each other.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/runner"
)

// keyRun is the key of a state that says which run it belongs to.
const keyRun = "pali.imatrix.run"

// statePath returns where a run keeps what it has summed.
func (f *imatrixFlags) statePath() string { return f.output + ".state" }

// calibration is a run under way.
type calibration struct {
	flags     *imatrixFlags
	questions []eval.Question
	resize    imageproc.Resize
	id        string // of the run: what it depends on
	sums      *quant.Imatrix
	saved     int // questions in the state
	collector *ggml.Collector
	images    runner.ImageCache // with the runner
}

// calibrate asks all questions. It returns how many of them a stopped run had asked.
func (f *imatrixFlags) calibrate(cmd *cobra.Command) (sums *quant.Imatrix, resumed int, err error) {
	c := calibration{flags: f, collector: ggml.NewCollector()}
	defer c.collector.Free()
	if c.resize, err = imageproc.ParseResize(f.resize); err != nil {
		return nil, 0, usageError{err}
	}
	if c.questions, err = eval.ReadQuestions(f.questions, ""); err != nil {
		return nil, 0, err
	}
	if c.id, err = f.identify(); err != nil {
		return nil, 0, err
	}
	if err := c.resume(); err != nil {
		return nil, 0, err
	}
	resumed = c.saved
	if resumed > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: going on after question %d of %d\n", f.statePath(), resumed, len(c.questions))
	}
	f.collect, f.kv, f.device = c.collector, "f32", "cpu"
	model, err := f.open(cmd.ErrOrStderr())
	if err != nil {
		return nil, 0, err
	}
	defer model.Close()
	c.images.Runner = model.Runner()
	c.images.Pixels = pixelReader(f.limits, model.Config().ImageSize, c.resize)
	bar := progress.Count(cmd.ErrOrStderr(), "imatrix")
	err = c.ask(cmd.Context(), func(done int) { bar.Set(int64(done-resumed), int64(len(c.questions)-resumed)) })
	bar.Close()
	if err != nil && c.sums.Chunks > c.saved {
		err = errors.Join(err, c.save())
	}
	return c.sums, resumed, err
}

// identify returns a text that differs for runs that give other sums: of the questions, the model, and what else they depend on. The model is known by
// its keys and the beginning of each tensor.
func (f *imatrixFlags) identify() (string, error) {
	files, err := store.Find(f.model, f.mmproj, "")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, f.resize, f.maxTokens)
	questions, err := os.Open(f.questions)
	if err != nil {
		return "", err
	}
	defer questions.Close()
	if _, err := io.Copy(h, questions); err != nil {
		return "", err
	}
	if err := store.Identify(h, files.Text, files.Vision); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// resume reads the state of a stopped run, if there is one.
func (c *calibration) resume() error {
	c.sums = &quant.Imatrix{Datasets: []string{filepath.Base(c.flags.questions)}}
	path := c.flags.statePath()
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if id, _ := f.Lookup(keyRun); id != c.id {
		if c.flags.force {
			return nil
		}
		return fmt.Errorf("%s is of a stopped run with other questions, another model or other flags: remove it, or use --force", path)
	}
	if c.sums, err = quant.ReadImatrix(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if c.saved = c.sums.Chunks; c.saved > len(c.questions) {
		return fmt.Errorf("%s: %d questions were asked, there are %d", path, c.saved, len(c.questions))
	}
	return nil
}

// save writes the state.
func (c *calibration) save() error {
	b, err := c.sums.Bytes(gguf.F64, gguf.KV{Key: keyRun, Value: c.id})
	if err != nil {
		return err
	}
	c.saved = c.sums.Chunks
	return writeWhole(c.flags.statePath(), b, true)
}

// ask asks the questions that are left.
func (c *calibration) ask(ctx context.Context, progress func(done int)) error {
	progress(c.sums.Chunks)
	for c.sums.Chunks < len(c.questions) {
		q := &c.questions[c.sums.Chunks]
		if err := c.askOne(ctx, q); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("%s: line %d: %w", c.flags.questions, q.Line, err)
		}
		squares, err := c.collector.Take()
		if err == nil {
			err = c.sums.Add(squares)
		}
		if err != nil {
			return err
		}
		c.sums.Chunks++
		progress(c.sums.Chunks)
		if c.sums.Chunks%c.flags.every == 0 && c.sums.Chunks < len(c.questions) {
			if err := c.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// askOne asks one question, giving the model its answer if it is known.
func (c *calibration) askOne(ctx context.Context, q *eval.Question) error {
	embeddings, err := c.encode(ctx, q)
	if err != nil {
		return err
	}
	r := runner.Request{Embeddings: embeddings, Prompt: q.Prefix, MaxTokens: c.flags.maxTokens}
	if len(q.Suffix.Texts) == 0 {
		_, err = c.images.Runner.Generate(ctx, r, nil)
		return err
	}
	forced, err := c.images.Runner.TokenizeAnswer(q.Suffix.Texts[0])
	if err == nil {
		_, err = c.images.Runner.Score(ctx, r, forced)
	}
	return err
}

// encode returns the embeddings of the question's image. The first image of a run that goes on may be one
// that was summed before it stopped: its sums are not taken again.
func (c *calibration) encode(ctx context.Context, q *eval.Question) ([]float32, error) {
	summed := c.sums.Chunks > 0 && c.questions[c.sums.Chunks-1].Path == q.Path
	c.collector.Pause(summed)
	defer c.collector.Pause(false)
	embeddings, _, err := c.images.Encode(ctx, q.Path)
	return embeddings, err
}
