package llamacpp

// This file: our numbers against big_vision's own, on tiny checkpoints (testdata/reference, made by
// scripts/reference/reference.py).

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/runner"
)

const (
	casesFolder = "../../testdata/reference/cases"
	demoFolder  = "../../testdata/demo"
)

// goldenCase is a line of cases.jsonl.
type goldenCase struct {
	Checkpoint   string   `json:"checkpoint"`
	Out          string   `json:"out"`
	Prompt       string   `json:"prompt"`
	Images       []string `json:"images"`
	Resize       string   `json:"resize"`
	MaxAbsLogit  float64  `json:"max_abs_logit"`
	SmallestLead float64  `json:"smallest_lead"`
}

const pixelsNear = 1e-5 // absolute: pixels are -1 to 1

// embeddingsNear gives the bound for image embeddings: the largest difference over the reference's
// largest value. A GPU multiplies 16-bit floats; Vulkan on Mesa's software device came within
// 1.4e-3, and the logits within 8.3e-3.
func embeddingsNear() float64 {
	if testDevice() != "cpu" {
		return 3e-3
	}
	return 1e-4
}

// logitsNear gives the bound for the logits. ggml looks gelu up in a table of 16-bit floats, and
// the default cache holds 16-bit floats; 46 layers gather three times the noise
// (testdata/reference/README.md has what was seen).
func logitsNear(c goldenCase, kv gguf.Type) float64 {
	if testDevice() != "cpu" {
		return 2e-2
	}
	near := 1e-3
	if kv == gguf.F16 {
		near = 5e-3
	}
	if c.Checkpoint == "tiny-28b.npz" {
		near *= 3
	}
	return near
}

func readJSONL[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	if len(all) == 0 || lines.Err() != nil {
		t.Fatalf("%s: %d lines, %v", path, len(all), lines.Err())
	}
	return all
}

// converted makes the pair of files of a checkpoint in a temporary folder.
func converted(t testing.TB, checkpoint, tokenizer string, text, vision gguf.Type) (string, string) {
	t.Helper()
	return convertedAs(t, checkpoint, tokenizer, text.String(), vision.String())
}

