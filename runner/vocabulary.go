package runner

// This file: from tokens to text.

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pali-gguf/pali/paligemma"
)

// Vocabulary turns tokens into text as SentencePiece does: control pieces vanish, byte pieces are
// joined to characters, U+2581 is a space. Safe for concurrent use.
type Vocabulary struct {
	bytes []string // what each token adds to the text
}

// NewVocabulary returns the vocabulary of pieces, in the order of the tokens, with their types
// (paligemma.PieceNormal and so on).
func NewVocabulary(pieces []string, types []int32) *Vocabulary {
	v := &Vocabulary{bytes: make([]string, len(pieces))}
	for i, p := range pieces {
		switch types[i] {
		case paligemma.PieceControl:
		case paligemma.PieceUnknown:
			v.bytes[i] = " \u2047 " // SentencePiece's surface of an unknown piece
		case paligemma.PieceByte: // <0x0A>
			if n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(p, "<0x"), ">"), 16, 8); err == nil {
				v.bytes[i] = string([]byte{byte(n)})
			}
		default:
			v.bytes[i] = strings.ReplaceAll(p, "\u2581", " ")
		}
	}
	return v
}

// Len returns the number of tokens.
func (v *Vocabulary) Len() int { return len(v.bytes) }

// Bytes returns what token adds to a text, which may be a part of a character.
func (v *Vocabulary) Bytes(token int32) string { return v.bytes[token] }

// Text returns the text of token alone. A byte that is not a character on its own becomes
// U+FFFD.
func (v *Vocabulary) Text(token int32) string {
	d := v.Decoder()
	return d.Add(token) + d.Flush()
}

// Decoder returns a decoder of one text.
func (v *Vocabulary) Decoder() *TextDecoder { return &TextDecoder{v: v} }

// TextDecoder joins tokens to text and gives out whole characters as soon as they are complete.
type TextDecoder struct {
	v    *Vocabulary
	held []byte // the beginning of a character
}

// Add appends token and returns the characters that are complete with it. Bytes that cannot begin a
// character become U+FFFD, one each.
func (d *TextDecoder) Add(token int32) string {
	if token < 0 || int(token) >= len(d.v.bytes) {
		return ""
	}
	d.held = append(d.held, d.v.bytes[token]...)
	var out strings.Builder
	for len(d.held) > 0 && utf8.FullRune(d.held) {
		r, n := utf8.DecodeRune(d.held)
		out.WriteRune(r)
		d.held = d.held[n:]
	}
	return out.String()
}

// Flush returns the rest, an incomplete character, as U+FFFD for each byte, and forgets it.
func (d *TextDecoder) Flush() string {
	n := len(d.held)
	d.held = nil
	return strings.Repeat(string(utf8.RuneError), n)
}
