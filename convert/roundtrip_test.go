package convert

// This file: every element of both files against the checkpoint, by loops that know nothing of
// patterns.

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// matrix is a tensor as it should be, F32.
type matrix struct {
	shape  []int
	values []float32
}

// reference makes the tensors of both files straight from the arrays, an element at a time, after
// the tables of the model's description.
type reference struct {
	o            tinymodel.Options
	arrays       map[string]tinymodel.Array
	text, vision map[string]matrix
}

func newReference(o tinymodel.Options) *reference {
	r := &reference{o: o, arrays: map[string]tinymodel.Array{}, text: map[string]matrix{}, vision: map[string]matrix{}}
	for _, a := range tinymodel.Arrays(o) {
		r.arrays[strings.TrimPrefix(a.Name, o.Prefix)] = a
	}
	t, v := o.Sizes()
	r.decoder(t)
	r.encoder(v)
	return r
}

// at reads one element of an array; layer is -1 for arrays without layers.
func (r *reference) at(name string, layer int, index ...int) float32 {
	if layer >= 0 && r.o.Unstacked {
		for _, f := range [][2]string{{"llm/layers/", "llm/layers/%d/"}, {"img/Transformer/encoderblock/",
			"img/Transformer/encoderblock_%d/"}} {
			if rest, ok := strings.CutPrefix(name, f[0]); ok {
				name = fmt.Sprintf(f[1], layer) + rest
			}
		}
	} else if layer >= 0 {
		index = append([]int{layer}, index...)
	}
	if name == "img/pos_embedding" && r.o.OldPosition {
		name = "img/Transformer/pos_embedding"
	}
	a, ok := r.arrays[name]
	if !ok || len(a.Shape) != len(index) {
		panic(fmt.Sprint(name, a.Shape, index))
	}
	flat := 0
	for i, n := range a.Shape {
		flat = flat*n + index[i]
	}
	return a.Values[flat]
}

func vector(n int, f func(i int) float32) matrix {
	m := matrix{shape: []int{n}}
	for i := range n {
		m.values = append(m.values, f(i))
	}
	return m
}

func rows(n, cols int, f func(r, c int) float32) matrix {
	m := matrix{shape: []int{n, cols}}
	for r := range n {
		for c := range cols {
			m.values = append(m.values, f(r, c))
		}
	}
	return m
}

func (r *reference) decoder(t paligemma.TextConfig) {
	d, h, f := t.EmbeddingLength, t.KeyLength, t.FeedForwardLength
	norm := func(name string, l int) matrix {
		return vector(d, func(i int) float32 { return r.at(name, l, i) + 1 })
	}
	r.text["token_embd.weight"] = rows(t.VocabSize, d,
		func(v, c int) float32 { return r.at("llm/embedder/input_embedding", -1, v, c) })
	r.text["output_norm.weight"] = norm("llm/final_norm/scale", -1)
	for l := range t.BlockCount {
		put := func(name string, m matrix) { r.text[fmt.Sprintf("blk.%d.%s.weight", l, name)] = m }
		put("attn_norm", norm("llm/layers/pre_attention_norm/scale", l))
		put("ffn_norm", norm("llm/layers/pre_ffw_norm/scale", l))
		if t.Architecture == paligemma.Gemma2 {
			put("post_attention_norm", norm("llm/layers/post_attention_norm/scale", l))
			put("post_ffw_norm", norm("llm/layers/post_ffw_norm/scale", l))
		}
		put("attn_q", rows(t.HeadCount*h, d, func(x, c int) float32 {
			return r.at("llm/layers/attn/q_einsum/w", l, x/h,
				c, x%h)
		}))
		put("attn_k", rows(t.HeadCountKV*h, d, func(x, c int) float32 {
			return r.at("llm/layers/attn/kv_einsum/w", l, 0,
				x/h, c, x%h)
		}))
		put("attn_v", rows(t.HeadCountKV*h, d, func(x, c int) float32 {
			return r.at("llm/layers/attn/kv_einsum/w", l, 1,
				x/h, c, x%h)
		}))
		put("attn_output", rows(d, t.HeadCount*h, func(x,
			c int) float32 {
			return r.at("llm/layers/attn/attn_vec_einsum/w", l, c/h, c%h, x)
		}))
		put("ffn_gate", rows(f, d, func(x, c int) float32 { return r.at("llm/layers/mlp/gating_einsum", l, 0, c, x) }))
		put("ffn_up", rows(f, d, func(x, c int) float32 { return r.at("llm/layers/mlp/gating_einsum", l, 1, c, x) }))
		put("ffn_down", rows(d, f, func(x, c int) float32 { return r.at("llm/layers/mlp/linear", l, c, x) }))
	}
}

