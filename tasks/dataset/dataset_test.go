package dataset_test

// This file: helpers of the other tests: images of many names, a model that answers by the image's
// contents, and a run of all steps.

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// names are those of the images: the same name in several folders, names that differ only in the
// extension, and unusual characters.
var names = []string{"a.png", "one/a.png", "two/a.png", "two/a.PNG", "with blanks.png", "🐱 猫.png", "line\nbreak.png",
	"comma, \"quote\" & <tag>.png", "no ending", ".hidden", "c.tar.png"}

// writeImage writes an image of width x height to path; its pixels depend on seed.
func writeImage(t testing.TB, path string, width, height int, seed uint64) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	m.SetGray(0, 0, color.Gray{Y: uint8(seed)})
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

// writeImages writes an image to folder for each of names.
func writeImages(t testing.TB, folder string) (all []dataset.Source) {
	t.Helper()
	for i, name := range names {
		path := filepath.Join(folder, filepath.FromSlash(name))
		writeImage(t, path, 10+7*i, 90-6*i, uint64(i))
		all = append(all, dataset.Source{Name: name, Path: path})
	}
	return all
}

// maskFile writes the demo's mask file to folder and returns its path.
func maskFile(t testing.TB, folder string) string {
	t.Helper()
	src, err := npz.Open("../../testdata/demo/masks.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	path, err := convert.Masks(src, convert.MaskOptions{Name: "demo", Type: gguf.F32, OutDir: folder})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// decoder returns the demo's mask decoder.
func decoder(t testing.TB) *masks.Decoder {
	t.Helper()
	d, err := masks.Open(maskFile(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// prompts are asked about each image.
var prompts = []string{"detect cat ; person's hat", "segment A/C unit (white)", "caption en"}

// parsed returns prompts, parsed.
func parsed() (all []tasks.Prompt) {
	for _, text := range prompts {
		all = append(all, tasks.Parse(text))
	}
	return all
}

// answers returns answers that depend on the image's digest: with no objects, with several, with
// parts that are not objects, without labels.
func answers(digest dataset.Digest) (all []dataset.Answer) {
	r := rand.New(rand.NewPCG(uint64(digest[0])<<8|uint64(digest[1]), 1))
	box := func() string {
		y, x := r.IntN(600), r.IntN(600)
		return tokens("loc", 4, y, x, y+r.IntN(400), x+r.IntN(400))
	}
	var cats []string
	for range r.IntN(4) {
		cats = append(cats, box()+" "+[]string{"cat", "person's hat", "猫", ""}[r.IntN(4)])
	}
	var codes []int
	for range masks.PerMask {
		codes = append(codes, r.IntN(masks.Codes))
	}
	segment := box() + tokens("seg", 3, codes...)
	return answersOf([]string{strings.Join(append(cats, "nothing else"), " ; "), segment,
		"an image, of \"things\"\nin two lines"}, r)
}

// answersOf returns answers with these texts to prompts, with scores from r.
func answersOf(texts []string, r *rand.Rand) (all []dataset.Answer) {
	for i, text := range texts {
		out := &runner.Result{Text: text}
		for _, token := range strings.SplitAfter(text, ">") {
			out.Steps = append(out.Steps, runner.Step{Text: token, Logprob: -r.Float64(), BinProb: r.Float64()})
		}
		all = append(all, dataset.NewAnswer(prompts[i], out))
	}
	return all
}

// tokens returns numbers as location or segmentation tokens.
func tokens(name string, digits int, numbers ...int) (text string) {
	for _, n := range numbers {
		text += fmt.Sprintf("<%s%0*d>", name, digits, n)
	}
	return text
}

// labelling is a run: what differs between the tests.
type labelling struct {
	out      string
	formats  []string
	sources  []dataset.Source
	decoder  *masks.Decoder
	fs       atomicfile.FS
	minScore float64
	name     string               // of the run
	again    bool                 // files of another run may be there
	texts    []string             // the answers; nil: they depend on the image
	n        int                  // images that the model was asked about
	asked    func(n int) error    // called with n
	onError  func(dataset.Source) // called with bad images
	outcome  *dataset.Outcome
}

// Answer is the model of the tests: its answers depend on the digest of p.
func (l *labelling) Answer(_ context.Context, p dataset.Prepared) ([]dataset.Answer, error) {
	if len(p.Pixels) != 3*side*side {
		return nil, fmt.Errorf("%d pixel values", len(p.Pixels))
	}
	l.n++
	if l.asked != nil {
		if err := l.asked(l.n); err != nil {
			return nil, err
		}
	}
	if l.texts != nil {
		return answersOf(l.texts, rand.New(rand.NewPCG(1, 1))), nil
	}
	return answers(p.Digest), nil
}

// side is that of the input of the model of the tests, in pixels.
const side = 2

// run labels and exports.
func (l *labelling) run() (*dataset.Summary, error) {
	x := dataset.Export{
		Out: l.out, Formats: l.formats, Prompts: parsed(), MinScore: l.minScore, Divisor: tasks.LocDivisor,
		Decoder: l.decoder, Limits: imageproc.DefaultLimits, FS: l.fs, Lookahead: 3, Progress: func(int64, int64) {},
	}
	path := filepath.Join(l.out, dataset.JournalName)
	_, missing := os.Stat(path)
	if err := x.Check(l.sources, missing != nil && !l.again); err != nil {
		return nil, err
	}
	j, err := dataset.OpenJournal(path, "run "+l.name, journal.Options{FS: l.fs})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	l.n = 0
	labeller := dataset.Labeller{
		Journal: j, Limits: imageproc.DefaultLimits, Side: side, Resize: imageproc.Antialias, Lookahead: 3,
		Open: func() (dataset.Model, error) { return l, nil },
		OnError: func(b dataset.BadImage) {
			if l.onError != nil {
				l.onError(b.Source)
			}
		},
		Progress: func(int64, int64) {},
	}
	if l.outcome, err = labeller.Run(context.Background(), l.sources); err != nil {
		return nil, err
	}
	x.Journal = j
	return x.Run(context.Background(), l.sources, l.outcome.Digests)
}
