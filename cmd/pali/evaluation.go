package main

// This file: the questions of pali eval, asked one after the other. Before it: eval.go. After it: package eval's rows.
//
//	question ──▶ model ──▶ answer, its objects, how sure the model was of them ──┐
//	        └──▶ reference ──tokens──▶ model, given them ──▶ divergences ────────┴▶ row

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks/masks"
)

// evaluation is a run under way.
type evaluation struct {
	flags     *evalFlags
	run       string // names what the answers depend on
	model     *looker
	reference *looker   // nil without --against
	mask      eval.Mask // nil without a mask file
}

// evaluate asks the questions that the journal has no answer to, and returns all rows.
func (f *evalFlags) evaluate(cmd *cobra.Command) ([]eval.Record, error) {
	questions, err := eval.ReadQuestions(f.questions, f.images)
	if err != nil {
		return nil, err
	}
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	e := evaluation{flags: f}
	if e.run, err = f.identify(questions, files); err != nil {
		return nil, err
	}
	j := &eval.Journal{}
	if f.perQuestion != "" {
		if j, err = eval.OpenJournal(f.perQuestion, e.run, questions, f.force); err != nil {
			return nil, err
		}
		defer j.Close()
	}
	if left := questions[len(j.Rows):]; len(left) > 0 {
		if n := len(j.Rows); n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: going on after question %d of %d\n", f.perQuestion, n, len(questions))
		}
		defer e.close()
		if err := e.open(cmd.ErrOrStderr(), files); err != nil {
			return nil, err
		}
		if err := e.ask(cmd.Context(), cmd.ErrOrStderr(), left, j); err != nil {
			return nil, err
		}
	}
	return j.Rows, nil
}

// evalFiles are the files of a run; "" where one is not needed.
type evalFiles struct{ text, projector, referenceText, referenceProjector, masks string }

// files finds the files that the flags mean.
func (f *evalFlags) files() (x evalFiles, err error) {
	if f.model == "" {
		return x, usagef("no model: give a text GGUF or its folder with -m")
	}
	if x.text, x.projector, err = findPair(f.model, f.mmproj); err != nil {
		return x, err
	}
	if f.against != "" {
		if x.referenceText, x.referenceProjector, err = findPair(f.against, f.againstMmproj); err != nil {
			return x, err
		}
	}
	if x.masks = f.masks; x.masks == "" {
		x.masks, err = besideMasks(x.text)
	}
	return x, err
}

