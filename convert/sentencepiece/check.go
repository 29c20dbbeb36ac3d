package sentencepiece

// This file: the conditions for llama.cpp to encode text with a vocabulary as SentencePiece does,
// and for that vocabulary to be PaliGemma's.

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	proto "github.com/ollama/ollama/convert/sentencepiece"
	"github.com/pali-gguf/pali/paligemma"
)

// unknownID is the token of <unk>.
const unknownID int32 = 3

// checkSpecs refuses a model that encodes text in a way that llama.cpp's vocabulary does not, or
// that has other special tokens than Gemma's.
func checkSpecs(t *proto.TrainerSpec, n *proto.NormalizerSpec) error {
	if k := t.GetModelType(); k != proto.TrainerSpec_BPE {
		return fmt.Errorf("model type: have %v, want BPE", k)
	}
	for _, b := range []struct {
		name       string
		have, want bool
	}{
		{"byte_fallback", t.GetByteFallback(), true},
		{"treat_whitespace_as_suffix", t.GetTreatWhitespaceAsSuffix(), false},
		{"add_dummy_prefix", n.GetAddDummyPrefix(), false},
		{"remove_extra_whitespaces", n.GetRemoveExtraWhitespaces(), false},
		{"escape_whitespaces", n.GetEscapeWhitespaces(), true},
	} {
		if b.have != b.want {
			return fmt.Errorf("%s: have %v, want %v", b.name, b.have, b.want)
		}
	}
	if k := len(n.GetPrecompiledCharsmap()); k > 0 {
		return fmt.Errorf("normalizer: have a character map of %d bytes, want none", k)
	}
	for _, id := range []struct {
		name       string
		have, want int32
	}{{"pad", t.GetPadId(), paligemma.PAD}, {"eos", t.GetEosId(), paligemma.EOS}, {"bos", t.GetBosId(), paligemma.BOS},
		{"unk", t.GetUnkId(), unknownID}} {
		if id.have != id.want {
			return fmt.Errorf("%s_id: have %d, want %d", id.name, id.have, id.want)
		}
	}
	return nil
}

// checkPieces checks every piece, and that those exist that must: the special ones, one for each
// byte, and the separator.
func checkPieces(pieces []Piece) error {
	at := make(map[string]int, len(pieces))
	count := map[int32]int{}
	for i, p := range pieces {
		if err := p.check(); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if first, twice := at[p.Text]; twice {
			return fmt.Errorf("pieces %d and %d are both %.40q", first, i, p.Text)
		}
		at[p.Text] = i
		count[p.Type]++
	}
	for id, want := range []int32{
		paligemma.PAD: paligemma.PieceControl, paligemma.EOS: paligemma.PieceControl,
		paligemma.BOS: paligemma.PieceControl,
		unknownID:     paligemma.PieceUnknown,
	} {
		if id >= len(pieces) {
			return fmt.Errorf("have %d pieces, want the special ones at 0 to %d", len(pieces), unknownID)
		}
		if p := pieces[id]; p.Type != want {
			return fmt.Errorf("piece %d, %.40q: have type %d, want %d", id, p.Text, p.Type, want)
		}
	}
	if n := count[paligemma.PieceUnknown]; n != 1 {
		return fmt.Errorf("have %d pieces for unknown text, want 1", n)
	}
	for b := range 256 {
		text := fmt.Sprintf("<0x%02X>", b)
		if i, ok := at[text]; !ok || pieces[i].Type != paligemma.PieceByte {
			return fmt.Errorf("have no byte piece %s, want one", text)
		}
	}
	if n := count[paligemma.PieceByte]; n != 256 {
		return fmt.Errorf("have %d byte pieces, want 256", n)
	}
	if i, ok := at[paligemma.Separator]; !ok ||
		pieces[i].Type != paligemma.PieceUserDefined && pieces[i].Type != paligemma.PieceNormal {
		return fmt.Errorf("have no piece %q for text, want one: it ends a prompt", paligemma.Separator)
	}
	return nil
}

func (p Piece) check() error {
	switch {
	case p.Text == "" || len(p.Text) > maxPiece:
		return fmt.Errorf("have %d bytes of text, want 1 to %d", len(p.Text), maxPiece)
	case !utf8.ValidString(p.Text):
		return errors.New("have text that is not UTF-8")
	case math.IsNaN(float64(p.Score)) || math.IsInf(float64(p.Score), 0):
		return fmt.Errorf("have score %v, want a number", p.Score)
	case p.Type < paligemma.PieceNormal || p.Type > paligemma.PieceByte:
		return fmt.Errorf("have type %d, want %d to %d", p.Type, paligemma.PieceNormal, paligemma.PieceByte)
	}
	return nil
}
