package badfiles

// This file: the smallest good GGUF files of both kinds, of which tests spoil one key or one tensor
// at a time. Names are spelled out here and not taken from the packages under test.

import (
	"fmt"
	"slices"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// TinyText returns the keys and tensors of a text file of D 32, F 64, N 2, K 1, H 16, with one
// layer for gemma and two for gemma2.
func TinyText(architecture string) ([]gguf.KV, []gguf.Tensor) {
	a := architecture + "."
	pieces, scores, types := TinyVocabulary()
	layers := 1
	if architecture == paligemma.Gemma2 {
		layers = 2
	}
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: architecture},
		{Key: "general.name", Value: "tiny"},
		{Key: a + "context_length", Value: uint32(512)},
		{Key: a + "embedding_length", Value: uint32(32)},
		{Key: a + "block_count", Value: uint32(layers)},
		{Key: a + "feed_forward_length", Value: uint32(64)},
		{Key: a + "attention.head_count", Value: uint32(2)},
		{Key: a + "attention.head_count_kv", Value: uint32(1)},
		{Key: a + "attention.key_length", Value: uint32(16)},
		{Key: a + "attention.value_length", Value: uint32(16)},
		{Key: a + "attention.layer_norm_rms_epsilon", Value: float32(1e-6)},
		{Key: "tokenizer.ggml.model", Value: "llama"},
		{Key: "tokenizer.ggml.tokens", Value: pieces},
		{Key: "tokenizer.ggml.scores", Value: scores},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(2)},
		{Key: "tokenizer.ggml.eos_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(3)},
		{Key: "tokenizer.ggml.padding_token_id", Value: uint32(0)},
		{Key: "tokenizer.ggml.add_space_prefix", Value: false},
	}
	if architecture == paligemma.Gemma2 {
		kvs = append(kvs,
			gguf.KV{Key: a + "attention.sliding_window", Value: uint32(512)},
			gguf.KV{Key: a + "attn_logit_softcapping", Value: float32(50)},
			gguf.KV{Key: a + "final_logit_softcapping", Value: float32(30)})
	}
	tensors := []gguf.Tensor{{Name: "token_embd.weight", Shape: []int{len(pieces), 32}}}
	for l := range layers {
		tensors = append(tensors, tinyLayer(fmt.Sprintf("blk.%d.", l), architecture == paligemma.Gemma2)...)
	}
	return kvs, append(tensors, gguf.Tensor{Name: "output_norm.weight", Shape: []int{32}})
}

func tinyLayer(prefix string, postNorms bool) []gguf.Tensor {
	out := []gguf.Tensor{
		{Name: prefix + "attn_norm.weight", Shape: []int{32}},
		{Name: prefix + "attn_q.weight", Shape: []int{32, 32}},
		{Name: prefix + "attn_k.weight", Shape: []int{16, 32}},
		{Name: prefix + "attn_v.weight", Shape: []int{16, 32}},
		{Name: prefix + "attn_output.weight", Shape: []int{32, 32}},
		{Name: prefix + "ffn_norm.weight", Shape: []int{32}},
		{Name: prefix + "ffn_gate.weight", Shape: []int{64, 32}},
		{Name: prefix + "ffn_up.weight", Shape: []int{64, 32}},
		{Name: prefix + "ffn_down.weight", Shape: []int{32, 64}},
	}
	if postNorms {
		out = append(out, gguf.Tensor{Name: prefix + "post_attention_norm.weight", Shape: []int{32}},
			gguf.Tensor{Name: prefix + "post_ffw_norm.weight", Shape: []int{32}})
	}
	return out
}

// TinyVocabulary returns pieces with scores and types as a text file has them: four special ones,
// the newline, the 256 bytes, the letters, the locations and the segment codes.
func TinyVocabulary() (pieces []string, scores []float32, types []int32) {
	add := func(piece string, t int32) {
		pieces, scores, types = append(pieces, piece), append(scores, -float32(len(pieces))), append(types, t)
	}
	for _, p := range []string{"<pad>", "<eos>", "<bos>"} {
		add(p, 3)
	}
	add("<unk>", 2)
	add("\n", 4)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 6)
	}
	for c := 'a'; c <= 'z'; c++ {
		add(string(c), 1)
	}
	for i := range paligemma.Locations {
		add(fmt.Sprintf("<loc%04d>", i), 4)
	}
	for i := range paligemma.SegmentCodes {
		add(fmt.Sprintf("<seg%03d>", i), 4)
	}
	return pieces, scores, types
}

