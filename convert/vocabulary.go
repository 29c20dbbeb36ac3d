package convert

// This file: the decoder's vocabulary: the tokenizer's pieces, then PaliGemma's locations and segment codes.
// Before it: convert/sentencepiece. After it: the tokenizer keys of meta.go.

import (
	"fmt"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gemma"
)

// vocabulary returns the tokenizer's pieces with the location and segment pieces behind them. Gemma's own tokenizer lacks these
// pieces and gets them appended, as big_vision does (pp/ops_text.py, _add_pieces); paligemma_tokenizer.model ends with them.
// It fails unless they then are want in number, and unless the control pieces have their ids and no piece is there twice.
func vocabulary(m *sentencepiece.Model, want int) ([]sentencepiece.Piece, error) {
	var added []sentencepiece.Piece
	for i := range pali.Locations {
		added = append(added, sentencepiece.Piece{Text: pali.LocPiece(i), Type: gemma.UserDefined})
	}
	for i := range pali.SegmentCodes {
		added = append(added, sentencepiece.Piece{Text: pali.SegPiece(i), Type: gemma.UserDefined})
	}
	pieces := m.Pieces[:len(m.Pieces):len(m.Pieces)]
	if tail := len(pieces) - len(added); tail >= 0 && pieces[tail].Text == added[0].Text {
		pieces = pieces[:tail:tail]
	}
	pieces = append(pieces, added...)
	if len(pieces) != want {
		return nil, fmt.Errorf("convert: the tokenizer does not belong to the checkpoint: it has %d pieces with the %d location and segment pieces, the checkpoint %d",
			len(pieces), len(added), want)
	}
	for _, special := range []struct{ id, kind int32 }{{pali.PAD, gemma.Control}, {pali.EOS, gemma.Control}, {pali.BOS, gemma.Control}, {unknownID, gemma.Unknown}} {
		if p := pieces[special.id]; p.Type != special.kind {
			return nil, fmt.Errorf("convert: tokenizer: piece %d (%.40q) has type %d, want %d", special.id, p.Text, p.Type, special.kind)
		}
	}
	seen := make(map[string]int, len(pieces))
	for i, p := range pieces {
		if first, twice := seen[p.Text]; twice {
			return nil, fmt.Errorf("convert: tokenizer: pieces %d and %d are both %.40q", first, i, p.Text)
		}
		seen[p.Text] = i
	}
	return pieces, nil
}
