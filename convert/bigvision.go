package convert

// This file: how big_vision saves PaliGemma (commit 0127fb6b: models/vit.py, models/ppp/gemma.py,
// models/proj/paligemma/paligemma.py), one line for each array of the checkpoint (two where an
// array holds two matrices). To the right stand the names that llama.cpp looks for
// (src/llama-arch.cpp, tools/mtmd/clip-impl.h).

// BigVision is the schema of the published .npz files. big_vision saves the same arrays in several
// ways, all accepted: below "params/", below "opt/target/" (a training checkpoint) or bare; layers
// stacked on a first axis or one folder for each; the position table of SigLIP files from before
// 2022 one folder deeper (models/vit.py, fix_old_checkpoints).
var BigVision = Schema{
	Name:     "big_vision",
	Prefixes: []string{"params/", "opt/target/", ""},
	Extra:    []string{"opt/", "extra/"}, // train.py: the optimizer's state, and the trainer's
	Older:    map[string]string{"img/pos_embedding": "img/Transformer/pos_embedding"},
	Text:     Half{Root: "llm/", AllLayers: "llm/layers/", OneLayer: "llm/layers/%d/", Mappings: bigVisionText},
	Vision: Half{Root: "img/", AllLayers: "img/Transformer/encoderblock/", OneLayer: "img/Transformer/encoderblock_%d/",
		Mappings: bigVisionImage},
}

// bigVisionText maps the decoder.
var bigVisionText = []Mapping{
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

// bigVisionImage maps the SigLIP encoder and the projector.
var bigVisionImage = []Mapping{
	{"img/embedding/kernel", "y x c d -> d c y x", "v.patch_embd.weight", 0},
	{"img/embedding/bias", "d -> d", "v.patch_embd.bias", 0},
	{"img/pos_embedding", "0 t d -> t d", "v.position_embd.weight", 0},
	{"img/Transformer/encoderblock/LayerNorm_0/scale", "l d -> l d", "v.blk.%d.ln1.weight", 0},
	{"img/Transformer/encoderblock/LayerNorm_0/bias", "l d -> l d", "v.blk.%d.ln1.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/kernel", "l d n h -> l (n h) d",
		"v.blk.%d.attn_q.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/bias", "l n h -> l (n h)",
		"v.blk.%d.attn_q.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/key/kernel", "l d n h -> l (n h) d",
		"v.blk.%d.attn_k.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/key/bias", "l n h -> l (n h)", "v.blk.%d.attn_k.bias",
		0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/value/kernel", "l d n h -> l (n h) d",
		"v.blk.%d.attn_v.weight", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/value/bias", "l n h -> l (n h)",
		"v.blk.%d.attn_v.bias", 0},
	{"img/Transformer/encoderblock/MultiHeadDotProductAttention_0/out/kernel", "l n h d -> l d (n h)",
		"v.blk.%d.attn_out.weight", 0},
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
