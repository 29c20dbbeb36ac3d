package convert

// This file: the decoder's vocabulary, and whether it belongs to the checkpoint.

import (
	"fmt"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/paligemma"
)

// vocabulary returns the tokenizer's pieces followed by the location and segment pieces. It fails
// unless they are want in number and the control pieces have the ids that every PaliGemma has.
func vocabulary(m *sentencepiece.Model, want int) ([]sentencepiece.Piece, error) {
	m, err := m.WithPaliGemma()
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if len(m.Pieces) != want {
		return nil,
			fmt.Errorf("convert: the tokenizer does not belong to the checkpoint: it has %d pieces with the %d "+
				"location and segment pieces, the checkpoint %d",
				len(m.Pieces), paligemma.Locations+paligemma.SegmentCodes, want)
	}
	for _, special := range []struct{ id, kind int32 }{
		{paligemma.PAD, paligemma.PieceControl}, {paligemma.EOS, paligemma.PieceControl},
		{paligemma.BOS, paligemma.PieceControl}, {unknownID, paligemma.PieceUnknown},
	} {
		if p := m.Pieces[special.id]; p.Type != special.kind {
			return nil, fmt.Errorf("convert: tokenizer: piece %d (%.40q) has type %d, want %d", special.id, p.Text,
				p.Type, special.kind)
		}
	}
	return m.Pieces, nil
}
