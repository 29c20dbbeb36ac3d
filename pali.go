package pali

// This file: a model and its methods.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pali-gguf/pali/internal/host"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// ErrClosed is returned by the methods of a closed model.
var ErrClosed = errors.New("pali: the model is closed")

// ErrNoCgo is returned by Open in a program that was built without cgo.
var ErrNoCgo = errors.New("pali: this program was built with CGO_ENABLED=0 and cannot run a model: " +
	"build it with CGO_ENABLED=1 and a C and C++ compiler")

// Model is an open model. It is safe for use by several goroutines: their calls take turns.
type Model struct {
	options Options
	files   store.Files
	backend backend
	slot    chan struct{} // holds a value while no call uses the backend; closed by Close
	masks   func() (*masks.Decoder, error)
}

// backend is what runs a model: package llamacpp, in a build with cgo.
type backend interface {
	Runner() *runner.Runner
	Config() paligemma.VisionConfig
	ContextLength() int
	Progress() int
	OnGPU() bool
	Close()
}

// Open opens a model. path is its text file, the folder that holds it, or the name of a model in
// the user's folder of models, as "pali list" shows it. The files are checked before llama.cpp sees
// them. The caller closes the model with Close.
func Open(path string, o Options) (*Model, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	files, err := store.Find(path, o.Vision, o.Masks)
	if err != nil {
		return nil, err
	}
	if o.Threads < 1 {
		o.Threads = host.Threads()
	}
	m := &Model{options: o, files: files, slot: make(chan struct{}, 1)}
	if m.backend, err = openBackend(files, o); err != nil {
		return nil, err
	}
	m.masks = sync.OnceValues(m.openMasks)
	m.slot <- struct{}{}
	return m, nil
}

// Close waits for the running call and frees the model. It returns nil, and does nothing the second
// time.
func (m *Model) Close() error {
	if _, open := <-m.slot; open {
		close(m.slot)
		m.backend.Close()
	}
	return nil
}

