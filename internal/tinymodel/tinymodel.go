// Package tinymodel makes small PaliGemma checkpoints with random weights, and a tokenizer that
// belongs to them, for tests. The same options give the same bytes.
//
// Before it: a seed. After it: the tests of package convert, and those that run a whole model. The
// sizes are chosen so that a swapped axis shows: no array has two axes of equal size (except the
// sides of the patch), and heads times head dim is not the width of the decoder.
package tinymodel

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// Options says which checkpoint to make. The zero value is PaliGemma 1, bare keys, stacked layers,
// stored F32.
type Options struct {
	Architecture string // paligemma.Gemma or paligemma.Gemma2; "": paligemma.Gemma
	Seed         uint64
	Prefix       string                 // of every key: "", "params/" (as published) or "opt/target/"
	Unstacked    bool                   // one folder for each layer
	OldPosition  bool                   // the position table where SigLIP files from before 2022 have it
	DType        tensor.DType           // F32, F16 or BF16; 0: F32
	Deflate      bool                   // compressed members
	Text         paligemma.TextConfig   // zero: those of Sizes; else Architecture is ignored
	Vision       paligemma.VisionConfig // zero: those of Sizes
}

// Array is one array of a checkpoint. Its values are exact in the checkpoint's type.
type Array struct {
	Name   string
	DType  tensor.DType
	Shape  []int
	Values []float32
}

// Sizes returns the checkpoint's sizes. As in the published models, the vision width is a multiple
// of 32 and the MLP's hidden width is not.
func (o Options) Sizes() (paligemma.TextConfig, paligemma.VisionConfig) {
	text, vision := o.Text, o.Vision
	if text == (paligemma.TextConfig{}) {
		text = paligemma.TextConfig{Architecture: paligemma.Gemma, EmbeddingLength: 96, BlockCount: 3,
			FeedForwardLength: 160, HeadCount: 4, HeadCountKV: 1, KeyLength: 16,
			VocabSize: len(pieces()) + paligemma.Locations + paligemma.SegmentCodes}
		if o.Architecture == paligemma.Gemma2 {
			text.Architecture, text.HeadCount, text.HeadCountKV, text.KeyLength = paligemma.Gemma2, 8, 4, 32
		}
	}
	if vision == (paligemma.VisionConfig{}) {
		vision = paligemma.VisionConfig{ImageSize: 42, PatchSize: 14, EmbeddingLength: 64, FeedForwardLength: 172,
			BlockCount: 2, HeadCount: 4, ProjectionDim: text.EmbeddingLength}
	}
	return text, vision
}

// Arrays returns the checkpoint's arrays in the order in which they are written.
func Arrays(o Options) []Array {
	var out []Array
	for _, s := range o.shapes() {
		a := Array{Name: s.name, DType: tensor.F32, Shape: s.shape, Values: random(o.Seed, s)}
		if o.DType != 0 {
			a.DType = o.DType
		}
		a.round()
		if o.OldPosition {
			a.Name = strings.Replace(a.Name, "img/pos_embedding", "img/Transformer/pos_embedding", 1)
		}
		if o.Unstacked {
			out = append(out, a.unstack()...)
		} else {
			out = append(out, a)
		}
	}
	for i := range out {
		out[i].Name = o.Prefix + out[i].Name
	}
	return out
}

// Write writes DIR/tiny.npz and DIR/tiny.model, the tokenizer, and returns their paths.
func Write(dir string, o Options) (checkpoint, tokenizer string, err error) {
	checkpoint, tokenizer = filepath.Join(dir, "tiny.npz"), filepath.Join(dir, "tiny.model")
	data, err := Pack(Arrays(o), o.Deflate)
	if err == nil {
		err = os.WriteFile(checkpoint, data, 0o666)
	}
	if err == nil {
		err = os.WriteFile(tokenizer, Tokenizer(), 0o666)
	}
	return checkpoint, tokenizer, err
}

// spec is an array without its values.
type spec struct {
	name  string
	shape []int
	kind  kind
}

// kind is the distribution of an array's values.
type kind uint8

const (
	weight   kind = iota // around 0, scaled by the number of inputs, taken to be the largest axis
	nearZero             // biases, and Gemma's norms, which are stored minus one
	nearOne              // LayerNorm's scales
)

