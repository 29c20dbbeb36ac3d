package paligemma

// This file: the sizes of a checkpoint, and the published checkpoints that have them.

import "fmt"

// Architectures of the decoder, as GGUF names them.
const (
	Gemma  = "gemma"  // PaliGemma 1
	Gemma2 = "gemma2" // PaliGemma 2: post norms and soft caps
)

// TextConfig gives the decoder's sizes in GGUF's words.
type TextConfig struct {
	Architecture      string // Gemma or Gemma2
	EmbeddingLength   int    // D, big_vision: width
	BlockCount        int    // L, big_vision: depth
	FeedForwardLength int    // F, big_vision: mlp_dim
	HeadCount         int    // N, big_vision: num_heads
	HeadCountKV       int    // K, big_vision: num_kv_heads
	KeyLength         int    // H, big_vision: head_dim
	VocabSize         int    // V: pieces of the tokenizer, then 1024 locations, then 128 segment codes
}

// VisionConfig gives the SigLIP encoder's sizes in GGUF's words.
type VisionConfig struct {
	ImageSize         int // side of the square image in pixels
	PatchSize         int // side of a patch in pixels
	EmbeddingLength   int // width
	FeedForwardLength int // mlp_dim; in a quantized file it may be zero-padded
	BlockCount        int // depth
	HeadCount         int // num_heads
	ProjectionDim     int // E: the decoder's embedding length
}

// Tokens returns T, the number of image tokens of one image: one for each patch.
func (c VisionConfig) Tokens() int {
	side := c.ImageSize / c.PatchSize
	return side * side
}

// So400m returns the sizes of the encoder that all published checkpoints have, SigLIP So400m/14,
// for images of side pixels and a decoder of width projection (big_vision models/vit.py,
// decode_variant).
func So400m(side, projection int) VisionConfig {
	return VisionConfig{ImageSize: side, PatchSize: 14, EmbeddingLength: 1152, FeedForwardLength: 4304, BlockCount: 27,
		HeadCount: 16, ProjectionDim: projection}
}

// Variant is a published checkpoint family.
type Variant struct {
	Key       string // what people call it on a command line: "3b", "2-10b"
	Name      string // "PaliGemma" or "PaliGemma 2"
	SizeLabel string // "3B", as GGUF's general.size_label
	Text      TextConfig
}

// Variants lists the published decoders, from big_vision (commit 0127fb6b) models/ppp/gemma.py,
// get_config.
var Variants = []Variant{
	{"3b", "PaliGemma", "3B", TextConfig{Gemma, 2048, 18, 16384, 8, 1, 256, 257152}},
	{"2-3b", "PaliGemma 2", "3B", TextConfig{Gemma2, 2304, 26, 9216, 8, 4, 256, 257152}},
	{"2-10b", "PaliGemma 2", "10B", TextConfig{Gemma2, 3584, 42, 14336, 16, 8, 256, 257152}},
	{"2-28b", "PaliGemma 2", "28B", TextConfig{Gemma2, 4608, 46, 36864, 32, 16, 128, 257152}},
}

// Keys returns the keys of the published variants.
func Keys() []string {
	keys := make([]string, len(Variants))
	for i, v := range Variants {
		keys[i] = v.Key
	}
	return keys
}

// Find returns the published variant with this key.
func Find(key string) (Variant, bool) { return find(Variants, key) }

func find(variants []Variant, key string) (Variant, bool) {
	for _, v := range variants {
		if v.Key == key {
			return v, true
		}
	}
	return Variant{}, false
}

// Lookup returns the published variant whose decoder has exactly the sizes text. For any other it
// returns false and a variant without a key: the family's name, and a size label made from the
// number of parameters.
func Lookup(text TextConfig, parameters int64) (Variant, bool) {
	for _, v := range Variants {
		if v.Text == text {
			return v, true
		}
	}
	name := "PaliGemma"
	if text.Architecture == Gemma2 {
		name = "PaliGemma 2"
	}
	return Variant{Name: name, SizeLabel: SizeLabel(parameters), Text: text}, false
}

// SizeLabel writes a number of parameters as GGUF's general.size_label does: "2.9M", "3B".
func SizeLabel(parameters int64) string {
	n := float64(parameters)
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "B"}, {1e6, "M"}} {
		if n >= 10*unit.of {
			return fmt.Sprintf("%.0f%s", n/unit.of, unit.name)
		}
		if n >= unit.of {
			return fmt.Sprintf("%.1f%s", n/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.0fK", n/1e3)
}
