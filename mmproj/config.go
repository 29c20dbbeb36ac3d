package mmproj

// This file: the check of a vision file, on whose tensors package siglip can then rely.

import (
	"errors"
	"fmt"
	"math"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Limits of what Check accepts. The weights are in the file, which bounds their size; these bound
// what a graph allocates besides: T*T*N attention scores, and the pixels of an image.
const (
	maxTokens = 8192 // T; the largest published grid has 64 x 64 = 4096
	maxSide   = 8192 // pixels of an image's or a patch's side
	maxLayers = 512
	maxHeads  = 256
	maxWidth  = 1 << 17
)

// Check reads the keys of f, a vision file, and checks them, and that f has exactly the tensors of
// Tensors with their shapes and with types that ggml computes with. It reads no tensor data. Keys
// that begin with general., quantize. or pali. are free; any other that this package does not name
// is refused.
func Check(f *gguf.File) (paligemma.VisionConfig, error) {
	c, err := checkConfig(f)
	if err != nil {
		return paligemma.VisionConfig{}, fmt.Errorf("mmproj: %w", err)
	}
	return c, nil
}

func checkConfig(f *gguf.File) (paligemma.VisionConfig, error) {
	if err := checkArchitecture(f); err != nil {
		return paligemma.VisionConfig{}, err
	}
	if err := gguf.CheckKeys(f, configRules(), "general.", "quantize.", "pali."); err != nil {
		return paligemma.VisionConfig{}, err
	}
	c, err := readConfig(f)
	if err != nil {
		return c, err
	}
	switch {
	case c.ImageSize%c.PatchSize != 0:
		return c, fmt.Errorf("an image of %d pixels, want a multiple of the patch's %d", c.ImageSize, c.PatchSize)
	case c.Tokens() > maxTokens:
		return c, fmt.Errorf("%d image tokens, want at most %d", c.Tokens(), maxTokens)
	case c.EmbeddingLength%c.HeadCount != 0:
		return c, fmt.Errorf("a width of %d, want a multiple of the %d heads", c.EmbeddingLength, c.HeadCount)
	}
	return c, gguf.CheckTensors(f, Tensors(c), tensorTypes)
}

// checkArchitecture fails if f is not a vision file, and says which other kind of file it is.
func checkArchitecture(f *gguf.File) error {
	arch, err := gguf.Get[string](f, KeyArchitecture)
	if err != nil {
		return err
	}
	switch kind := paligemma.KindOf(arch); kind {
	case paligemma.VisionFile:
	case "":
		return fmt.Errorf("%s: have %.40q, want %q: this is not a vision (mmproj) file", KeyArchitecture, arch,
			Architecture)
	default:
		return paligemma.FileKindError{Have: kind, Want: paligemma.VisionFile}
	}
	if t, ok := f.Lookup(KeyProjectorType); ok && t != any(ProjectorType) {
		return fmt.Errorf("%s: have %.40q, want %q: this is another model's vision file", KeyProjectorType,
			fmt.Sprint(t), ProjectorType)
	}
	return nil
}

// configRules returns the keys and the values they may have.
func configRules() []gguf.Rule {
	size := func(max uint32) func(any) error { return gguf.Between[uint32](1, max) }
	half := gguf.Equal([]float32{0.5, 0.5, 0.5})
	return []gguf.Rule{
		{Key: KeyArchitecture},
		{Key: KeyProjectorType},
		{Key: KeyHasVision, Check: gguf.Equal(true)},
		{Key: KeyUseGELU, Check: gguf.Equal(true)},
		{Key: KeyImageSize, Check: size(maxSide)},
		{Key: KeyPatchSize, Check: size(maxSide)},
		{Key: KeyEmbeddingLength, Check: size(maxWidth)},
		{Key: KeyFeedForwardLength, Check: size(maxWidth)},
		{Key: KeyBlockCount, Check: size(maxLayers)},
		{Key: KeyProjectionDim, Check: size(maxWidth)},
		{Key: KeyHeadCount, Check: size(maxHeads)},
		{Key: KeyEpsilon, Check: gguf.Between[float32](math.SmallestNonzeroFloat32, 1e-2)},
		{Key: KeyImageMean, Check: half}, // Preprocess gives [-1,1] whatever a file says
		{Key: KeyImageStd, Check: half},
		{Key: "clip.has_audio_encoder", Optional: true, Check: gguf.Equal(false)},
		{Key: "clip.has_text_encoder", Optional: true, Check: gguf.Equal(false)},
	}
}

// readConfig returns the values of f, whose types have been checked.
func readConfig(f *gguf.File) (paligemma.VisionConfig, error) {
	var err error
	number := func(key string) int {
		v, e := gguf.Get[uint32](f, key)
		err = errors.Join(err, e)
		return int(v)
	}
	c := paligemma.VisionConfig{
		ImageSize: number(KeyImageSize), PatchSize: number(KeyPatchSize),
		EmbeddingLength: number(KeyEmbeddingLength), FeedForwardLength: number(KeyFeedForwardLength),
		BlockCount: number(KeyBlockCount), HeadCount: number(KeyHeadCount), ProjectionDim: number(KeyProjectionDim),
	}
	return c, err
}

// tensorTypes returns the types that t may have. The patch kernel goes through ggml's im2col, which
// takes F32 and F16.
func tensorTypes(t gguf.Tensor) []gguf.Type {
	switch {
	case t.Name == PatchEmbdWeight:
		return []gguf.Type{gguf.F32, gguf.F16}
	case t.Name == PositionEmbd || len(t.Shape) == 1:
		return gguf.Vectors
	}
	return gguf.Matrices
}
