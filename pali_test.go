//go:build cgo

package pali_test

import (
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tasks"
)

// The methods answer as "pali run" does (testdata/demo/pictures/answers.jsonl).
func TestMethods(t *testing.T) {
	m, img := open()
	defer m.Close()
	ctx := t.Context()
	for _, c := range []struct {
		name string
		ask  func() (string, error)
		want string
	}{
		{"caption", func() (string, error) { return m.Caption(ctx, img, "fr") },
			"cercle jaune et triangle violet sur fond blanc"},
		{"ask", func() (string, error) { return m.Ask(ctx, img, "how many triangles are there?") }, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have, err := c.ask(); err != nil || have != c.want {
				t.Errorf("have %q, %v, want %q", have, err, c.want)
			}
		})
	}
	if text, err := m.Describe(ctx, img, "en"); err != nil || text == "" {
		t.Errorf("describe: %q, %v", text, err)
	}
	if _, err := m.OCR(ctx, img); err != nil {
		t.Errorf("ocr: %v", err)
	}
}

// Requests and images that cannot be answered are typed errors, and the model still answers
// others.
func TestRefused(t *testing.T) {
	m, img := open()
	defer m.Close()
	ctx := t.Context()
	run := func(q pali.Request) func() error {
		return func() error { _, err := m.Run(ctx, q, nil); return err }
	}
	images := slices.Repeat([]*pali.Image{img}, 1000)
	for _, c := range []struct {
		name  string
		ask   func() error
		limit bool // the error is a LimitError too
	}{
		{"language", func() error { _, err := m.Caption(ctx, img, "tlh"); return err }, false},
		{"no question", func() error { _, err := m.Ask(ctx, img, " "); return err }, false},
		{"no label", func() error { _, err := m.Detect(ctx, img); return err }, false},
		{"no label of a mask", func() error { _, err := m.Segment(ctx, img, ";"); return err }, false},
		{"nil image", func() error { _, err := m.Caption(ctx, nil, "en"); return err }, false},
		{"no pixels", func() error { _, err := m.Detect(ctx, &pali.Image{Width: 9, Height: 9}, "cat"); return err },
			false},
		{"three beams", run(pali.Request{Prompt: "ocr", Images: images[:1], Beams: 3}), true},
		{"200 beams", func() error { _, err := pali.Open(models, pali.Options{Beams: 200}); return err }, false},
		{"less than no context", func() error { _, err := pali.Open(models, pali.Options{MaxContext: -1}); return err },
			false},
		{"no image", run(pali.Request{Prompt: "ocr"}), false},
		{"half an embedding", run(pali.Request{Prompt: "ocr", Embeddings: make([]float32, 7)}), false},
		{"negative length", run(pali.Request{Prompt: "ocr", Images: images[:1], MaxTokens: -1}), false},
		{"temperature", run(pali.Request{Prompt: "ocr", Images: images[:1],
			Sampling: pali.Sampling{Temperature: math.NaN()}}), false},
		{"1000 images", run(pali.Request{Prompt: "ocr", Images: images}), true},
		{"long prompt", run(pali.Request{Prompt: string(make([]byte, 9000)), Images: images[:1]}), true},
		{"options", func() error { _, err := pali.Open(models, pali.Options{MinScore: 2}); return err }, false},
		{"resize", func() error { _, err := pali.Open(models, pali.Options{Resize: "nearest"}); return err }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.ask()
			if !errors.As(err, new(pali.InvalidRequestError)) {
				t.Errorf("%v: is not an InvalidRequestError", err)
			}
			if errors.As(err, new(pali.LimitError)) != c.limit {
				t.Errorf("%v: a LimitError: want %v", err, c.limit)
			}
		})
	}
	if _, err := pali.DecodeImage(make([]byte, 21<<20)); !errors.As(err, new(pali.LimitError)) {
		t.Errorf("a file of 21 MiB: %v", err)
	}
	if text, err := m.Caption(ctx, img, "de"); err != nil || text != "Kreis in gelb und Dreieck in lila auf Weiß" {
		t.Errorf("afterwards: %q, %v", text, err)
	}
}

