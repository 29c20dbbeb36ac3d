package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/eval"
)

// The whole program, on four questions.
func TestQuality(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	f := flags{
		pali: filepath.Join(folder, "pali"), data: filepath.Join(root, "testdata"), work: filepath.Join(folder, "work"),
		out:       folder,
		questions: filepath.Join(folder, "questions.jsonl"), jobs: 2, resume: true,
	}
	if out, err := exec.Command("go", "-C", root, "build", "-o", f.pali, "./cmd/pali").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	all, err := os.ReadFile(filepath.Join(f.data, "quality", "questions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var some strings.Builder
	for _, task := range []string{"answer", "caption", "detect", "segment"} {
		for line := range strings.Lines(string(all)) {
			if strings.Contains(line, `"prefix": "`+task) {
				some.WriteString(line)
				break
			}
		}
	}
	if err := os.WriteFile(f.questions, []byte(some.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "quality.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(types(), "quality-divergence.png", "quality-score.png", "int4",
		"Which for whom", "iq4_nl` / `int8") {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
}

// made makes figures up: each pair loses as much as its place in the list says.
func made(loss func(pair) float64) *results {
	r := &results{byPair: map[pair]figure{}, sizes: map[string]estimated{}}
	for i, p := range pairs() {
		f := figure{pair: p, textBytes: int64(1e6 + 1e5*i), visionBytes: 1e6, noise: 0.25}
		f.Summary = eval.Summary{Questions: 10, Against: &eval.AgainstMeans{KLMean: 0.001 * float64(i), KLP99: 0.1,
			EqualTop: 0.9, Equal: 0.8}}
		for range metrics {
			f.scores = append(f.scores, 90-loss(p))
			f.losses = append(f.losses, loss(p))
		}
		if r.byPair[p] = f; p == (pair{half{Type: reference}, half{Type: reference}}) {
			r.exact = f
		}
	}
	for range metrics {
		r.counts = append(r.counts, 40)
	}
	return r
}

// The page says whether the recommended pairs hold what is asked of them.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		loss float64
		want string
	}{
		{0.4, "within the 0.5 points"},
		{0.6, "more than the 0.5 points"},
		{2.9, "within the 3.0 points"},
		{3.1, "more than the 3.0 points"},
	} {
		t.Run(fmt.Sprint(c.loss), func(t *testing.T) {
			var page bytes.Buffer
			if err := made(func(pair) float64 { return c.loss }).page(&page); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(page.String(), c.want) {
				t.Errorf("a loss of %v: no %q in\n%s", c.loss, c.want, page.String())
			}
		})
	}
}

func TestPlots(t *testing.T) {
	r := made(func(p pair) float64 { return float64(len(p.String())) })
	for _, y := range []axis{divergence, lost} {
		var b bytes.Buffer
		if err := r.draw(&b, y, "svg"); err != nil {
			t.Fatal(err)
		}
		texts := map[string]int{}
		for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := token.(xml.CharData); ok {
				texts[strings.TrimSpace(string(text))]++
			}
		}
		for _, name := range types() {
			if blocks := !slices.Contains([]string{"f32", "f16", "bf16"}, name); blocks && texts[name] != 2 {
				t.Errorf("%s stands %d times in the plot, want twice", name, texts[name])
			}
		}
		b.Reset()
		if err := r.draw(&b, y, "png"); err != nil || b.Len() > 100<<10 {
			t.Errorf("%v: %d bytes", err, b.Len())
		}
		if _, err := png.Decode(&b); err != nil {
			t.Error(err)
		}
	}
}

func TestStandardError(t *testing.T) {
	if have := standardError([]float64{1, -1, 1, -1}); have < 0.577 || have > 0.578 { // sqrt(4/3/4)
		t.Error(have)
	}
	if standardError([]float64{1}) != 0 {
		t.Error("of one value")
	}
}
