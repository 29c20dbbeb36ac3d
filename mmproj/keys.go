package mmproj

// This file: the names of the keys and tensors, as far as possible those of llama.cpp's
// tools/mtmd/clip-impl.h, and the padding of the MLP.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Names of the keys.
const (
	KeyArchitecture  = "general.architecture"    // string: Architecture
	KeyHasVision     = "clip.has_vision_encoder" // bool: true
	KeyProjectorType = "clip.projector_type"     // string: ProjectorType
	// bool: true, the tanh form; llama.cpp takes another function without it
	KeyUseGELU           = "clip.use_gelu"
	KeyImageSize         = "clip.vision.image_size"                   // uint32: pixels of a side
	KeyPatchSize         = "clip.vision.patch_size"                   // uint32: pixels of a side
	KeyEmbeddingLength   = "clip.vision.embedding_length"             // uint32: D
	KeyFeedForwardLength = "clip.vision.feed_forward_length"          // uint32: F, padding included
	KeyBlockCount        = "clip.vision.block_count"                  // uint32: L
	KeyProjectionDim     = "clip.vision.projection_dim"               // uint32: E
	KeyHeadCount         = "clip.vision.attention.head_count"         // uint32: N
	KeyEpsilon           = "clip.vision.attention.layer_norm_epsilon" // float32: Epsilon
	KeyImageMean         = "clip.vision.image_mean"                   // []float32: one for each channel
	KeyImageStd          = "clip.vision.image_std"                    // []float32: one for each channel

	Architecture  = paligemma.VisionArchitecture
	ProjectorType = "paligemma"
)

// Epsilon is added to the variance by every LayerNorm of the encoder (flax's default).
const Epsilon float32 = 1e-6

// Names of the tensors; %d is the layer. Shapes in NumPy order, with P for the patch's side.
const (
	PatchEmbdWeight  = "v.patch_embd.weight"        // [D,3,P,P]: out, channel, row, column
	PatchEmbdBias    = "v.patch_embd.bias"          // [D]
	PositionEmbd     = "v.position_embd.weight"     // [T,D]
	LN1Weight        = "v.blk.%d.ln1.weight"        // [D], before the attention
	LN1Bias          = "v.blk.%d.ln1.bias"          // [D]
	AttnQWeight      = "v.blk.%d.attn_q.weight"     // [D,D]
	AttnQBias        = "v.blk.%d.attn_q.bias"       // [D]
	AttnKWeight      = "v.blk.%d.attn_k.weight"     // [D,D]
	AttnKBias        = "v.blk.%d.attn_k.bias"       // [D]
	AttnVWeight      = "v.blk.%d.attn_v.weight"     // [D,D]
	AttnVBias        = "v.blk.%d.attn_v.bias"       // [D]
	AttnOutWeight    = "v.blk.%d.attn_out.weight"   // [D,D]
	AttnOutBias      = "v.blk.%d.attn_out.bias"     // [D]
	LN2Weight        = "v.blk.%d.ln2.weight"        // [D], before the MLP
	LN2Bias          = "v.blk.%d.ln2.bias"          // [D]
	FFNUpWeight      = "v.blk.%d.ffn_up.weight"     // [F,D]
	FFNUpBias        = "v.blk.%d.ffn_up.bias"       // [F]
	FFNDownWeight    = "v.blk.%d.ffn_down.weight"   // [D,F]
	FFNDownBias      = "v.blk.%d.ffn_down.bias"     // [D]
	PostLNWeight     = "v.post_ln.weight"           // [D]
	PostLNBias       = "v.post_ln.bias"             // [D]
	ProjectionWeight = "mm.input_projection.weight" // [E,D]
	ProjectionBias   = "mm.input_projection.bias"   // [E]
)

// Tensors returns the tensors of a file of the sizes c, in the order of a file. Their types are
// left F32.
func Tensors(c paligemma.VisionConfig) []gguf.Tensor {
	d, f := c.EmbeddingLength, c.FeedForwardLength
	out := []gguf.Tensor{
		{Name: PatchEmbdWeight, Shape: []int{d, 3, c.PatchSize, c.PatchSize}},
		{Name: PatchEmbdBias, Shape: []int{d}},
		{Name: PositionEmbd, Shape: []int{c.Tokens(), d}},
	}
	for l := range c.BlockCount {
		add := func(name string, shape ...int) {
			out = append(out, gguf.Tensor{Name: fmt.Sprintf(name, l), Shape: shape})
		}
		add(LN1Weight, d)
		add(LN1Bias, d)
		for _, names := range [][2]string{{AttnQWeight, AttnQBias}, {AttnKWeight, AttnKBias}, {AttnVWeight, AttnVBias},
			{AttnOutWeight, AttnOutBias}} {
			add(names[0], d, d)
			add(names[1], d)
		}
		add(LN2Weight, d)
		add(LN2Bias, d)
		add(FFNUpWeight, f, d)
		add(FFNUpBias, f)
		add(FFNDownWeight, d, f)
		add(FFNDownBias, d)
	}
	return append(out,
		gguf.Tensor{Name: PostLNWeight, Shape: []int{d}}, gguf.Tensor{Name: PostLNBias, Shape: []int{d}},
		gguf.Tensor{Name: ProjectionWeight, Shape: []int{c.ProjectionDim, d}}, gguf.Tensor{Name: ProjectionBias,
			Shape: []int{c.ProjectionDim}})
}

// PaddedWidth returns the width that an MLP of n hidden units has in a file of block types: n
// padded with zeros to the next multiple of 256 (every block and super-block divides it) if that
// adds at most a sixteenth, else to the next multiple of 32: 4304 becomes 4352, 344 becomes 352.
// This changes no result: a hidden unit with zero weights and bias is gelu(0) = 0, and is
// multiplied by zeros afterwards.
func PaddedWidth(n int) int {
	if wide := (n + 255) / 256 * 256; (wide-n)*16 <= n {
		return wide
	}
	return (n + 31) / 32 * 32
}

// PaddedAxis returns the axis of the tensor called name, of either file, that is the vision MLP's
// hidden width, which is padded in files of block types: 0, 1, or -1 for none.
func PaddedAxis(name string) int {
	layer, tensor, ok := strings.Cut(strings.TrimPrefix(name, "v.blk."), ".")
	if _, err := strconv.ParseUint(layer, 10, 10); !ok || err != nil || !strings.HasPrefix(name, "v.blk.") {
		return -1
	}
	switch "v.blk.%d." + tensor {
	case FFNUpWeight, FFNUpBias:
		return 0
	case FFNDownWeight:
		return 1
	}
	return -1
}

// IsPadded reports whether large can be the shape of the tensor called name whose shape without
// padding is small: its PaddedAxis is wider by no more than PaddedWidth adds, and all else is the
// same.
func IsPadded(name string, small, large []int) bool {
	axis := PaddedAxis(name)
	if axis < 0 || len(small) != len(large) || len(small) <= axis {
		return false
	}
	like := slices.Clone(small)
	like[axis] = large[axis]
	n, wide := small[axis], large[axis]
	return slices.Equal(like, large) && wide%32 == 0 && n <= wide && wide-n < 256
}