// TestForm checks that objects have the labels asked for unless the answer is free, and that what
// answers lost is told.
func TestForm(t *testing.T) {
	for _, c := range []struct {
		name    string
		options pali.Options
		label   string // of the one object; "": there is none
		lost    string
	}{
		{"by default", pali.Options{}, "circle triangle", ""},
		{"free", pali.Options{Free: true}, "yellow circle",
			"1 object has a label that nobody asked for: yellow circle"},
		{"score", pali.Options{Free: true, MinScore: 0.9}, "", "1 object is left out: it scores less than MinScore"},
		{"cut off", pali.Options{Free: true, MaxTokens: 3}, "",
			"1 answer was cut off at the limit of tokens (MaxTokens)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lost []string
			c.options.Lost = func(l pali.Losses) {
				lost = l.Sentences(tasks.OptionNames{MinScore: "MinScore", MaxTokens: "MaxTokens"})
			}
			m, err := pali.Open(models, c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			img, err := pali.OpenImage(photo)
			if err != nil {
				t.Fatal(err)
			}
			found, err := m.Segment(t.Context(), img, "circle triangle")
			if err != nil || (len(found) == 1) != (c.label != "") || len(found) == 1 && found[0].Label != c.label {
				t.Errorf("%v: %+v", err, found)
			}
			if len(lost) > 0 != (c.lost != "") || len(lost) > 0 && lost[0] != c.lost {
				t.Errorf("lost: %q", lost)
			}
		})
	}
	m, err := pali.Open(models, pali.Options{MaxTokens: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	img, err := pali.OpenImage(photo)
	if err != nil {
		t.Fatal(err)
	}
	var few tasks.TokensError
	if _, err := m.Segment(t.Context(), img, "cat"); !errors.As(err, &few) || few.Have != 8 ||
		!errors.As(err, new(pali.InvalidRequestError)) {
		t.Errorf("8 tokens: %v", err)
	}
	if text, err := m.Caption(t.Context(), img, "en"); err != nil || text == "" {
		t.Errorf("a caption of 8 tokens: %q, %v", text, err)
	}
}

// The zero values of the options below the library work or are refused, as the library's own do.
func TestZeroOptions(t *testing.T) {
	img, err := pali.OpenImage(photo)
	if err != nil {
		t.Fatal(err)
	}
	side := 28
	if !slices.Equal(imageproc.Preprocess(img, side, ""), imageproc.Preprocess(img, side, imageproc.Antialias)) {
		t.Error("the zero Resize is not Antialias")
	}
	if _, err := imageproc.Open(photo, imageproc.Limits{}); !errors.As(err, new(pali.LimitError)) {
		t.Errorf("zero limits of an image: %v", err)
	}
	src, err := npz.Open("testdata/demo/demo.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, o := range []convert.Options{{}, {Name: "a"}} {
		if _, err := convert.Run(t.Context(), src, &sentencepiece.Model{}, o); err == nil {
			t.Errorf("%+v: converted", o)
		}
	}
}

// An image of the standard library has the pixels of the file that it was decoded from.
func TestFromImage(t *testing.T) {
	f, err := os.Open(photo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decoded, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pali.OpenImage(photo)
	if have := pali.FromImage(decoded); err != nil || have.Width != want.Width || !slices.Equal(have.Pix, want.Pix) {
		t.Errorf("%v: %d x %d, other pixels than those of %d x %d", err, have.Width, have.Height, want.Width,
			want.Height)
	}
}

// Several goroutines take turns; one whose context ends stops waiting.
func TestTurns(t *testing.T) {
	m, img := open()
	defer m.Close()
	want := map[string]string{
		"en": "a yellow circle and a purple triangle on a white background",
		"fr": "cercle jaune et triangle violet sur fond blanc",
		"de": "Kreis in gelb und Dreieck in lila auf Weiß",
	}
	var all sync.WaitGroup
	for lang, text := range want {
		all.Go(func() {
			if have, err := m.Caption(t.Context(), img, lang); err != nil || have != text {
				t.Errorf("%s: %q, %v", lang, have, err)
			}
		})
	}
	all.Wait()
	for range m.Generate(t.Context(), pali.Request{Images: []*pali.Image{img}, Prompt: "caption en"}) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := m.Caption(ctx, img, "en"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another is answered: %v", err)
		}
		cancel()
		break
	}
	if have, err := m.Caption(t.Context(), img, "en"); err != nil || have != want["en"] {
		t.Errorf("after a loop that was left: %q, %v", have, err)
	}
}

// A cancelled context ends an answer, and a closed model answers no more.
func TestClose(t *testing.T) {
	m, img := open()
	ctx, cancel := context.WithCancel(t.Context())
	q := pali.Request{Images: []*pali.Image{img}, Prompt: "caption en"}
	r, err := m.Run(ctx, q, func(pali.Step) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || r == nil || len(r.Tokens) != 1 {
		t.Errorf("cancelled: %+v, %v", r, err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Caption(t.Context(), img, "en"); !errors.Is(err, pali.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	for _, err := range m.Generate(t.Context(), q) {
		if !errors.Is(err, pali.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

// Embeddings of an image can be asked about as the image itself, and have the sizes that they
// should.
func TestEmbed(t *testing.T) {
	m, img := open()
	defer m.Close()
	embeddings, err := m.Embed(t.Context(), img, img)
	if c := m.Config(); err != nil || len(embeddings) != 2*c.Tokens()*c.ProjectionDim {
		t.Fatalf("%d values, %v", len(embeddings), err)
	}
	q := pali.Request{Embeddings: embeddings[:len(embeddings)/2], Prompt: "caption en"}
	r, err := m.Run(t.Context(), q, nil)
	if err != nil || r.Text != "a yellow circle and a purple triangle on a white background" {
		t.Errorf("%+v, %v", r, err)
	}
	if r.Tokens[len(r.Tokens)-1] != paligemma.EOS {
		t.Errorf("tokens %v", r.Tokens)
	}
}
