package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/tensor"
)

func quiet(int64, int64) {}

// made writes a tiny checkpoint.
func made(t *testing.T, o tinymodel.Options, d tensor.DType, seed uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.npz")
	if err := write(t.Context(), path, tinymodel.Forms(o), d, seed, false, quiet); err != nil {
		t.Fatal(err)
	}
	return path
}

// Both architectures, in every stored type, are what pali convert takes for a checkpoint.
func TestConverts(t *testing.T) {
	vocab, err := sentencepiece.Parse(tinymodel.Tokenizer())
	if err != nil {
		t.Fatal(err)
	}
	f16, err := quant.NewPlan("f16", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, architecture := range []string{paligemma.Gemma, paligemma.Gemma2} {
		for name, d := range dtypes {
			a, err := npz.Open(made(t, tinymodel.Options{Architecture: architecture}, d, 1))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			_, err = convert.Run(t.Context(), a, vocab, convert.Options{Name: "tiny", Text: f16, Vision: f16,
				OutDir: t.TempDir()})
			if err != nil {
				t.Errorf("%s %s: %v", architecture, name, err)
			}
		}
	}
}

// Every weight has the spread of its fan-in, every other array its own, and none is constant.
func TestValues(t *testing.T) {
	path := made(t, tinymodel.Options{Architecture: paligemma.Gemma2}, tensor.F32, 1)
	a, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	means := map[string]float64{"scale": 0, "LayerNorm_0/scale": 1, "LayerNorm_1/scale": 1, "encoder_norm/scale": 1}
	for _, x := range a.Tensors() {
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		mean, want := 0.0, 0.1
		for suffix, m := range means {
			if strings.HasSuffix(x.Name, suffix) {
				mean = max(mean, m)
			}
		}
		if !strings.HasSuffix(x.Name, "bias") && !strings.HasSuffix(x.Name, "scale") {
			want = math.Pow(fans[strings.TrimPrefix(x.Name, "params/")], -0.5)
		}
		sum, squares := 0.0, 0.0
		for _, e := range v {
			sum += float64(e)
			squares += (float64(e) - mean) * (float64(e) - mean)
		}
		n := float64(len(v))
		if have := math.Sqrt(squares / n); !(math.Abs(have/want-1) < 4/math.Sqrt(2*n)) ||
			!(math.Abs(sum/n-mean) < 5*want/math.Sqrt(n)) {
			t.Errorf("%s: mean %.3g deviation %.3g, want %g and %.3g", x.Name, sum/n, have, mean, want)
		}
	}
}

// fans are the numbers of inputs at tinymodel's sizes for Gemma 2: patch 14, width 64, hidden 172;
// D 96, H 32, N 8, F 160.
var fans = map[string]float64{
	"img/embedding/kernel": 588, "img/pos_embedding": 64, "img/head/kernel": 64,
	"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/out/kernel":   64,
	"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/kernel": 64,
	"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/key/kernel":   64,
	"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/value/kernel": 64,
	"img/Transformer/encoderblock/MlpBlock_0/Dense_0/kernel":                   64,
	"img/Transformer/encoderblock/MlpBlock_0/Dense_1/kernel":                   172,
	"llm/embedder/input_embedding":                                             96,
	"llm/layers/attn/q_einsum/w":                                               96,
	"llm/layers/attn/kv_einsum/w":                                              96,
	"llm/layers/attn/attn_vec_einsum/w":                                        256,
	"llm/layers/mlp/gating_einsum":                                             96,
	"llm/layers/mlp/linear":                                                    160,
}

// The same seed gives the same file, another seed another one of the same size.
func TestSeed(t *testing.T) {
	var files [3][]byte
	for i, seed := range []uint64{1, 1, 2} {
		data, err := os.ReadFile(made(t, tinymodel.Options{}, tensor.BF16, seed))
		if err != nil {
			t.Fatal(err)
		}
		files[i] = data
	}
	if !bytes.Equal(files[0], files[1]) || bytes.Equal(files[0], files[2]) || len(files[0]) != len(files[2]) {
		t.Error("want the first two files equal, and the third different and as long")
	}
}

// An array longer than the block continues with the block's start, at whatever boundary the reads
// fall, and rows do not repeat.
func TestLongArray(t *testing.T) {
	f := tinymodel.Form{Name: "llm/embedder/input_embedding", Shape: []int{1200, 2048}}
	v := newValues(f, tensor.F32, 1)
	if len(v.block) != 4*blockLength {
		t.Fatalf("block of %d bytes, want %d", len(v.block), 4*blockLength)
	}
	whole, pieces := make([]byte, 4*1200*2048), make([]byte, 4*1200*2048)
	v.fill(whole)
	w := newValues(f, tensor.F32, 1)
	for at := 0; at < len(pieces); {
		at += w.fill(pieces[at:min(at+32<<10+3, len(pieces))])
	}
	if !bytes.Equal(whole, pieces) {
		t.Error("the bytes depend on how they are read")
	}
	rows := map[string]bool{}
	for row := range slices.Chunk(whole, 4*2048) {
		rows[string(row)] = true
	}
	if len(rows) != 1200 {
		t.Errorf("%d different rows, want 1200", len(rows))
	}
}

// Nothing is left of a file that was not finished, and a file that is there stays.
func TestNotFinished(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npz")
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}
	if err := write(ctx, path, tinymodel.Forms(tinymodel.Options{}), tensor.F32, 1, false, stop); !errors.Is(err,
		context.Canceled) {
		t.Errorf("have %v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v (%v)", left, err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	forms := tinymodel.Forms(tinymodel.Options{})
	if err := write(t.Context(), path, forms, tensor.F32, 1, false, quiet); err == nil || !strings.Contains(err.Error(),
		"exists") {
		t.Errorf("have %v, want that it exists", err)
	}
	if err := write(t.Context(), path, forms, tensor.F32, 1, true, quiet); err != nil {
		t.Errorf("with force: %v", err)
	}
}

func TestWrongCalls(t *testing.T) {
	for _, args := range [][]string{{"--variant", "4b"}, {"--dtype", "f64"}, {"--image", "225"}, {"more"},
		{"--nothing"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// The tokenizer that goes with it has the number of pieces that the published sizes have.
func TestCopyTokenizer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.model")
	if err := copyTokenizer(path); err != nil {
		t.Fatal(err)
	}
	m, err := sentencepiece.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := paligemma.Variants[0].Text.VocabSize - paligemma.Locations - paligemma.SegmentCodes; len(
		m.Pieces) != want {
		t.Errorf("%d pieces, want %d", len(m.Pieces), want)
	}
}
