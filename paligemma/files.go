package paligemma

// This file: the kinds of GGUF files that make a model, told apart by their key
// general.architecture.

import "fmt"

// Architectures of the files other than the text file, whose architecture is the decoder's.
const (
	VisionArchitecture = "clip" // llama.cpp's word for any vision (mmproj) file
	MaskArchitecture   = "paligemma-masks"
)

// FileKind is what a GGUF file is in a model.
type FileKind string

// The kinds. The zero value is none of them.
const (
	TextFile   FileKind = "text"   // decoder and vocabulary
	VisionFile FileKind = "mmproj" // vision encoder and projector
	MaskFile   FileKind = "mask"   // decoder of segment codes
)

// KindOf returns the kind of a file with this general.architecture, and "" for any other
// architecture.
func KindOf(architecture string) FileKind {
	switch architecture {
	case Gemma, Gemma2:
		return TextFile
	case VisionArchitecture:
		return VisionFile
	case MaskArchitecture:
		return MaskFile
	}
	return ""
}

// FileKindError is a file of a model in the place of another one.
type FileKindError struct{ Have, Want FileKind }

func (e FileKindError) Error() string {
	return fmt.Sprintf("this is the %s file, want the %s file", e.Have, e.Want)
}

// CheckPair fails unless the projector of vision gives embeddings of the width of the decoder text.
func CheckPair(text TextConfig, vision VisionConfig) error {
	if vision.ProjectionDim != text.EmbeddingLength {
		return fmt.Errorf("the projector gives rows of %d, the decoder takes rows of %d", vision.ProjectionDim,
			text.EmbeddingLength)
	}
	return nil
}
