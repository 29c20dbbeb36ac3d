package sentencepiece

// This file: the pieces that PaliGemma adds to Gemma's vocabulary.

import (
	"fmt"

	"github.com/pali-gguf/pali/paligemma"
)

// WithPaliGemma returns a copy of m with the 1,024 location and 128 segment pieces at its end, as
// big_vision appends them (pp/ops_text.py, _add_pieces: sorted, user-defined, score 0). A model
// that ends with exactly these is returned as it is; one that has some of them elsewhere is
// refused. m does not change.
func (m *Model) WithPaliGemma() (*Model, error) {
	added := make([]Piece, 0, paligemma.Locations+paligemma.SegmentCodes)
	for i := range paligemma.Locations {
		added = append(added, Piece{Text: paligemma.LocPiece(i), Type: paligemma.PieceUserDefined})
	}
	for i := range paligemma.SegmentCodes {
		added = append(added, Piece{Text: paligemma.SegPiece(i), Type: paligemma.PieceUserDefined})
	}
	want := make(map[string]int, len(added))
	for i, p := range added {
		want[p.Text] = i
	}
	tail := len(m.Pieces) - len(added)
	present := 0
	for i, p := range m.Pieces {
		k, special := want[p.Text]
		if !special {
			continue
		}
		if i != tail+k || p.Type != paligemma.PieceUserDefined {
			return nil, fmt.Errorf("sentencepiece: piece %d, %s: have it there with type %d, "+
				"want all %d location and segment pieces in order at the end, of type %d, or none",
				i, p.Text, p.Type, len(added), paligemma.PieceUserDefined)
		}
		present++
	}
	switch present {
	case 0:
		return &Model{append(m.Pieces[:len(m.Pieces):len(m.Pieces)], added...)}, nil
	case len(added):
		return m, nil
	}
	return nil, fmt.Errorf("sentencepiece: have %d of the %d location and segment pieces, want all or none", present,
		len(added))
}
