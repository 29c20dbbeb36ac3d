package llamacpp

// This file: answers of the trained demo checkpoint against those of the program that trained it
// (testdata/demo/pictures/answers.jsonl, 32-bit floats).

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
)

// demoRow is a line of answers.jsonl.
type demoRow struct {
	Image  string `json:"image"`
	Prefix string `json:"prefix"`
	Answer string `json:"answer"`
}

// noise is the distance between the two best logits under which 32-bit sums in another order may
// choose the other token.
const noise = 0.05

// demoShare asks every question and returns the shares of equal answers for lossless images and
// for JPEGs, whose decoders differ a little. It fails on a lossless image's answer that differs
// where the two best logits were further apart than slack.
func demoShare(t *testing.T, text, vision gguf.Type, slack float64) (png, jpeg float64) {
	t.Helper()
	textPath, visionPath := converted(t, filepath.Join(demoFolder, "demo.npz"), filepath.Join(demoFolder,
		"tokenizer.model"), text, vision)
	m := opened(t, textPath, visionPath, 1, gguf.F16)
	var equal, all [2]float64
	for _, row := range readJSONL[demoRow](t, filepath.Join(demoFolder, "pictures", "answers.jsonl")) {
		kind := 0
		if strings.HasSuffix(row.Image, ".jpg") {
			kind = 1
		}
		pixels := m.pixels(t, filepath.Join(demoFolder, "pictures"), []string{row.Image}, imageproc.Antialias)
		q := runner.Request{Embeddings: m.embeddings(t, pixels...), Prompt: row.Prefix, MaxTokens: 128, TopLogprobs: 2}
		got, err := m.Runner().Generate(context.Background(), q, nil)
		if err != nil {
			t.Fatal(err)
		}
		all[kind]++
		if got.Text == row.Answer {
			equal[kind]++
			continue
		}
		if lead := leadAtDivergence(got, row.Answer); kind == 0 && lead > slack {
			t.Errorf("%s %q: have %q, want %q; the best logit led by %.3f", row.Image, row.Prefix, got.Text, row.Answer,
				lead)
		}
	}
	return equal[0] / all[0], equal[1] / all[1]
}

// leadAtDivergence returns how far the best logit led at the first step whose text is not the
// wanted answer's.
func leadAtDivergence(r *runner.Result, want string) float64 {
	text := ""
	for _, s := range r.Steps {
		text += s.Text
		if !strings.HasPrefix(want, text) || s.Text == "" {
			return s.Top[0].Logprob - s.Top[1].Logprob
		}
	}
	return 0
}

func TestDemoAnswers(t *testing.T) {
	for _, c := range []struct {
		typ       gguf.Type
		slack     float64
		png, jpeg float64 // floors
	}{
		{gguf.F32, noise, 0.99, 0.95},
		{gguf.F16, noise, 0.99, 0.95},
		{gguf.BF16, 0.5, 0.94, 0.90},
		{gguf.Q8_0, 1e9, 0.89, 0.74},
		{gguf.Q4_0, 1e9, 0.58, 0.42},
	} {
		t.Run(c.typ.String(), func(t *testing.T) {
			png, jpeg := demoShare(t, c.typ, c.typ, c.slack)
			t.Logf("equal answers: %.1f %% of PNG, %.1f %% of JPEG", 100*png, 100*jpeg)
			if png < c.png || jpeg < c.jpeg {
				t.Errorf("equal answers: %.3f of PNG (floor %.2f), %.3f of JPEG (floor %.2f)", png, c.png, jpeg, c.jpeg)
			}
		})
	}
}

// The same request gives the same bytes, whatever ran before.
func TestRepeats(t *testing.T) {
	text, vision := converted(t, filepath.Join(demoFolder, "demo.npz"), filepath.Join(demoFolder, "tokenizer.model"),
		gguf.Q4_0, gguf.Q8_0)
	m := opened(t, text, vision, 2, gguf.F16)
	ask := func(prompt string, image string) *runner.Result {
		pixels := m.pixels(t, filepath.Join(demoFolder, "pictures"), []string{image}, imageproc.Antialias)
		q := runner.Request{Embeddings: m.embeddings(t, pixels...), Prompt: prompt, MaxTokens: 64, Trace: true}
		r, err := m.Runner().Generate(context.Background(), q, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := ask("detect circle ; purple triangle", "000.png")
	for i := range 100 {
		if i%10 == 5 {
			ask("caption en", "008.png") // a shorter one between, in the same context
		}
		again := ask("detect circle ; purple triangle", "000.png")
		for g := range first.Logits {
			if d, _ := difference(again.Logits[g], first.Logits[g]); d != 0 || again.Text != first.Text {
				t.Fatalf("repeat %d: token %d: logits differ by %g; %q, first %q", i, g, d, again.Text, first.Text)
			}
		}
	}
}