// TinyVision returns the keys and tensors of a vision file of one layer: images of 28 x 28 in 4
// patches, width 32, F 64, 2 heads, E 32.
func TinyVision() ([]gguf.KV, []gguf.Tensor) {
	half := []float32{0.5, 0.5, 0.5}
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: "clip"},
		{Key: "general.name", Value: "tiny"},
		{Key: "clip.has_vision_encoder", Value: true},
		{Key: "clip.projector_type", Value: "paligemma"},
		{Key: "clip.use_gelu", Value: true},
		{Key: "clip.vision.image_size", Value: uint32(28)},
		{Key: "clip.vision.patch_size", Value: uint32(14)},
		{Key: "clip.vision.embedding_length", Value: uint32(32)},
		{Key: "clip.vision.feed_forward_length", Value: uint32(64)},
		{Key: "clip.vision.block_count", Value: uint32(1)},
		{Key: "clip.vision.projection_dim", Value: uint32(32)},
		{Key: "clip.vision.attention.head_count", Value: uint32(2)},
		{Key: "clip.vision.attention.layer_norm_epsilon", Value: float32(1e-6)},
		{Key: "clip.vision.image_mean", Value: half},
		{Key: "clip.vision.image_std", Value: half},
	}
	tensors := []gguf.Tensor{
		{Name: "v.patch_embd.weight", Shape: []int{32, 3, 14, 14}},
		{Name: "v.patch_embd.bias", Shape: []int{32}},
		{Name: "v.position_embd.weight", Shape: []int{4, 32}},
		{Name: "v.blk.0.ln1.weight", Shape: []int{32}},
		{Name: "v.blk.0.ln1.bias", Shape: []int{32}},
		{Name: "v.blk.0.attn_q.weight", Shape: []int{32, 32}},
		{Name: "v.blk.0.attn_q.bias", Shape: []int{32}},
		{Name: "v.blk.0.attn_k.weight", Shape: []int{32, 32}},
		{Name: "v.blk.0.attn_k.bias", Shape: []int{32}},
		{Name: "v.blk.0.attn_v.weight", Shape: []int{32, 32}},
		{Name: "v.blk.0.attn_v.bias", Shape: []int{32}},
		{Name: "v.blk.0.attn_out.weight", Shape: []int{32, 32}},
		{Name: "v.blk.0.attn_out.bias", Shape: []int{32}},
		{Name: "v.blk.0.ln2.weight", Shape: []int{32}},
		{Name: "v.blk.0.ln2.bias", Shape: []int{32}},
		{Name: "v.blk.0.ffn_up.weight", Shape: []int{64, 32}},
		{Name: "v.blk.0.ffn_up.bias", Shape: []int{64}},
		{Name: "v.blk.0.ffn_down.weight", Shape: []int{32, 64}},
		{Name: "v.blk.0.ffn_down.bias", Shape: []int{32}},
		{Name: "v.post_ln.weight", Shape: []int{32}},
		{Name: "v.post_ln.bias", Shape: []int{32}},
		{Name: "mm.input_projection.weight", Shape: []int{32, 32}},
		{Name: "mm.input_projection.bias", Shape: []int{32}},
	}
	return kvs, tensors
}

// File returns the bytes of a file with these keys and tensors, whose data are zeros.
func File(kvs []gguf.KV, tensors []gguf.Tensor) ([]byte, error) {
	l, err := gguf.NewLayout(kvs, tensors)
	if err != nil {
		return nil, err
	}
	out := make([]byte, l.Size)
	copy(out, l.Header)
	return out, nil
}

// With returns a copy of kvs with key set to value, or added at the end.
func With(kvs []gguf.KV, key string, value any) []gguf.KV {
	out := slices.Clone(kvs)
	if i := slices.IndexFunc(out, func(kv gguf.KV) bool { return kv.Key == key }); i >= 0 {
		out[i].Value = value
		return out
	}
	return append(out, gguf.KV{Key: key, Value: value})
}

// Without returns a copy of kvs without key.
func Without(kvs []gguf.KV, key string) []gguf.KV {
	return slices.DeleteFunc(slices.Clone(kvs), func(kv gguf.KV) bool { return kv.Key == key })
}
