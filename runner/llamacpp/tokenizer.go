package llamacpp

// This file: from text to tokens as SentencePiece does it.

import (
	"strings"

	"github.com/pali-gguf/pali/bindings/llama"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/paligemma"
)

// tokenizer is llama.cpp's vocabulary, but for the pieces that it makes control pieces by their
// name although the tokenizer has them as user-defined ("<end_of_turn>"). SentencePiece finds such
// a piece in any text before it merges anything, so the text is split there first.
type tokenizer struct {
	model  *llama.Model
	pieces []hiddenPiece
}

// hiddenPiece is a user-defined piece that llama.cpp does not find in text.
type hiddenPiece struct {
	text  string
	token int32
}

func newTokenizer(m *llama.Model, c *gemma.Model) tokenizer {
	t := tokenizer{model: m}
	for i, kind := range c.Types {
		if kind == paligemma.PieceUserDefined && m.IsControl(int32(i)) {
			t.pieces = append(t.pieces, hiddenPiece{c.Pieces[i], int32(i)})
		}
	}
	return t
}

// Tokenize turns text into tokens. It adds none, and reads no control piece ("<eos>") in the text.
func (t tokenizer) Tokenize(text string) ([]int32, error) {
	return t.tokenize(text, t.pieces)
}

// tokenize splits the text at the pieces, tokenizes the parts, and puts the pieces' tokens between
// them.
func (t tokenizer) tokenize(text string, pieces []hiddenPiece) ([]int32, error) {
	if len(pieces) == 0 {
		return t.model.Tokenize(text)
	}
	var out []int32
	for i, part := range strings.Split(text, pieces[0].text) {
		if i > 0 {
			out = append(out, pieces[0].token)
		}
		tokens, err := t.tokenize(part, pieces[1:])
		if err != nil {
			return nil, err
		}
		out = append(out, tokens...)
	}
	return out, nil
}
