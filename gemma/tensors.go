package gemma

// This file: the names and shapes of the tensors.

import (
	"fmt"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Names of the tensors; %d is the layer. Shapes in NumPy order.
const (
	TokenEmbd         = "token_embd.weight"                 // [V,D], also the output matrix
	AttnNorm          = "blk.%d.attn_norm.weight"           // [D], the scale itself: Gemma's checkpoint has it minus 1
	AttnQ             = "blk.%d.attn_q.weight"              // [N*H,D]
	AttnK             = "blk.%d.attn_k.weight"              // [K*H,D]
	AttnV             = "blk.%d.attn_v.weight"              // [K*H,D]
	AttnOutput        = "blk.%d.attn_output.weight"         // [D,N*H]
	PostAttentionNorm = "blk.%d.post_attention_norm.weight" // [D], gemma2 only
	FFNNorm           = "blk.%d.ffn_norm.weight"            // [D]
	FFNGate           = "blk.%d.ffn_gate.weight"            // [F,D]
	FFNUp             = "blk.%d.ffn_up.weight"              // [F,D]
	FFNDown           = "blk.%d.ffn_down.weight"            // [D,F]
	PostFFWNorm       = "blk.%d.post_ffw_norm.weight"       // [D], gemma2 only
	OutputNorm        = "output_norm.weight"                // [D]
)

// Tensors returns the tensors of a model of the sizes c, in the order of a file. Their types are
// left F32.
func Tensors(c paligemma.TextConfig) []gguf.Tensor {
	d, f, q, kv := c.EmbeddingLength, c.FeedForwardLength, c.HeadCount*c.KeyLength, c.HeadCountKV*c.KeyLength
	out := []gguf.Tensor{{Name: TokenEmbd, Shape: []int{c.VocabSize, d}}}
	for l := range c.BlockCount {
		add := func(name string, shape ...int) {
			out = append(out, gguf.Tensor{Name: fmt.Sprintf(name, l), Shape: shape})
		}
		add(AttnNorm, d)
		add(AttnQ, q, d)
		add(AttnK, kv, d)
		add(AttnV, kv, d)
		add(AttnOutput, d, q)
		if c.Architecture == paligemma.Gemma2 {
			add(PostAttentionNorm, d)
		}
		add(FFNNorm, d)
		add(FFNGate, f, d)
		add(FFNUp, f, d)
		add(FFNDown, d, f)
		if c.Architecture == paligemma.Gemma2 {
			add(PostFFWNorm, d)
		}
	}
	return append(out, gguf.Tensor{Name: OutputNorm, Shape: []int{d}})
}
