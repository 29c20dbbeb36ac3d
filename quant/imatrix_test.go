package quant

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
)

// seen makes sums of some matrices, as a question gives them.
func seen(r *rand.Rand) []ggml.SumSquares {
	var out []ggml.SumSquares
	for _, m := range []struct {
		name string
		cols int
	}{{"v.blk.0.ffn_down.weight", 80}, {"blk.1.attn_q.weight", 64}, {"blk.0.attn_q.weight", 64},
		{"token_embd.weight", 64}} {
		s := ggml.SumSquares{Name: m.name, Rows: 1 + r.Int64N(300), Sums: make([]float64, m.cols)}
		for i := range s.Sums {
			s.Sums[i] = r.ExpFloat64() * 1000
		}
		out = append(out, s)
	}
	return out
}

// calibrated makes an importance matrix of the given number of questions.
func calibrated(t testing.TB, seed uint64, questions int) *Imatrix {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	m := &Imatrix{Datasets: []string{"questions.jsonl"}, Chunks: questions}
	for range questions {
		if err := m.Add(seen(r)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func packed(t testing.TB, m *Imatrix, typ gguf.Type, more ...gguf.KV) []byte {
	t.Helper()
	b, err := m.Bytes(typ, more...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpacked(b []byte) (*Imatrix, error) {
	f, err := gguf.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return ReadImatrix(f)
}

// In 64-bit floats what was written is what is read; in 32-bit floats it is the nearest.
func TestImatrixRoundTrip(t *testing.T) {
	m := calibrated(t, 1, 7)
	b := packed(t, m, gguf.F64, gguf.KV{Key: "pali.imatrix.run", Value: "x"})
	back, err := unpacked(b)
	if d := cmp.Diff(m, back); d != "" || err != nil {
		t.Errorf("F64: %v (-want +have)\n%s", err, d)
	}
	if again := packed(t, back, gguf.F64, gguf.KV{Key: "pali.imatrix.run", Value: "x"}); !bytes.Equal(b, again) {
		t.Error("F64: other bytes the second time")
	}
	for _, s := range m.Squares {
		for i, v := range s.Sums {
			s.Sums[i] = float64(float32(v))
		}
	}
	if back, err = unpacked(packed(t, m, gguf.F32)); err != nil || cmp.Diff(m, back) != "" {
		t.Errorf("F32: %v (-want +have)\n%s", err, cmp.Diff(m, back))
	}
	if _, err := (&Imatrix{}).Bytes(gguf.F32); err == nil {
		t.Error("an empty one is written")
	}
	m.Squares[0].Sums[3] = 1e39
	if _, err := m.Bytes(gguf.F32); err == nil || !strings.Contains(err.Error(), m.Squares[0].Name) {
		t.Errorf("1e39: %v", err)
	}
}

// Two runs added up are one run over both: sums, counts, questions, and positions in one.
func TestImatrixMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	whole, parts := &Imatrix{Datasets: []string{"a", "b"}, Chunks: 8}, []*Imatrix{{Datasets: []string{"a"}, Chunks: 5},
		{Datasets: []string{"b"}, Chunks: 3}}
	for i := range whole.Chunks {
		s := seen(r)
		for _, m := range s {
			for j, v := range m.Sums {
				m.Sums[j] = math.Round(v) // whole numbers add up to the same in any order
			}
		}
		part := parts[i/5]
		if err := errors.Join(whole.Add(s), part.Add(s)); err != nil {
			t.Fatal(err)
		}
	}
	var merged Imatrix
	for _, p := range parts {
		back, err := unpacked(packed(t, p, gguf.F32))
		if err != nil {
			t.Fatal(err)
		}
		if err := merged.Merge(back); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(packed(t, whole, gguf.F32), packed(t, &merged, gguf.F32)) {
		t.Errorf("(-whole +merged)\n%s", cmp.Diff(whole, &merged))
	}
	other := &Imatrix{Squares: []ggml.SumSquares{{Name: "blk.0.attn_q.weight", Rows: 1, Sums: make([]float64, 65)}}}
	if err := merged.Merge(other); err == nil || !strings.Contains(err.Error(),
		"blk.0.attn_q.weight: 65 columns, and 64") {
		t.Errorf("another width: %v", err)
	}
}

// A file of another program, in llama.cpp's layout.
func TestImatrixOfAnotherWriter(t *testing.T) {
	m, err := OpenImatrix("testdata/imatrix.gguf")
	if err != nil {
		t.Fatal(err)
	}
	want := &Imatrix{Name: "imatrix.gguf", Datasets: []string{"wiki.train.raw"}, Chunks: 3, Squares: []ggml.SumSquares{
		{Name: "blk.0.attn_q.weight", Rows: 1536, Sums: []float64{1536, 0, 768, 3072}},
		{Name: "blk.0.ffn_down.weight", Rows: 1536, Sums: []float64{1.5, 2.5, float64(float32(1e-3)), 7e9, 0, 0, 3, 4}},
	}}
	if d := cmp.Diff(want, m); d != "" {
		t.Errorf("(-want +have)\n%s", d)
	}
	if have, want := m.chunkSize(), int64(512); have != want {
		t.Errorf("%d positions in a chunk, want %d", have, want)
	}
}

// imatrixFile lays out a file with these keys and tensors of 32-bit floats, all of one value.
func imatrixFile(t testing.TB, value float32, kvs []gguf.KV, tensors ...gguf.Tensor) []byte {
	t.Helper()
	l, err := gguf.NewLayout(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, l.Size)
	copy(b, l.Header)
	for _, x := range l.Tensors {
		bits := math.Float32bits(value)
		for at := x.Offset; x.Type == gguf.F32 && at < x.Offset+x.Bytes(); at += 4 {
			copy(b[at:], []byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
		}
	}
	return b
}

func TestImatrixRefuses(t *testing.T) {
	kind := gguf.KV{Key: keyType, Value: typeImatrix}
	sums := gguf.Tensor{Name: "w.in_sum2", Shape: []int{4}}
	counts := gguf.Tensor{Name: "w.counts", Shape: []int{1}}
	with := func(t gguf.Tensor, typ gguf.Type, shape ...int) gguf.Tensor { t.Type, t.Shape = typ, shape; return t }
	one := []gguf.KV{kind}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"text", []byte("no GGUF file, but a text"), "not a GGUF file"},
		{"another kind", imatrixFile(t, 1, []gguf.KV{{Key: keyType, Value: "model"}}, sums, counts),
			"not an importance matrix"},
		{"no kind", imatrixFile(t, 1, nil, sums, counts), "not an importance matrix"},
		{"kind of a number", imatrixFile(t, 1, []gguf.KV{{Key: keyType, Value: uint32(1)}}, sums, counts),
			"not an importance matrix"},
		{"datasets", imatrixFile(t, 1, append(one, gguf.KV{Key: keyDatasets, Value: "x"}), sums, counts),
			"datasets: have string"},
		{"chunks", imatrixFile(t, 1, append(one, gguf.KV{Key: keyChunkCount, Value: int32(1)}), sums, counts),
			"chunk_count: have int32"},
		{"nothing", imatrixFile(t, 1, one), "no sums"},
		{"other tensors", imatrixFile(t, 1, one, gguf.Tensor{Name: "w", Shape: []int{4}}), "no sums"},
		{"no counts", imatrixFile(t, 1, one, sums), "w.in_sum2 without w.counts"},
		{"no sums", imatrixFile(t, 1, one, counts), "w.counts without w.in_sum2"},
		{"two counts", imatrixFile(t, 1, one, sums, with(counts, gguf.F32, 2)), "2 counts"},
		{"half a count", imatrixFile(t, 0.5, one, sums, counts), "not a count"},
		{"too large a count", imatrixFile(t, 1e17, one, sums, counts), "not a count"},
		{"negative", imatrixFile(t, -1, one, sums, counts), "is -1"},
		{"NaN", imatrixFile(t, float32(math.NaN()), one, sums, counts), "is NaN"},
		{"infinity", imatrixFile(t, float32(math.Inf(1)), one, sums, counts), "is +Inf"},
		{"halves", imatrixFile(t, 1, one, with(sums, gguf.F16, 4), counts), "type F16"},
		{"blocks", imatrixFile(t, 1, one, sums, with(counts, gguf.Q8_0, 32)), "type Q8_0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := unpacked(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: have %v, want %q", c.name, err, c.want)
			}
		})
	}
	whole := packed(t, calibrated(t, 1, 1), gguf.F32)
	for n := range len(whole) {
		// the last tensor's padding may be missing
		if _, err := unpacked(whole[:n]); err == nil && n < len(whole)-gguf.Alignment {
			t.Fatalf("cut to %d of %d bytes: it is read", n, len(whole))
		}
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenImatrix(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("OpenImatrix: %v", err)
	}
}

// The weights are mean squares, times a power of two that makes their mean 0.5 to 1.
func TestWeights(t *testing.T) {
	m := &Imatrix{Squares: []ggml.SumSquares{
		{Name: "blk.0.attn_q.weight", Rows: 4, Sums: []float64{8, 0, 16, 40}},
		{Name: "dead.weight", Rows: 4, Sums: make([]float64, 4)},
		{Name: "huge.weight", Rows: 1, Sums: []float64{3e38, 3e38, 0, 3e38}},
		{Name: "unseen.weight", Sums: make([]float64, 4)},
		{Name: "v.blk.0.ffn_down.weight", Rows: 2, Sums: []float64{2, 2, 2, 2}},
	}}
	for _, c := range []struct {
		name string
		want []float32
	}{
		{"blk.0.attn_q.weight", []float32{0.25, 4e-6 / 8, 0.5, 1.25}}, // means 2 0 4 10, of which the mean is 4
		{"dead.weight", []float32{1, 1, 1, 1}},
		// 28 padded columns
		{"v.blk.0.ffn_down.weight", append([]float32{0.5, 0.5, 0.5, 0.5}, slices.Repeat([]float32{0.5e-6}, 28)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			have, err := m.Weights(c.name, len(c.want))
			if err != nil || len(have) != len(c.want) {
				t.Fatalf("%s: %v, %v", c.name, have, err)
			}
			for i := range c.want {
				if math.Abs(float64(have[i]/c.want[i])-1) > 1e-6 {
					t.Errorf("%s: %v, want %v", c.name, have, c.want)
					break
				}
			}
		})
	}
	if w, err := m.Weights("huge.weight", 4); err != nil || slices.Max(w) > 2 || slices.Min(w) < 1e-7 {
		t.Errorf("huge: %v, %v", w, err)
	}
	for _, c := range []struct {
		name string
		cols int
	}{
		{"blk.1.attn_q.weight", 4}, {"blk.0.attn_q.weight", 5}, {"unseen.weight", 4}, // only the vision MLP is padded
		{"v.blk.0.ffn_down.weight", 3}, {"v.blk.0.ffn_up.weight", 32}, {"v.blk.1.ffn_down.weight", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if w, err := m.Weights(c.name, c.cols); err == nil || !strings.Contains(err.Error(), c.name) {
				t.Errorf("%s of %d columns: %v, %v", c.name, c.cols, w, err)
			}
		})
	}
	if _, err := m.Weights("v.blk.0.ffn_down.weight", 288); err == nil {
		t.Error("284 padded columns pass")
	}
}

// Whatever a file weighs the columns by, blocks hold numbers, and those of zeros are zeros.
func TestWeightsKeepBlocksDefined(t *testing.T) {
	const cols = 512
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name string
		sum  func(i int) float64
	}{
		{"zeros in half", func(i int) float64 { return float64(i / 256) }},
		{"one column", func(i int) float64 { return float64(max(0, i-510)) * 3e38 }},
		{"smallest", func(int) float64 { return math.SmallestNonzeroFloat32 }},
		{"largest", func(int) float64 { return math.MaxFloat32 }},
		{"both in a block", func(i int) float64 {
			return []float64{math.MaxFloat32,
				math.SmallestNonzeroFloat32}[i%2]
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &Imatrix{Squares: []ggml.SumSquares{{Name: "w", Rows: 1, Sums: make([]float64, cols)}}}
			src := make([]float32, 4*cols)
			for i := range cols {
				m.Squares[0].Sums[i] = c.sum(i)
			}
			for i := range 3 * cols { // the last row is of zeros
				src[i] = float32(r.NormFloat64())
			}
			w, err := m.Weights("w", cols)
			if err != nil {
				t.Fatal(err)
			}
			for _, typ := range matrixTypes {
				dst, back := make([]byte, 4*typ.RowBytes(cols)), make([]float32, len(src))
				if overflow, err := Encode(typ, dst, src, cols, w); overflow >= 0 || err != nil {
					t.Fatalf("%s: %v: %d, %v", c.name, typ, overflow, err)
				}
				if err := Decode(typ, back, dst); err != nil {
					t.Fatal(err)
				}
				for i, v := range back {
					if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 20 || i >= 3*cols && v != 0 {
						t.Fatalf("%s: %v: element %d is %v, from %v", c.name, typ, i, v, src[i])
					}
				}
			}
		})
	}
}

// What is read is what is written again.
func FuzzReadImatrix(f *testing.F) {
	f.Add(packed(f, calibrated(f, 1, 1), gguf.F32))
	f.Add(packed(f, calibrated(f, 2, 1), gguf.F64))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := unpacked(b)
		if err != nil {
			return
		}
		again, err := unpacked(packed(t, m, gguf.F64))
		if err != nil || len(again.Squares) != len(m.Squares) {
			t.Fatalf("%v: (-first +again)\n%s", err, cmp.Diff(m, again))
		}
		for _, s := range m.Squares {
			if w, err := m.Weights(s.Name, len(s.Sums)); err == nil && checkWeights(w, len(w)) != nil {
				t.Errorf("%s: %v", s.Name, w)
			}
		}
	})
}
