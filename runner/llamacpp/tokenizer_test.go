package llamacpp

// This file: llama.cpp's vocabulary against the authors' tokenizer (testdata/reference/tokenizer,
// made by scripts/reference/tokens.py).

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/llama"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/abitest"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// tokenLine is a line of the tokenizer goldens.
type tokenLine struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

// gemmaVocabulary converts a tiny checkpoint with the real 256,000-piece Gemma tokenizer, which the
// Go module carries for its own tests.
func gemmaVocabulary(t testing.TB) (text string) {
	t.Helper()
	const v = 256000 + paligemma.Locations + paligemma.SegmentCodes
	checkpoint := filepath.Join(t.TempDir(), "gemma.npz")
	data, err := tinymodel.Pack(tinymodel.Arrays(tinymodel.Options{Text: paligemma.TextConfig{
		Architecture: paligemma.Gemma, EmbeddingLength: 32, BlockCount: 1, FeedForwardLength: 32, HeadCount: 1,
		HeadCountKV: 1, KeyLength: 32, VocabSize: v,
	}}), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(checkpoint, data, 0o600); err != nil {
		t.Fatal(err)
	}
	text, _ = converted(t, checkpoint, filepath.Join(abitest.Module(t), "tokenizer", "testdata", "gemma2",
		"tokenizer.model"), gguf.F16, gguf.F16)
	return text
}

func TestTokenizer(t *testing.T) {
	demo, _ := converted(t, filepath.Join(demoFolder, "demo.npz"), filepath.Join(demoFolder, "tokenizer.model"),
		gguf.F16, gguf.F16)
	for _, c := range []struct {
		name string
		text string
	}{
		{"demo", demo},
		{"gemma", gemmaVocabulary(t)},
	} {
		t.Run(c.name, func(t *testing.T) {
			llama.Init(ggml.LogCallback())
			m, err := llama.Load(c.text, llama.ModelOptions{VocabOnly: true})
			if err != nil {
				t.Fatal(withLog(err))
			}
			defer m.Close()
			f, err := gguf.Open(c.text)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			config, err := gemma.Check(f)
			if err != nil {
				t.Fatal(err)
			}
			tokenizer := newTokenizer(m, config)
			lines := readJSONL[tokenLine](t, filepath.Join("../../testdata/reference/tokenizer", c.name+".jsonl"))
			different := 0
			for _, l := range lines {
				got, err := tokenizer.Tokenize(l.Text)
				if err != nil {
					t.Errorf("%q: %v", l.Text, err)
				}
				if !slices.Equal(got, l.IDs) {
					different++
					t.Errorf("%q: %v, want %v", l.Text, got, l.IDs)
				}
			}
			t.Logf("%d lines, %d different", len(lines), different)
		})
	}
}

// What the authors' tokenizer makes of a text comes back as that text.
func TestDetokenizer(t *testing.T) {
	f, err := gguf.Open(gemmaVocabulary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pieces, err := gguf.Get[[]string](f, "tokenizer.ggml.tokens")
	if err != nil {
		t.Fatal(err)
	}
	types, err := gguf.Get[[]int32](f, "tokenizer.ggml.token_type")
	if err != nil {
		t.Fatal(err)
	}
	v := runner.NewVocabulary(pieces, types)
	for _, l := range readJSONL[tokenLine](t, "../../testdata/reference/tokenizer/gemma.jsonl") {
		d, got := v.Decoder(), ""
		for _, id := range l.IDs {
			got += d.Add(id)
		}
		got += d.Flush()
		// U+2581 itself is the sign for a space
		if want := string([]rune(l.Text)); got != want && !slices.Contains([]string{"\u2581", "a\u2581b"}, l.Text) {
			t.Errorf("%v: %q, want %q", l.IDs, got, want)
		}
	}
}