func (r *reference) encoder(v paligemma.VisionConfig) {
	w, h, f, p := v.EmbeddingLength, v.EmbeddingLength/v.HeadCount, v.FeedForwardLength, v.PatchSize
	plain := func(name string, l, n int) matrix { return vector(n, func(i int) float32 { return r.at(name, l, i) }) }
	patch := rows(w, 3*p*p, func(o, i int) float32 { return r.at("img/embedding/kernel", -1, i/p%p, i%p, i/p/p, o) })
	patch.shape = []int{w, 3, p, p}
	r.vision["v.patch_embd.weight"] = patch
	r.vision["v.patch_embd.bias"] = plain("img/embedding/bias", -1, w)
	r.vision["v.position_embd.weight"] = rows(v.Tokens(), w, func(x, c int) float32 {
		return r.at("img/pos_embedding",
			-1, 0, x, c)
	})
	r.vision["v.post_ln.weight"] = plain("img/Transformer/encoder_norm/scale", -1, w)
	r.vision["v.post_ln.bias"] = plain("img/Transformer/encoder_norm/bias", -1, w)
	r.vision["mm.input_projection.weight"] = rows(v.ProjectionDim, w,
		func(x, c int) float32 { return r.at("img/head/kernel", -1, c, x) })
	r.vision["mm.input_projection.bias"] = plain("img/head/bias", -1, v.ProjectionDim)
	block := "img/Transformer/encoderblock/"
	attention := block + "MultiHeadDotProductAttention_0/"
	for l := range v.BlockCount {
		put := func(name string, m matrix) { r.vision[fmt.Sprintf("v.blk.%d.%s", l, name)] = m }
		for i, name := range []string{"ln1", "ln2"} {
			put(name+".weight", plain(fmt.Sprintf("%sLayerNorm_%d/scale", block, i), l, w))
			put(name+".bias", plain(fmt.Sprintf("%sLayerNorm_%d/bias", block, i), l, w))
		}
		for to, from := range map[string]string{"q": "query", "k": "key", "v": "value"} {
			put("attn_"+to+".weight", rows(w, w, func(x, c int) float32 {
				return r.at(attention+from+"/kernel", l, c,
					x/h, x%h)
			}))
			put("attn_"+to+".bias", vector(w, func(i int) float32 { return r.at(attention+from+"/bias", l, i/h, i%h) }))
		}
		put("attn_out.weight", rows(w, w, func(x, c int) float32 {
			return r.at(attention+"out/kernel", l, c/h, c%h,
				x)
		}))
		put("attn_out.bias", plain(attention+"out/bias", l, w))
		put("ffn_up.weight", rows(f, w, func(x, c int) float32 {
			return r.at(block+"MlpBlock_0/Dense_0/kernel", l, c,
				x)
		}))
		put("ffn_up.bias", plain(block+"MlpBlock_0/Dense_0/bias", l, f))
		put("ffn_down.weight", rows(w, f, func(x, c int) float32 {
			return r.at(block+"MlpBlock_0/Dense_1/kernel", l, c,
				x)
		}))
		put("ffn_down.bias", plain(block+"MlpBlock_0/Dense_1/bias", l, w))
	}
}

// compare checks every tensor of a file against the reference: name, shape, and each bit.
func compare(t *testing.T, f *gguf.File, want map[string]matrix) {
	t.Helper()
	if len(f.Tensors) != len(want) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(want))
	}
	for _, x := range f.Tensors {
		m, ok := want[x.Name]
		if !ok || !slices.Equal(x.Shape, m.shape) {
			t.Errorf("%s: shape %v, want %v", x.Name, x.Shape, m.shape)
			continue
		}
		if !bytes.Equal(contents(t, f, x), narrowed(m.values, x.Type)) {
			t.Errorf("%s (%v): elements differ from the checkpoint's", x.Name, x.Type)
		}
	}
}

