package llamacpp

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
)

// The answer that a search finds has the probabilities that the model gives it alone, token by
// token, and is at least as probable as the greedy one.
func TestBeamsOnTheModel(t *testing.T) {
	for _, name := range []string{"tiny-gemma", "tiny-gemma2"} {
		text, vision := converted(t, filepath.Join(casesFolder, name+".npz"), filepath.Join(casesFolder,
			"tokenizer.model"), gguf.F32, gguf.F32)
		m, err := Open(text, vision, Options{Threads: 1, KV: "f32", Device: "cpu", Beams: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		c := readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl"))[0]
		q := runner.Request{Prompt: "caption en", MaxTokens: 12}
		q.Embeddings = m.embeddings(t, m.pixels(t, casesFolder, c.Images, imageproc.Antialias)...)
		ctx := context.Background()
		must := func(r *runner.Result, err error) *runner.Result {
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		sum := func(r *runner.Result) (s float64) {
			for _, x := range r.Steps {
				s += x.Logprob
			}
			return s
		}
		last := math.Inf(-1)
		for _, beams := range []int{2, 3, 4} {
			found := must(m.Runner().Search(ctx, q, beams))
			alone := must(m.Runner().Score(ctx, q, found.Tokens))
			for i, s := range found.Steps {
				if d := math.Abs(s.Logprob - alone.Steps[i].Logprob); d > 1e-3 {
					t.Errorf("%s, %d beams, token %d: %.5f, alone %.5f", name, beams, i, s.Logprob,
						alone.Steps[i].Logprob)
				}
			}
			t.Logf("%s, %d beams: %d tokens, %.3f", name, beams, len(found.Tokens), sum(found))
			last = max(last, sum(found))
		}
		if greedy := must(m.Runner().Generate(ctx, q, nil)); greedy.Tokens[len(greedy.Tokens)-1] == 1 &&
			sum(greedy) > last+1e-3 {
			t.Errorf("%s: greedy %.3f, found %.3f", name, sum(greedy), last)
		}
		if err := m.Reorder(make([]int, 5)); err == nil {
			t.Error("more answers than the model was opened for")
		}
	}
}