// convertedAs does the same with the names of recipes.
func convertedAs(t testing.TB, checkpoint, tokenizer, text, vision string) (string, string) {
	t.Helper()
	textPlan, err := quant.NewPlan(text, false)
	if err != nil {
		t.Fatal(err)
	}
	visionPlan, err := quant.NewPlan(vision, true)
	if err != nil {
		t.Fatal(err)
	}
	src, err := npz.Open(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	vocabulary, err := sentencepiece.Open(tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	r, err := convert.Run(context.Background(), src, vocabulary, convert.Options{
		Name: "test", Text: textPlan, Vision: visionPlan, OutDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.TextPath, r.VisionPath
}

func opened(t testing.TB, text, vision string, threads int, kv gguf.Type) *Model {
	t.Helper()
	m, err := Open(text, vision, Options{Threads: threads, KV: kv.String(), Device: testDevice()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// reference holds the arrays of a golden file.
type reference struct {
	t *testing.T
	a *npz.Archive
}

func openReference(t *testing.T, name string) reference {
	t.Helper()
	a, err := npz.Open(filepath.Join(casesFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return reference{t, a}
}

func (r reference) floats(name string) []float32 {
	r.t.Helper()
	a, ok := r.a.Tensor(name)
	if !ok {
		r.t.Fatalf("the reference has no %s", name)
	}
	v, err := a.Float32s()
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

func (r reference) ints(name string) []int32 {
	r.t.Helper()
	a, ok := r.a.Tensor(name)
	if !ok {
		r.t.Fatalf("the reference has no %s", name)
	}
	v, err := a.Int32s()
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// difference returns the largest difference, and the largest value of want.
func difference(got, want []float32) (most, scale float64) {
	if len(got) != len(want) {
		return math.Inf(1), 1
	}
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if !(d <= most) {
			most = d
		}
		scale = max(scale, math.Abs(float64(want[i])))
	}
	return most, scale
}

// near fails if the largest difference is more than bound times the largest value of want. It shows
// the beginning of both.
func near(t *testing.T, name string, got, want []float32, bound float64) {
	t.Helper()
	d, scale := difference(got, want)
	t.Logf("%-18s %.2e of the largest (bound %.0e)", name, d/scale, bound)
	if !(d <= bound*scale) {
		t.Errorf(
			"%s: %d values, want %d; largest difference %.3e, of the largest value %.3e; bound %.0e\nhave %v\nwant %v",
			name, len(got), len(want), d, d/scale, bound, got[:min(5, len(got))], want[:min(5, len(want))])
	}
}

// pixels reads images of a folder and returns the pixels [3,S,S] of each.
func (m *Model) pixels(t testing.TB, folder string, names []string, resize imageproc.Resize) [][]float32 {
	t.Helper()
	var all [][]float32
	for _, name := range names {
		img, err := imageproc.Open(filepath.Join(folder, name), imageproc.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, imageproc.Preprocess(img, m.Config().ImageSize, resize))
	}
	return all
}

// embeddings runs pixels through the encoder.
func (m *Model) embeddings(t testing.TB, pixels ...[]float32) []float32 {
	t.Helper()
	embeddings, _, err := m.Runner().Encode(context.Background(), pixels...)
	if err != nil {
		t.Fatal(err)
	}
	return embeddings
}

// request encodes the case's images and asks for an answer of at most that many tokens.
func (c goldenCase) request(t testing.TB, m *Model, tokens int) runner.Request {
	t.Helper()
	pixels := m.pixels(t, casesFolder, c.Images, imageproc.Resize(c.Resize))
	return runner.Request{Embeddings: m.embeddings(t, pixels...), Prompt: c.Prompt, MaxTokens: tokens, Trace: true}
}

func TestGoldens(t *testing.T) {
	for _, c := range readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl")) {
		text, vision := converted(t, filepath.Join(casesFolder, c.Checkpoint), filepath.Join(casesFolder,
			"tokenizer.model"), gguf.F32, gguf.F32)
		for _, threads := range []int{1, 2} {
			for _, kv := range []gguf.Type{gguf.F32, gguf.F16} {
				t.Run(fmt.Sprintf("%s/%d/%v", strings.TrimSuffix(c.Out, ".npz"), threads, kv), func(t *testing.T) {
					golden(t, c, opened(t, text, vision, threads, kv), kv)
				})
			}
		}
	}
}

func golden(t *testing.T, c goldenCase, m *Model, kv gguf.Type) {
	want := openReference(t, c.Out)
	tokens := want.ints("tokens")
	q := c.request(t, m, len(tokens))
	r, err := m.Runner().Generate(context.Background(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	pixels := slices.Concat(m.pixels(t, casesFolder, c.Images, imageproc.Resize(c.Resize))...)
	if d, _ := difference(pixels, want.floats("pixels")); d > pixelsNear {
		t.Errorf("pixels: largest difference %.2e, bound %.0e", d, pixelsNear)
	}
	near(t, "image_embeddings", q.Embeddings, want.floats("image_embeddings"), embeddingsNear())
	if prefix := want.ints("prefix_tokens"); !slices.Equal(prefix, r.PrefixTokens) {
		t.Errorf("prefix %v, want %v", r.PrefixTokens, prefix)
	}
	noise := logitsNear(c, kv) * c.MaxAbsLogit
	if !slices.Equal(tokens, r.Tokens) && c.SmallestLead > 2*noise {
		t.Errorf("tokens %v, want %v", r.Tokens, tokens)
	}
	near(t, "logits", forced(t, m, q.Embeddings, r.PrefixTokens, tokens, false), want.floats("logits"),
		logitsNear(c, kv))
}

// forced returns the logits [G,V] before each of the given tokens, whatever the model would choose
// itself.
func forced(t *testing.T, m *Model, embeddings []float32, prefix, tokens []int32, causal bool) []float32 {
	t.Helper()
	logits, err := m.prefill(embeddings, prefix, len(tokens), causal)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(logits)
	for _, token := range tokens[:len(tokens)-1] {
		if logits, err = m.Step(token); err != nil {
			t.Fatal(err)
		}
		all = append(all, logits...)
	}
	return all
}

// A prefix that attends causally, the mistake that other ports made, must be seen by the goldens:
// by far.
func TestCausalPrefixIsSeen(t *testing.T) {
	for _, c := range readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl")) {
		text, vision := converted(t, filepath.Join(casesFolder, c.Checkpoint), filepath.Join(casesFolder,
			"tokenizer.model"), gguf.F32, gguf.F32)
		m := opened(t, text, vision, 2, gguf.F32)
		want := openReference(t, c.Out)
		got := forced(t, m, want.floats("image_embeddings"), want.ints("prefix_tokens"), want.ints("tokens"), true)
		d, scale := difference(got, want.floats("logits"))
		t.Logf("%s: %.2e of the largest", c.Out, d/scale)
		if d < 10*logitsNear(c, gguf.F16)*scale {
			t.Errorf("%s: a causal prefix differs by %.2e of the largest logit only", c.Out, d/scale)
		}
	}
}