// identify returns a text that differs for runs that give other rows: of the questions and images, the models, and the flags. A model is known by
// its keys and the beginning of each tensor.
func (f *evalFlags) identify(questions []eval.Question, files evalFiles) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, f.resize, f.maxTokens, f.kv, f.device, f.gpuLayers)
	for _, q := range questions {
		info, err := os.Stat(q.Path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %q %q %d\n", q.Image, q.Prefix, q.Suffix.Texts, info.Size())
	}
	for _, path := range []string{files.text, files.projector, files.referenceText, files.referenceProjector, files.masks} {
		fmt.Fprintln(h, path != "")
		if path == "" {
			continue
		}
		if err := identifyFile(h, path); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%.8x", h.Sum(nil)), nil
}

// open loads the models.
func (e *evaluation) open(stderr io.Writer, files evalFiles) error {
	options, err := e.flags.options()
	if err != nil {
		return err
	}
	warnSlow(stderr)
	resize := imageproc.Resize(e.flags.resize)
	if e.model, err = newLooker(files.text, files.projector, options, e.flags.limits, resize); err != nil {
		return err
	}
	if files.referenceText != "" {
		if e.reference, err = newLooker(files.referenceText, files.referenceProjector, options, e.flags.limits, resize); err != nil {
			return err
		}
	}
	if files.masks != "" {
		decoder, err := masks.Open(files.masks)
		if err != nil {
			return err
		}
		e.mask = eval.NewMask(decoder)
	}
	return nil
}

func (e *evaluation) close() {
	for _, l := range []*looker{e.model, e.reference} {
		if l != nil {
			l.model.Close()
		}
	}
}

// ask asks questions and adds their rows to the journal.
func (e *evaluation) ask(ctx context.Context, stderr io.Writer, questions []eval.Question, j *eval.Journal) error {
	bar := newCountBar(stderr, "eval")
	defer bar.close()
	for i, q := range questions {
		row, err := e.askOne(ctx, q)
		if err == nil {
			err = row.Score(e.mask)
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("%s: line %d: %w", e.flags.questions, q.Line, err)
		}
		if err := j.Add(row); err != nil {
			return err
		}
		bar.set(int64(i+1), int64(len(questions)))
	}
	return nil
}

// askOne asks one question.
func (e *evaluation) askOne(ctx context.Context, q eval.Question) (eval.Record, error) {
	row := eval.Record{Run: e.run, Line: q.Line, Image: q.Image, Prefix: q.Prefix, Suffix: q.Suffix}
	took, err := e.model.look(ctx, q.Path)
	if err != nil {
		return row, err
	}
	if took > 0 {
		row.Timings.Vision, row.Timings.Pictures = ms(took), 1
	}
	request := runner.Request{Images: e.model.images, Prompt: q.Prefix, MaxTokens: e.flags.maxTokens}
	r, err := e.model.Generate(ctx, request, func(runner.Step) error { return nil })
	if err != nil {
		return row, err
	}
	row.SetAnswer(r)
	row.Timings.Prefill, row.Timings.Decode, row.Timings.PrefillTokens = ms(r.Timings.Prefill), ms(r.Timings.Decode), r.Timings.PrefillTokens
	if e.reference != nil {
		row.Against, err = e.compare(ctx, q, request, r.Text)
	}
	return row, err
}

// compare lets the reference answer and the model follow.
func (e *evaluation) compare(ctx context.Context, q eval.Question, request runner.Request, answer string) (*eval.Divergences, error) {
	if _, err := e.reference.look(ctx, q.Path); err != nil {
		return nil, err
	}
	follower := &follower{Decoder: e.reference.Decoder, other: e.model.Decoder, images: request.Images}
	request.Images = e.reference.images
	leader := &runner.Runner{Encoder: e.reference.Encoder, Decoder: follower, Vocabulary: e.reference.Vocabulary}
	r, err := leader.Generate(ctx, request, func(runner.Step) error { return nil })
	if err != nil {
		return nil, err
	}
	a := follower.seen
	a.Answer, a.Equal = r.Text, r.Text == answer
	return &a, nil
}

// looker is a model and the image it looked at last: it is encoded once for the questions about it that follow each other.
type looker struct {
	*runner.Runner
	model  *llamacpp.Model
	limits imageproc.Limits
	resize imageproc.Resize
	path   string
	images []float32
}

func newLooker(text, projector string, o llamacpp.Options, limits imageproc.Limits, resize imageproc.Resize) (*looker, error) {
	m, err := llamacpp.Open(text, projector, o)
	if err != nil {
		return nil, err
	}
	return &looker{Runner: m.Runner(), model: m, limits: limits, resize: resize}, nil
}

// look encodes an image, unless it was the last one. It returns how long that took.
func (l *looker) look(ctx context.Context, path string) (took time.Duration, err error) {
	if path == l.path {
		return 0, nil
	}
	p, err := imageproc.Open(path, l.limits)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	images, err := l.Encode(ctx, []*imageproc.Image{p}, l.resize)
	if err != nil {
		return 0, err
	}
	l.path, l.images = path, images
	return time.Since(start), nil
}

// follower is the reference's decoder with another that is given the same tokens at each step. It takes the divergence of their distributions.
type follower struct {
	runner.Decoder
	other  runner.Decoder
	images []float32 // as the other sees them
	seen   eval.Divergences
}

// Prefill lets both read the prefix.
func (f *follower) Prefill(images []float32, tokens []int32, room int) ([]float32, error) {
	reference, err := f.Decoder.Prefill(images, tokens, room)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Prefill(f.images, tokens, room)
	if err != nil {
		return nil, err
	}
	return reference, f.take(reference, other)
}

// Step gives both the reference's token.
func (f *follower) Step(token int32) ([]float32, error) {
	reference, err := f.Decoder.Step(token)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Step(token)
	if err != nil {
		return nil, err
	}
	return reference, f.take(reference, other)
}

func (f *follower) take(reference, other []float32) error {
	nats, equal, err := eval.Divergence(reference, other)
	f.seen.KL = append(f.seen.KL, nats)
	if equal {
		f.seen.Top++
	}
	return err
}

// Interrupt ends the running calls of both.
func (f *follower) Interrupt() {
	f.Decoder.Interrupt()
	f.other.Interrupt()
}

// Resume undoes Interrupt.
func (f *follower) Resume() {
	f.Decoder.Resume()
	f.other.Resume()
}