// The tables name every tensor once, and take every index of an array that they take apart.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, unstacked := range []int{0, 3} {
		c, err := newCheckpoint(&BigVision, "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.text.unstacked, c.vision.unstacked = unstacked, unstacked
		for _, a := range c.expect(true) {
			for want, m := range a.mappings {
				if _, index := m.inner(); index != want {
					t.Errorf("%s: index %d, want %d", m.To, index, want)
				}
				name := fmt.Sprint(unstacked, a.half.Root, m.name(a.layer))
				if seen[name] {
					t.Errorf("%s twice", name)
				}
				seen[name] = true
			}
		}
	}
}

// Every layout, family and source type, to every unblocked type. To F32 the files hold the
// checkpoint's values bit for bit, but for the norms' plus one.
func TestRoundTrip(t *testing.T) {
	for _, architecture := range families {
		for i, o := range []tinymodel.Options{
			{Prefix: "params/"},
			{Prefix: "params/", DType: tensor.BF16, Deflate: true},
			{Prefix: "params/", DType: tensor.F16},
			{Prefix: "opt/target/", Unstacked: true},
			{Unstacked: true, OldPosition: true, Deflate: true},
			{OldPosition: true, DType: tensor.BF16},
		} {
			o.Architecture, o.Seed = architecture, uint64(i)
			want := newReference(o)
			for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16} {
				t.Run(fmt.Sprintf("%s/%d/%v", architecture, i, typ), func(t *testing.T) {
					data, err := tinymodel.Pack(tinymodel.Arrays(o), o.Deflate)
					if err != nil {
						t.Fatal(err)
					}
					f := mustRun(t, opened(t, data), options(t, typ))
					compare(t, f.text, want.text)
					compare(t, f.vision, want.vision)
				})
			}
		}
	}
}

// The files are what packages gemma and mmproj expect, in their order; norms, biases, position
// table and patch kernel stay F32.
func TestFilesAreAccepted(t *testing.T) {
	for _, architecture := range families {
		for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q4_0} {
			f := mustRun(t, archive(t, tinymodel.Arrays(tinymodel.Options{Architecture: architecture})),
				options(t, typ))
			m, err := gemma.Check(f.text)
			if err != nil {
				t.Fatal(err)
			}
			v, err := mmproj.Check(f.vision)
			if err != nil {
				t.Fatal(err)
			}
			text, vision := tinymodel.Options{Architecture: architecture}.Sizes()
			if vision.FeedForwardLength = f.PaddedFFNWidth; m.TextConfig != text || v != vision || f.Text != text ||
				f.Vision != vision {
				t.Errorf("%v: sizes %+v %+v, want %+v %+v", typ, m.TextConfig, v, text, vision)
			}
			same := func(have, want []gguf.Tensor) {
				if len(have) != len(want) {
					t.Fatalf("%d tensors, want %d", len(have), len(want))
				}
				for i := range want {
					if have[i].Name != want[i].Name || !slices.Equal(have[i].Shape, want[i].Shape) {
						t.Errorf("tensor %d: %s %v, want %s %v", i, have[i].Name, have[i].Shape, want[i].Name,
							want[i].Shape)
					}
					small := len(have[i].Shape) == 1 || have[i].Name == mmproj.PositionEmbd ||
						have[i].Name == mmproj.PatchEmbdWeight
					if small != (have[i].Type == gguf.F32) && typ != gguf.F32 {
						t.Errorf("%s is %v in a file of %v", have[i].Name, have[i].Type, typ)
					}
				}
			}
			same(f.text.Tensors, gemma.Tensors(text))
			same(f.vision.Tensors, mmproj.Tensors(vision))
		}
	}
}

// Arrays that are larger than a strip, and a token table that is larger than a span.
func TestLarge(t *testing.T) {
	o := tinymodel.Options{Prefix: "params/"}
	o.Text, o.Vision = o.Sizes()
	o.Text.EmbeddingLength, o.Text.BlockCount, o.Vision.ProjectionDim = 2048, 1, 2048
	want := newReference(o)
	if table := want.text["token_embd.weight"]; 4*len(table.values) <= spanBytes || len(table.values) <= 2*strips.Size {
		t.Fatal("the model is too small for this test")
	}
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16} {
		f := mustRun(t, archive(t, tinymodel.Arrays(o)), options(t, typ))
		compare(t, f.text, want.text)
		compare(t, f.vision, want.vision)
	}
	arrays := tinymodel.Arrays(o)
	for i := range arrays {
		if a := &arrays[i]; a.Name == "params/llm/embedder/input_embedding" {
			a.Values[1400*2048+3] = float32(math.NaN())
		}
	}
	if got := fails(t, archive(t, arrays), vocab(t), options(t, gguf.F16)); !strings.Contains(got,
		"input_embedding: element [1400 3] is NaN") {
		t.Errorf("have %q", got)
	}
}

