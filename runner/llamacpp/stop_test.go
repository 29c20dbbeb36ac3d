package llamacpp

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
)

// A raised flag ends each call with an error; after Resume the answer is what it was.
func TestInterrupt(t *testing.T) {
	c := readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl"))[0]
	text, vision := converted(t, filepath.Join(casesFolder, c.Checkpoint), filepath.Join(casesFolder,
		"tokenizer.model"), gguf.F32, gguf.F32)
	m := opened(t, text, vision, 1, gguf.F32)
	pixels := m.pixels(t, casesFolder, c.Images, imageproc.Resize(c.Resize))
	q := c.request(t, m, 12)
	ask := func(ctx context.Context, each func(runner.Step) error) (*runner.Result, error) {
		return m.Runner().Generate(ctx, q, each)
	}
	first, err := ask(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}

	m.Interrupt()
	if _, err := m.Encode(pixels[0]); err == nil {
		t.Error("Encode runs on")
	}
	if _, err := m.Prefill(q.Embeddings, first.PrefixTokens, 12); err == nil {
		t.Error("Prefill runs on")
	}
	m.Resume()
	if _, err := m.Prefill(q.Embeddings, first.PrefixTokens, 12); err != nil {
		t.Fatalf("after Resume: %v", err)
	}
	m.Interrupt()
	if _, err := m.Step(first.Tokens[0]); err == nil {
		t.Error("Step runs on")
	}

	ctx, cancel := context.WithCancel(context.Background())
	part, err := ask(ctx, func(s runner.Step) error {
		cancel()
		time.Sleep(time.Millisecond)
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(part.Tokens) >= len(first.Tokens) {
		t.Errorf("cancelled after one token: %d tokens, %v", len(part.Tokens), err)
	}
	again, err := ask(context.Background(), nil)
	if err != nil || !slices.Equal(again.Tokens, first.Tokens) {
		t.Errorf("after all that: %v, %v, first %v", err, again.Tokens, first.Tokens)
	}
}

// Graphs that run in parts, as on a GPU, show progress and give the same answer; what was interrupted
// is an error although the graph reports success.
func TestRunInParts(t *testing.T) {
	c := readJSONL[goldenCase](t, filepath.Join(casesFolder, "cases.jsonl"))[0]
	text, vision := converted(t, filepath.Join(casesFolder, c.Checkpoint), filepath.Join(casesFolder,
		"tokenizer.model"), gguf.F32, gguf.F32)
	m := opened(t, text, vision, 1, gguf.F32)
	q := c.request(t, m, 12)
	whole, err := m.Runner().Generate(t.Context(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = opened(t, text, vision, 1, gguf.F32)
	m.parts = true
	before := m.Progress()
	parts, err := m.Runner().Generate(t.Context(), q, nil)
	if err != nil || !slices.Equal(parts.Tokens, whole.Tokens) || m.Progress() == before {
		t.Errorf("%v: %v, want %v", err, parts.Tokens, whole.Tokens)
	}
	m.Interrupt()
	if err := m.context.Decode(m.step, 1, m.next, 0); err == nil && m.decode(m.step, 1, m.next, 0) == nil {
		t.Error("an interrupted graph is taken for an answer")
	}
	m.Resume()
	again, err := m.Runner().Generate(t.Context(), q, nil)
	if err != nil || !slices.Equal(again.Tokens, whole.Tokens) {
		t.Errorf("after it: %v: %v", err, again.Tokens)
	}
}