// begin waits until no other call uses the model. The caller calls end when it is done.
func (m *Model) begin(ctx context.Context) (end func(), err error) {
	select {
	case _, open := <-m.slot:
		if !open {
			return nil, ErrClosed
		}
		return func() { m.slot <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Caption describes img in a sentence. lang is the language of the answer as PaliGemma names it,
// one of tasks.Languages: "en", "de", "zh", ...
func (m *Model) Caption(ctx context.Context, img *Image, lang string) (string, error) {
	return m.text(ctx, img)(tasks.Caption(lang))
}

// Describe describes img at length. lang is as for Caption.
func (m *Model) Describe(ctx context.Context, img *Image, lang string) (string, error) {
	return m.text(ctx, img)(tasks.Describe(lang))
}

// Ask answers a question in English about img. For a question in another language, or about
// several images, use Generate with a prompt like "answer de was ist das?".
func (m *Model) Ask(ctx context.Context, img *Image, question string) (string, error) {
	return m.text(ctx, img)(tasks.Ask("en", question))
}

// OCR reads the text in img, line by line.
func (m *Model) OCR(ctx context.Context, img *Image) (string, error) {
	return m.text(ctx, img)(tasks.OCR(), nil)
}

// Detect finds the objects in img with these labels, and returns each with its score and its box in
// pixels of img, in the order of the model's answer; none if there are none. The model can only
// answer with such objects, unless Options.Free is set.
func (m *Model) Detect(ctx context.Context, img *Image, labels ...string) ([]Detection, error) {
	prompt, err := tasks.Detect(labels...)
	if err != nil {
		return nil, InvalidRequestError{Err: err}
	}
	return m.detect(ctx, img, prompt, nil)
}

// Segment is Detect with masks, bitmaps of the size of img. It needs the mask file, in the folder
// of the text file or at Options.Masks. The Mask of an object for which the model gave none is nil.
func (m *Model) Segment(ctx context.Context, img *Image, labels ...string) ([]Detection, error) {
	prompt, err := tasks.Segment(labels...)
	if err != nil {
		return nil, InvalidRequestError{Err: err}
	}
	decoder, err := m.masks()
	if err != nil {
		return nil, err
	}
	return m.detect(ctx, img, prompt, decoder)
}

// Generate answers q token by token. An error comes last, with an empty step. Leaving the loop ends
// the answer. The model is in use until then: another call inside the loop would wait forever.
func (m *Model) Generate(ctx context.Context, q Request) iter.Seq2[Step, error] {
	return runner.Iterate(func(each func(Step) error) error {
		_, err := m.Run(ctx, q, each)
		return err
	})
}

// Run answers q and returns the whole answer with its timings. each, if it is not nil, is called with
// every token as it comes (in a beam search, when the search has ended); an error from it ends the
// answer. When ctx ends, the answer so far is returned with ctx's error.
func (m *Model) Run(ctx context.Context, q Request, each func(Step) error) (*Result, error) {
	if q.MaxTokens == 0 {
		q.MaxTokens = DefaultMaxTokens
	}
	r := runner.Request{
		Prompt: q.Prompt, MaxTokens: q.MaxTokens, Sampling: q.Sampling, Constraint: q.Constraint,
		TopLogprobs: q.TopLogprobs, Trace: q.Trace, Embeddings: q.Embeddings,
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if q.Beams > 1 && q.Beams > m.options.Beams {
		return nil, InvalidRequestError{Err: LimitError{What: "beams", Have: int64(q.Beams),
			Max: int64(m.options.Beams)}}
	}
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var took time.Duration
	if len(r.Embeddings) == 0 {
		if r.Embeddings, took, err = m.encode(ctx, q.Images); err != nil {
			return nil, err
		}
	}
	var out *Result
	if q.Beams > 1 {
		out, err = m.search(ctx, r, q.Beams, each)
	} else {
		out, err = m.backend.Runner().Generate(ctx, r, each)
	}
	if out != nil {
		out.Timings.Vision = took
	}
	return out, err
}

// search is Run's beam search.
func (m *Model) search(ctx context.Context, r runner.Request, beams int, each func(Step) error) (*Result, error) {
	out, err := m.backend.Runner().Search(ctx, r, beams)
	if err != nil || each == nil {
		return out, err
	}
	for _, s := range out.Steps {
		if err := each(s); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Embed returns the image embeddings [n*T,E] of n images, unscaled: what the vision tower and its
// projector give the decoder, T rows of E values for each image. Request.Embeddings takes them.
func (m *Model) Embed(ctx context.Context, images ...*Image) ([]float32, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all, _, err := m.encode(ctx, images)
	return all, err
}

// encode preprocesses and encodes images, one after the other, and returns how long that took.
func (m *Model) encode(ctx context.Context, images []*Image) (all []float32, took time.Duration, err error) {
	if err := m.checkImages(len(images)); err != nil {
		return nil, 0, err
	}
	start := time.Now()
	for _, img := range images {
		if img == nil || img.Width < 1 || img.Height < 1 || len(img.Pix) != 3*img.Width*img.Height {
			return nil, 0, runner.InvalidRequestf("not an image: want Width x Height pixels of 3 bytes")
		}
		one, _, err := m.backend.Runner().Encode(ctx, m.Pixels(img))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, one...)
	}
	return all, time.Since(start), nil
}

// checkImages refuses images that the model cannot hold, before they are encoded.
func (m *Model) checkImages(n int) error {
	each, maxPositions := m.Config().Tokens(), m.ContextLength()
	switch {
	case n == 0:
		return runner.InvalidRequestf("no image: PaliGemma answers about images only")
	case n*each >= maxPositions:
		return runner.InvalidRequestf(
			"%w: each takes %d positions of the %d that this model holds, with the prompt and the answer",
			LimitError{What: "images", Have: int64(n), Max: int64((maxPositions - 1) / each)}, each, maxPositions)
	}
	return nil
}

// text answers a prompt about one image with text.
func (m *Model) text(ctx context.Context, img *Image) func(Prompt, error) (string, error) {
	return func(p Prompt, err error) (string, error) {
		if err != nil {
			return "", InvalidRequestError{Err: err}
		}
		w := tasks.Want{Prompt: p, MaxTokens: m.options.maxTokens()}
		r, err := m.Run(ctx, Request{Images: []*Image{img}, Prompt: p.Text, MaxTokens: w.MaxTokens}, nil)
		if err != nil {
			return "", err
		}
		m.report(tasks.NewResponse(w, r, 0).Lost)
		return r.Text, nil
	}
}

// detect answers a prompt about one image with objects.
func (m *Model) detect(ctx context.Context, img *Image, p Prompt, decoder *masks.Decoder) ([]Detection, error) {
	w := tasks.Want{Prompt: p, MinScore: m.options.MinScore, MaxTokens: m.options.maxTokens(),
		Strict: !m.options.Free, Masks: p.Masks()}
	q := Request{Images: []*Image{img}, Prompt: p.Text, MaxTokens: w.MaxTokens}
	if w.Strict {
		grammar, err := m.Grammar(p, q.MaxTokens)
		if err != nil {
			return nil, err
		}
		q.Constraint = grammar
	}
	r, err := m.Run(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	canvas := tasks.Canvas{Width: img.Width, Height: img.Height, Divisor: tasks.LocDivisor}
	out := tasks.NewResponse(w, r, 0)
	if err := out.AddDetections(r, canvas, w, decoder); err != nil {
		return nil, err
	}
	m.report(out.Lost)
	return out.Objects, nil
}

// report tells Options.Lost what an answer lost.
func (m *Model) report(lost Losses) {
	if m.options.Lost != nil && !lost.IsZero() {
		m.options.Lost(lost)
	}
}

// Grammar returns a constraint under which a model answers p, a prompt of Detect or Segment, with
// well-formed objects only. It serves one Request, whose MaxTokens is maxTokens.
func (m *Model) Grammar(p Prompt, maxTokens int) (runner.Constraint, error) {
	g, err := tasks.NewGrammar(m.backend.Runner().Vocabulary, p.Labels, p.Masks(), maxTokens)
	if err != nil {
		return nil, InvalidRequestError{Err: err}
	}
	return g, nil
}

// openMasks loads the mask decoder.
func (m *Model) openMasks() (*masks.Decoder, error) {
	switch {
	case m.files.MasksErr != nil:
		return nil, m.files.MasksErr
	case m.files.Masks == "":
		return nil,
			fmt.Errorf("pali: %s: no mask file beside it: convert the mask decoder (vae-oid.npz), or use Detect",
				m.files.Text)
	}
	return masks.Open(m.files.Masks)
}

// Pixels returns what the vision tower sees of img: its pixels [3,S,S] from -1 to 1, S being
// Config().ImageSize.
func (m *Model) Pixels(img *Image) []float32 {
	return imageproc.Preprocess(img, m.Config().ImageSize, m.options.resize())
}

// Config returns the sizes of the vision model.
func (m *Model) Config() paligemma.VisionConfig { return m.backend.Config() }

// ContextLength returns the number of positions that the decoder was trained with.
func (m *Model) ContextLength() int { return m.backend.ContextLength() }

// Progress returns a number that grows while the model computes on the processor.
func (m *Model) Progress() int { return m.backend.Progress() }

// OnGPU reports whether the model runs on a GPU, or a part of it does.
func (m *Model) OnGPU() bool { return m.backend.OnGPU() }

// Runner returns the runner that the model's methods use, for programs that drive it token by
// token. It takes no turns: use it from one goroutine, and no other method meanwhile.
func (m *Model) Runner() *runner.Runner { return m.backend.Runner() }
