package convert

// This file: the mapping, one line for each array of the checkpoint (two where an array holds two matrices).
// Before it: the names that big_vision gives its arrays (models/vit.py, models/ppp/gemma.py, models/proj/paligemma/paligemma.py, commit
// 0127fb6b). After it: the names that llama.cpp looks for (src/llama-arch.cpp, tools/mtmd/clip-impl.h).
//
// A pattern names the array's axes on the left and the tensor's on the right, in NumPy order; brackets merge axes. A leading "l" on both
// sides means one tensor for each layer, and %d in the name is the layer. A number on the left is the index taken on that axis.

import (
	"fmt"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

// Row says where one tensor comes from and what it becomes.
type Mapping struct {
	Source  string // the array's key behind the checkpoint's prefix; layers stacked
	Pattern string // axes: tensor.ParsePattern's words
	To      string // the tensor's name in the GGUF file
	Mark    Flags  // what else is done to it
}

// Mark is a set of remarks on a row.
type Flags uint8

const (
	AddOne     Flags = 1 << iota // Gemma stores the norm's scale minus one, GGUF stores the scale
	OnlyGemma2                   // PaliGemma 2 has it, PaliGemma 1 has not
)

// Text maps the decoder. Letters: v vocabulary, d embedding, l layers, n query heads, k key/value heads, h head dim, f feed-forward.
var Text = []Mapping{
	{"llm/embedder/input_embedding", "v d -> v d", "token_embd.weight", 0},
	{"llm/layers/pre_attention_norm/scale", "l d -> l d", "blk.%d.attn_norm.weight", AddOne},
	{"llm/layers/attn/q_einsum/w", "l n d h -> l (n h) d", "blk.%d.attn_q.weight", 0},
	{"llm/layers/attn/kv_einsum/w", "l 0 k d h -> l (k h) d", "blk.%d.attn_k.weight", 0},
	{"llm/layers/attn/kv_einsum/w", "l 1 k d h -> l (k h) d", "blk.%d.attn_v.weight", 0},
	{"llm/layers/attn/attn_vec_einsum/w", "l n h d -> l d (n h)", "blk.%d.attn_output.weight", 0},
	{"llm/layers/post_attention_norm/scale", "l d -> l d", "blk.%d.post_attention_norm.weight", AddOne | OnlyGemma2},
	{"llm/layers/pre_ffw_norm/scale", "l d -> l d", "blk.%d.ffn_norm.weight", AddOne},
	{"llm/layers/mlp/gating_einsum", "l 0 d f -> l f d", "blk.%d.ffn_gate.weight", 0},
	{"llm/layers/mlp/gating_einsum", "l 1 d f -> l f d", "blk.%d.ffn_up.weight", 0},
	{"llm/layers/mlp/linear", "l f d -> l d f", "blk.%d.ffn_down.weight", 0},
	{"llm/layers/post_ffw_norm/scale", "l d -> l d", "blk.%d.post_ffw_norm.weight", AddOne | OnlyGemma2},
	{"llm/final_norm/scale", "d -> d", "output_norm.weight", AddOne},
}

// Vision maps the SigLIP encoder and the projector. Letters: y x c row, column and channel in a patch, d width, t image tokens, l layers,
// n heads, h head dim, f the MLP's hidden width (zero-padded for block types, see mmproj.PaddedWidth), e the decoder's embedding.
var Vision = []Mapping{
	{"img/embedding/kernel", "y x c d -> d c y x", "v.patch_embd.weight", 0},
	{"img/embedding/bias", "d -> d", "v.patch_embd.bias", 0},
	{"img/pos_embedding", "0 t d -> t d", "v.position_embd.weight", 0},
	{"img/Transformer/encoderblock/LayerNorm_0/scale", "l d -> l d", "v.blk.%d.ln1.weight", 0},
	{"img/Transformer/encoderblock/LayerNorm_0/bias", "l d -> l d", "v.blk.%d.ln1.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/kernel", "l d n h -> l (n h) d", "v.blk.%d.attn_q.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/bias", "l n h -> l (n h)", "v.blk.%d.attn_q.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/key/kernel", "l d n h -> l (n h) d", "v.blk.%d.attn_k.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/key/bias", "l n h -> l (n h)", "v.blk.%d.attn_k.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/value/kernel", "l d n h -> l (n h) d", "v.blk.%d.attn_v.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/value/bias", "l n h -> l (n h)", "v.blk.%d.attn_v.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/out/kernel", "l n h d -> l d (n h)", "v.blk.%d.attn_out.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/out/bias", "l d -> l d", "v.blk.%d.attn_out.bias", 0},
	{"img/Transformer/encoderblock/LayerNorm_1/scale", "l d -> l d", "v.blk.%d.ln2.weight", 0},
	{"img/Transformer/encoderblock/LayerNorm_1/bias", "l d -> l d", "v.blk.%d.ln2.bias", 0},
	{"img/Transformer/encoderblock/MlpBlock_0/Dense_0/kernel", "l d f -> l f d", "v.blk.%d.ffn_up.weight", 0},
	{"img/Transformer/encoderblock/MlpBlock_0/Dense_0/bias", "l f -> l f", "v.blk.%d.ffn_up.bias", 0},
	{"img/Transformer/encoderblock/MlpBlock_0/Dense_1/kernel", "l f d -> l d f", "v.blk.%d.ffn_down.weight", 0},
	{"img/Transformer/encoderblock/MlpBlock_0/Dense_1/bias", "l d -> l d", "v.blk.%d.ffn_down.bias", 0},
	{"img/Transformer/encoder_norm/scale", "d -> d", "v.post_ln.weight", 0},
	{"img/Transformer/encoder_norm/bias", "d -> d", "v.post_ln.bias", 0},
	{"img/head/kernel", "d e -> e d", "mm.input_projection.weight", 0},
	{"img/head/bias", "e -> e", "mm.input_projection.bias", 0},
}

// layered reports whether the row makes one tensor for each layer.
func (r Mapping) layered() bool { return strings.HasPrefix(r.Pattern, "l ") }

// name returns the tensor's name in a layer (ignored by rows that are not layered).
func (r Mapping) name(layer int) string {
	if !r.layered() {
		return r.To
	}
	return fmt.Sprintf(r.To, layer)
}

// axes returns the letters (or numbers) of the source's axes, without the layer's.
func (r Mapping) axes() []string {
	left := tensor.ParsePattern(r.Pattern).Left
	if r.layered() {
		return left[1:]
	}
	return left
}

// inner returns the pattern that is left once the layer's axis and a leading index are cut away, and that index (0 if there is none).
// What the two cut out of a C-ordered array is one run of bytes.
func (r Mapping) inner() (p tensor.Pattern, index int) {
	p = tensor.ParsePattern(r.Pattern)
	if r.layered() {
		p.Left, p.Right = p.Left[1:], p.Right[1:]
	}
	if n, ok := number(p.Left[0]); ok {
		p.Left, index = p.Left[1:], n
	}
	return p, index
}

// number reads an axis that is an index and not a letter.
func number(axis string) (n int, ok bool) {
	_, err := fmt.Sscanf(axis, "%d", &n)
	return n, err == nil
}