// shapes lists the arrays as big_vision names them (models/vit.py, models/ppp/gemma.py), layers
// stacked.
func (o Options) shapes() []spec {
	t, v := o.Sizes()
	d, l, n, k, h, f := t.EmbeddingLength, t.BlockCount, t.HeadCount, t.HeadCountKV, t.KeyLength, t.FeedForwardLength
	w, vl, vn, vf, p := v.EmbeddingLength, v.BlockCount, v.HeadCount, v.FeedForwardLength, v.PatchSize
	block, att := "img/Transformer/encoderblock/", "img/Transformer/encoderblock/MultiHeadDotProductAttention_0/"
	out := []spec{
		{"img/embedding/kernel", []int{p, p, 3, w}, weight},
		{"img/embedding/bias", []int{w}, nearZero},
		{"img/pos_embedding", []int{1, v.Tokens(), w}, weight},
		{"img/Transformer/encoder_norm/scale", []int{w}, nearOne},
		{"img/Transformer/encoder_norm/bias", []int{w}, nearZero},
		{"img/head/kernel", []int{w, v.ProjectionDim}, weight},
		{"img/head/bias", []int{v.ProjectionDim}, nearZero},
		{att + "out/kernel", []int{vl, vn, w / vn, w}, weight},
		{att + "out/bias", []int{vl, w}, nearZero},
		{block + "MlpBlock_0/Dense_0/kernel", []int{vl, w, vf}, weight},
		{block + "MlpBlock_0/Dense_0/bias", []int{vl, vf}, nearZero},
		{block + "MlpBlock_0/Dense_1/kernel", []int{vl, vf, w}, weight},
		{block + "MlpBlock_0/Dense_1/bias", []int{vl, w}, nearZero},
	}
	for _, name := range []string{"query", "key", "value"} {
		out = append(out, spec{att + name + "/kernel", []int{vl, w, vn, w / vn}, weight},
			spec{att + name + "/bias", []int{vl, vn, w / vn}, nearZero})
	}
	for _, name := range []string{"LayerNorm_0", "LayerNorm_1"} {
		out = append(out, spec{block + name + "/scale", []int{vl, w}, nearOne},
			spec{block + name + "/bias", []int{vl, w}, nearZero})
	}
	out = append(out,
		spec{"llm/embedder/input_embedding", []int{t.VocabSize, d}, weight},
		spec{"llm/layers/attn/q_einsum/w", []int{l, n, d, h}, weight},
		spec{"llm/layers/attn/kv_einsum/w", []int{l, 2, k, d, h}, weight},
		spec{"llm/layers/attn/attn_vec_einsum/w", []int{l, n, h, d}, weight},
		spec{"llm/layers/mlp/gating_einsum", []int{l, 2, d, f}, weight},
		spec{"llm/layers/mlp/linear", []int{l, f, d}, weight},
		spec{"llm/layers/pre_attention_norm/scale", []int{l, d}, nearZero},
		spec{"llm/layers/pre_ffw_norm/scale", []int{l, d}, nearZero},
		spec{"llm/final_norm/scale", []int{d}, nearZero})
	if t.Architecture == paligemma.Gemma2 {
		out = append(out, spec{"llm/layers/post_attention_norm/scale", []int{l, d}, nearZero},
			spec{"llm/layers/post_ffw_norm/scale", []int{l, d}, nearZero})
	}
	return out
}

// distribution returns the mean and the standard deviation of an array's values.
func (s spec) distribution() (mean, deviation float64) {
	switch s.kind {
	case nearOne:
		return 1, 0.1
	case weight:
		return 0, 1 / math.Sqrt(float64(slices.Max(s.shape)))
	}
	return 0, 0.1
}

// Form describes an array of a checkpoint without its values: for checkpoints too large for memory.
type Form struct {
	Name            string
	Shape           []int
	Mean, Deviation float64 // of its values
}

// Forms describes the arrays that Arrays returns for a stacked checkpoint without a prefix.
func Forms(o Options) []Form {
	var out []Form
	for _, s := range o.shapes() {
		mean, deviation := s.distribution()
		out = append(out, Form{s.name, s.shape, mean, deviation})
	}
	return out
}

// random returns the values of s. They depend on seed and the name of s only.
func random(seed uint64, s spec) []float32 {
	name := fnv.New64a()
	name.Write([]byte(s.name))
	r := rand.New(rand.NewPCG(seed, name.Sum64()))
	n := 1
	for _, size := range s.shape {
		n *= size
	}
	mean, deviation := s.distribution()
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(mean + deviation*r.NormFloat64())
	}
	return out
}

// round rounds the values of a to its type.
func (a *Array) round() {
	raw := make([]byte, len(a.Values)*a.DType.Size())
	tensor.FromFloat32(raw, a.Values, a.DType)
	tensor.ToFloat32(a.Values, raw, a.DType)
}

// unstack splits an array of all layers into one for each; it returns any other as it is.
func (a Array) unstack() []Array {
	folder, number := "", ""
	for _, f := range [][2]string{{"llm/layers/", "llm/layers/%d/"},
		{"img/Transformer/encoderblock/", "img/Transformer/encoderblock_%d/"}} {
		if strings.HasPrefix(a.Name, f[0]) {
			folder, number = f[0], f[1]
		}
	}
	if folder == "" {
		return []Array{a}
	}
	var out []Array
	n := len(a.Values) / a.Shape[0]
	for l := range a.Shape[0] {
		name := fmt.Sprintf(number, l) + strings.TrimPrefix(a.Name, folder)
		out = append(out, Array{name, a.DType, a.Shape[1:], a.Values[l*n : (l+1)*n]})
	}
	return out
}
