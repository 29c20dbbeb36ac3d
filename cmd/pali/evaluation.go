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

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks/masks"
)

// evaluation is a run under way.
type evaluation struct {
	flags     *evalFlags
	run       string // names what the answers depend on
	model     *evalModel
	reference *evalModel // nil without --against
	mask      eval.Mask  // nil without a mask file
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
	files, err := store.Find(f.model, f.mmproj, f.masks)
	if err != nil {
		return x, err
	}
	x.text, x.projector, x.masks = files.Text, files.Vision, files.Masks
	if f.against != "" {
		reference, err := store.Find(f.against, f.againstMmproj, "")
		if err != nil {
			return x, err
		}
		x.referenceText, x.referenceProjector = reference.Text, reference.Vision
	}
	return x, files.MasksErr
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
		if err := store.Identify(h, path); err != nil {
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
	if e.model, err = openEvalModel(files.text, files.projector, options, e.flags.limits, resize); err != nil {
		return err
	}
	if files.referenceText != "" {
		if e.reference, err = openEvalModel(files.referenceText, files.referenceProjector, options, e.flags.limits, resize); err != nil {
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
	for _, l := range []*evalModel{e.model, e.reference} {
		if l != nil {
			l.files.Close()
		}
	}
}

// ask asks questions and adds their rows to the journal.
func (e *evaluation) ask(ctx context.Context, stderr io.Writer, questions []eval.Question, j *eval.Journal) error {
	bar := progress.Count(stderr, "eval")
	defer bar.Close()
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
		bar.Set(int64(i+1), int64(len(questions)))
	}
	return nil
}

// askOne asks one question.
func (e *evaluation) askOne(ctx context.Context, q eval.Question) (eval.Record, error) {
	row := eval.Record{Run: e.run, Line: q.Line, Image: q.Image, Prefix: q.Prefix, Suffix: q.Suffix}
	embeddings, took, err := e.model.Encode(ctx, q.Path)
	if err != nil {
		return row, err
	}
	if took > 0 {
		row.Timings.Vision, row.Timings.Pictures = progress.Milliseconds(took), 1
	}
	request := runner.Request{Embeddings: embeddings, Prompt: q.Prefix, MaxTokens: e.flags.maxTokens}
	r, err := e.model.Runner.Generate(ctx, request, nil)
	if err != nil {
		return row, err
	}
	row.SetAnswer(r)
	row.Timings.Prefill, row.Timings.Decode, row.Timings.PrefillTokens = progress.Milliseconds(r.Timings.Prefill), progress.Milliseconds(r.Timings.Decode), r.Timings.PrefillTokens
	if e.reference != nil {
		row.Against, err = e.compare(ctx, q, request, r.Text)
	}
	return row, err
}

// compare lets the reference answer and the model follow.
func (e *evaluation) compare(ctx context.Context, q eval.Question, request runner.Request, answer string) (*eval.Divergences, error) {
	embeddings, _, err := e.reference.Encode(ctx, q.Path)
	if err != nil {
		return nil, err
	}
	reference := e.reference.Runner
	forced := &teacherForced{Decoder: reference.Decoder, other: e.model.Runner.Decoder, embeddings: request.Embeddings}
	request.Embeddings = embeddings
	leader := &runner.Runner{Encoder: reference.Encoder, Decoder: forced, Vocabulary: reference.Vocabulary}
	r, err := leader.Generate(ctx, request, nil)
	if err != nil {
		return nil, err
	}
	a := forced.seen
	a.Answer, a.Equal = r.Text, r.Text == answer
	return &a, nil
}

// evalModel is a model with the image that it was last asked about.
type evalModel struct {
	runner.ImageCache
	files *llamacpp.Model
}

func openEvalModel(text, projector string, o llamacpp.Options, limits imageproc.Limits, resize imageproc.Resize) (*evalModel, error) {
	m, err := llamacpp.Open(text, projector, o)
	if err != nil {
		return nil, err
	}
	pixels := pixelReader(limits, m.Config().ImageSize, resize)
	return &evalModel{runner.ImageCache{Runner: m.Runner(), Pixels: pixels}, m}, nil
}

// teacherForced is the reference's decoder with another that is given the same tokens at each step. It
// takes the divergence of their distributions.
type teacherForced struct {
	runner.Decoder
	other      runner.Decoder
	embeddings []float32 // of the other's encoder
	seen       eval.Divergences
}

// Prefill lets both read the prefix.
func (f *teacherForced) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	reference, err := f.Decoder.Prefill(embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Prefill(f.embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	return reference, f.take(reference, other)
}

// Step gives both the reference's token.
func (f *teacherForced) Step(token int32) ([]float32, error) {
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

func (f *teacherForced) take(reference, other []float32) error {
	nats, equal, err := eval.Divergence(reference, other)
	f.seen.KL = append(f.seen.KL, nats)
	if equal {
		f.seen.Top++
	}
	return err
}

// Interrupt ends the running calls of both.
func (f *teacherForced) Interrupt() {
	f.Decoder.Interrupt()
	f.other.Interrupt()
}

// Resume undoes Interrupt.
func (f *teacherForced) Resume() {
	f.Decoder.Resume()
	f.other.Resume()
}
