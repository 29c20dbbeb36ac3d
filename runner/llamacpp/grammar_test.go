package llamacpp

// This file: tasks.Grammar on real vocabularies and logits: random weights always answer in form,
// and a good answer stays as it is.

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

func strictAnswer(t *testing.T, m *Model, embeddings []float32, prompt string, strict bool) string {
	t.Helper()
	q := runner.Request{Embeddings: embeddings, Prompt: prompt, MaxTokens: 96}
	if strict {
		p := tasks.Parse(prompt)
		s, err := tasks.NewGrammar(m.Runner().Vocabulary, p.Labels, p.Masks(), q.MaxTokens)
		if err != nil {
			t.Fatal(err)
		}
		q.Constraint = s
	}
	r, err := m.Runner().Generate(context.Background(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Text
}

// wellFormed reports whether every object has the grammar's form and a label that was asked for.
func wellFormed(text, prompt string) (objects int, ok bool) {
	task, things, _ := strings.Cut(prompt, " ")
	boxes, unparsed := tasks.ParseDetections(text)
	for _, b := range boxes {
		if !slices.Contains(strings.Split(things, " ; "), b.Label) || b.Loc[0] > b.Loc[2] || b.Loc[1] > b.Loc[3] ||
			(task == "segment") != (len(b.Seg) == 16) {
			return 0, false
		}
	}
	return len(boxes), len(unparsed) == 0 && strings.Count(text, " ; ") == max(len(boxes)-1, 0)
}

func TestGrammarOnRandomWeights(t *testing.T) {
	for _, name := range []string{"tiny-gemma", "tiny-gemma2"} {
		text, vision := converted(t, filepath.Join(casesFolder, name+".npz"), filepath.Join(casesFolder,
			"tokenizer.model"), gguf.F32, gguf.F32)
		m := opened(t, text, vision, 1, gguf.F16)
		c := readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl"))[0]
		embeddings := m.embeddings(t, m.pixels(t, casesFolder, c.Images, imageproc.Antialias)[0])
		objects := 0
		for i := range 100 {
			prompt := fmt.Sprintf("detect star ; thing %d", i)
			if i%2 == 1 {
				prompt = fmt.Sprintf("segment Ünïcode %d ; a/c (white)", i)
			}
			answer := strictAnswer(t, m, embeddings, prompt, true)
			n, ok := wellFormed(answer, prompt)
			if objects += n; !ok {
				t.Errorf("%s: %s: %q", name, prompt, answer)
			}
		}
		if objects == 0 {
			t.Errorf("%s: no object in 100 answers", name)
		}
		t.Logf("%s: %d objects", name, objects)
	}
}

func TestGrammarKeepsGoodAnswers(t *testing.T) {
	text, vision := converted(t, filepath.Join(demoFolder, "demo.npz"), filepath.Join(demoFolder, "tokenizer.model"),
		gguf.F32, gguf.F32)
	m := opened(t, text, vision, 1, gguf.F16)
	compared := 0
	for _, q := range readJSONL[demoRow](t, filepath.Join(demoFolder, "pictures", "answers.jsonl")) {
		if !strings.HasPrefix(q.Prefix, "detect ") && !strings.HasPrefix(q.Prefix, "segment ") {
			continue
		}
		if _, ok := wellFormed(q.Answer, q.Prefix); !ok {
			continue
		}
		compared++
		embeddings := m.embeddings(t, m.pixels(t, filepath.Join(demoFolder, "pictures"), []string{q.Image},
			imageproc.Antialias)...)
		free, strict := strictAnswer(t, m, embeddings, q.Prefix, false), strictAnswer(t, m, embeddings, q.Prefix, true)
		if free != strict {
			t.Errorf("%s, %s: %q, strict %q", q.Image, q.Prefix, free, strict)
		}
	}
	if compared < 20 {
		t.Errorf("%d answers compared", compared)
	}
}
