// Package sentencepiece reads a SentencePiece model (tokenizer.model): its pieces, their scores and
// their types.
//
// Before it: a file. After it: package convert, which appends PaliGemma's location and segment
// pieces and writes the tokenizer keys of the text GGUF.
//
// Only models that llama.cpp's vocabulary encodes the same way are accepted: byte-pair encoding
// with byte fallback, without a normalizer that changes text, and with PaliGemma's four special
// ids.
package sentencepiece

import (
	"fmt"

	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/internal/input"
)

// Limits of a model, far above Gemma's 4.2 MB, 256,000 pieces and a trainer's part of some hundred
// bytes.
const (
	maxBytes     = 64 << 20
	maxPieces    = 1 << 20
	maxPiece     = 4096     // bytes of one piece's text
	maxPieceCode = 8 << 10  // bytes of one piece's message
	maxSpecs     = 64 << 10 // bytes of the trainer's and the normalizer's parts together
)

// Piece is one entry of the vocabulary; its token is its position.
type Piece struct {
	Text  string // valid UTF-8, not empty; U+2581 stands for a space
	Score float32
	Type  int32 // paligemma.PieceNormal to PieceByte
}

// Model is a vocabulary.
type Model struct{ Pieces []Piece }

// Open reads the model in the regular file at path, of at most 64 MiB. The error for a file or a
// folder that is known to be something else says what.
func Open(path string) (*Model, error) {
	data, err := input.ReadFile(path, maxBytes)
	if err == nil {
		var m *Model
		if m, err = parse(data); err == nil {
			return m, nil
		}
		err = fmt.Errorf("%s: %w", path, err)
	}
	if other := filekind.At(path, filekind.Tokenizer); other != nil {
		return nil, other
	}
	return nil, fmt.Errorf("sentencepiece: %w", err)
}

// Parse reads the model in data. It fails on anything but a vocabulary as the package's comment
// describes it, with every text once. Besides the pieces that it returns it allocates about 100
// bytes for each of them and at most 8 MiB for the trainer's and normalizer's parts.
func Parse(data []byte) (*Model, error) {
	m, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece: %w", err)
	}
	return m, nil
}

func parse(data []byte) (*Model, error) {
	d, err := decode(data)
	if err != nil {
		return nil, err
	}
	if err := checkSpecs(d.trainer, d.normalizer); err != nil {
		return nil, err
	}
	if err := checkPieces(d.pieces); err != nil {
		return nil, err
	}
	return &Model{d.pieces}, nil
}
