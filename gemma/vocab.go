package gemma

// This file: the check of the vocabulary, so that its pieces need no other.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

const maxPiece = 1024 // bytes; the longest of Gemma's has 93

// BytePiece returns the text of the piece for the byte b: "<0x0A>".
func BytePiece(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// checkVocabulary checks that the three arrays of m have the same length, that no two pieces are
// the same (llama.cpp asserts it), that each of the 256 bytes has its piece (llama.cpp's fallback
// for unknown characters throws where it finds none), and that the locations and segment codes come
// last.
func (m *Model) checkVocabulary(f *gguf.File) error {
	v := m.VocabSize
	const minPieces = 4 + 256 + paligemma.Locations + paligemma.SegmentCodes
	if v < minPieces || v > maxVocab {
		return fmt.Errorf("%s: %d pieces, want %d to %d", KeyTokens, v, minPieces, maxVocab)
	}
	if len(m.Scores) != v {
		return fmt.Errorf("%s: %d, want %d as there are pieces", KeyScores, len(m.Scores), v)
	}
	if len(m.Types) != v {
		return fmt.Errorf("%s: %d, want %d as there are pieces", KeyTokenTypes, len(m.Types), v)
	}
	var bytes [256]bool
	first := make(map[string]int, v)
	for i := range v {
		if err := m.checkPiece(i, &bytes); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if j, ok := first[m.Pieces[i]]; ok {
			return fmt.Errorf("piece %d: %.40q again, as piece %d", i, m.Pieces[i], j)
		}
		first[m.Pieces[i]] = i
	}
	for b, ok := range bytes {
		if !ok {
			return fmt.Errorf("no piece %s of type byte (%d)", BytePiece(byte(b)), paligemma.PieceByte)
		}
	}
	unknown, err := gguf.Get[uint32](f, KeyUnknown)
	if err != nil {
		return err
	}
	m.Unknown = int32(unknown)
	for _, key := range []string{KeyUnknown, KeyEOT} {
		if id, ok := f.Lookup(key); ok && id.(uint32) >= uint32(v) {
			return fmt.Errorf("%s: have %v, want less than the %d pieces", key, id, v)
		}
	}
	return m.checkExtraPieces()
}

// checkPiece checks piece i by itself, and marks in bytes the byte that it stands for.
func (m *Model) checkPiece(i int, bytes *[256]bool) error {
	p, score, t := m.Pieces[i], float64(m.Scores[i]), m.Types[i]
	switch {
	case p == "":
		return fmt.Errorf("it is empty")
	case len(p) > maxPiece:
		return fmt.Errorf("it has %d bytes, want at most %d", len(p), maxPiece)
	case strings.Contains(p, "\x00"): // where a C string ends
		return fmt.Errorf("%.40q holds a NUL", p)
	case math.IsNaN(score) || math.IsInf(score, 0):
		return fmt.Errorf("%.40q: a score of %v", p, score)
	case t < paligemma.PieceNormal || t > paligemma.PieceByte:
		return fmt.Errorf("%.40q: type %d, want %d to %d", p, t, paligemma.PieceNormal, paligemma.PieceByte)
	case t == paligemma.PieceByte:
		b, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(p, "<0x"), ">"), 16, 8)
		if err != nil || p != BytePiece(byte(b)) {
			return fmt.Errorf("%.40q has type byte (%d), want a text like %s", p, paligemma.PieceByte, BytePiece(10))
		}
		bytes[b] = true
	}
	return nil
}

// checkExtraPieces checks PaliGemma's own pieces at the vocabulary's end. With another type than
// UserDefined they would not be found in a prompt.
func (m *Model) checkExtraPieces() error {
	at := m.VocabSize - paligemma.Locations - paligemma.SegmentCodes
	for i := range paligemma.Locations + paligemma.SegmentCodes {
		want := paligemma.SegPiece(i - paligemma.Locations)
		if i < paligemma.Locations {
			want = paligemma.LocPiece(i)
		}
		if p, t := m.Pieces[at+i], m.Types[at+i]; p != want || t != paligemma.PieceUserDefined {
			return fmt.Errorf("piece %d: have %.40q of type %d, want %q of type %d: a PaliGemma's vocabulary "+
				"ends with %d locations and %d segment codes",
				at+i, p, t, want, paligemma.PieceUserDefined, paligemma.Locations, paligemma.SegmentCodes)
		}
	}
	return nil
}