// In a file of a block type the vision MLP is wider, with zeros; everything else keeps its shape.
// Padding is encoded as every other value is: a block of zeros need not be zero bytes.
func TestPadding(t *testing.T) {
	// 192 is the next multiple of 32. 5120 is the next multiple of 256, in tensors of several
	// strips.
	for _, c := range []struct{ hidden, wide int }{{172, 192}, {5000, 5120}} {
		o := tinymodel.Options{Prefix: "params/"}
		_, o.Vision = o.Sizes()
		o.Vision.FeedForwardLength = c.hidden
		want := newReference(o)
		for l := range o.Vision.BlockCount {
			for _, name := range []string{"ffn_up.weight", "ffn_up.bias", "ffn_down.weight"} {
				name = fmt.Sprintf("v.blk.%d.%s", l, name)
				want.vision[name] = padded(want.vision[name], c.hidden, c.wide)
			}
		}
		f := mustRun(t, archive(t, tinymodel.Arrays(o)), options(t, gguf.Q8_0))
		for _, x := range f.vision.Tensors {
			m := want.vision[x.Name]
			if !slices.Equal(x.Shape, m.shape) {
				t.Fatalf("%s: shape %v, want %v", x.Name, x.Shape, m.shape)
			}
			b := make([]byte, x.Bytes())
			if x.Type == gguf.Q8_0 {
				roundedBlocks(x.Type, b, m.values)
			} else {
				b = narrowed(m.values, x.Type)
			}
			if !bytes.Equal(contents(t, f.vision, x), b) {
				t.Errorf("%s (%v): other bytes than the padded tensor's", x.Name, x.Type)
			}
		}
		if n, err := gguf.Get[uint32](f.vision, mmproj.KeyFeedForwardLength); n != uint32(c.wide) || err != nil {
			t.Errorf("feed_forward_length %d (%v), want %d", n, err, c.wide)
		}
		if f.FFNWidth != c.hidden || f.PaddedFFNWidth != c.wide || f.VisionTypes[gguf.Q8_0] != 6*2+1 {
			t.Errorf("summary %+v", *f.Result)
		}
		f = mustRun(t, archive(t, tinymodel.Arrays(o)), options(t, gguf.Q4_0))
		x, _ := f.vision.Tensor("v.blk.1.ffn_up.weight")
		if b := contents(t, f.vision, x); !bytes.Equal(b, bytes.Repeat([]byte{q4Mark}, len(b))) {
			t.Error("the padding of a Q4_0 tensor is not the encoder's")
		}
	}
}

// padded widens every axis of m that has hidden elements.
func padded(m matrix, hidden, wide int) matrix {
	out := matrix{shape: slices.Clone(m.shape)}
	for i, n := range out.shape {
		if n == hidden {
			out.shape[i] = wide
		}
	}
	from, to := m.shape[len(m.shape)-1], out.shape[len(m.shape)-1]
	out.values = make([]float32, product(out.shape))
	for i, v := range m.values {
		out.values[i/from*to+i%from] = v
	}
	return out
}

// Measure returns what Run then writes, and writes nothing itself.
func TestMeasure(t *testing.T) {
	for _, family := range families {
		o := options(t, gguf.Q8_0)
		arrays := tinymodel.Arrays(tinymodel.Options{Architecture: family})
		measured, err := Measure(archive(t, arrays), vocab(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(o.OutDir); err != nil || len(entries) > 0 {
			t.Fatalf("%v, %v", entries, err)
		}
		made := mustRun(t, archive(t, arrays), o)
		if diff := cmp.Diff(made.Result, measured); diff != "" {
			t.Errorf("%s: made (-), measured (+):\n%s", family, diff)
		}
		if made.text.Size != measured.TextBytes || made.vision.Size != measured.VisionBytes {
			t.Errorf("%s: %d and %d bytes, measured %d and %d", family, made.text.Size, made.vision.Size,
				measured.TextBytes,
				measured.VisionBytes)
		}
	}
	o := options(t, gguf.F32)
	o.Name = "a/b"
	if _, err := Measure(archive(t, tinymodel.Arrays(tinymodel.Options{})), vocab(t), o); err == nil {
		t.Error("a name with a slash is taken")
	}
}
