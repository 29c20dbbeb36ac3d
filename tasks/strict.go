package tasks

// This file: --strict, which lets a detection or a segmentation have no other form than the grammar's (boxes.go). Before it: the labels that were
// asked for. After it: runner.Runner, which asks it before each token is chosen. Logits are forbidden, and nothing is rewritten: an answer that
// would have had the form anyway stays the same.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/paligemma"
)

// between is what stands between two objects.
const separator = " ; "

// segCodes is the number of segment codes of one mask.
const segCodes = 16

// Strict is the constraint on one answer: every object has four locations with y0 <= y1 and x0 <= x1, for a segmentation sixteen segment codes, and
// one of the labels; objects are parted by " ; "; there may be none. An object is begun only if there are tokens left to end it.
// It implements runner.Constraint.
type Grammar struct {
	labels  []string // as they follow a box: " red circle"
	pieces  []piece  // the tokens that labels and what is between objects can be made of
	numbers int      // locations and segment codes of an object: 4 or 20
	longest int      // most tokens that an object and the end of the answer take
	first   int32    // token of location 0; the other locations and the segment codes follow

	begun bool   // an object was
	have  int    // numbers of the current object
	loc   [4]int // its bins
	text  string // what has come of its label, and of what is between

	keep []kept
}

type piece struct {
	token int32
	bytes string
}

type kept struct {
	at    int
	logit float32
}

// NewStrict prepares the constraint for an answer with these labels, none if objects have none, and with masks. bytes gives what a token adds to the
// text, one of size tokens. It fails on a label with a byte that no token is: there would be no way to end it.
func NewGrammar(labels []string, masks bool, size int, bytes func(token int32) string) (*Grammar, error) {
	s := &Grammar{numbers: 4, first: int32(size - paligemma.Locations - paligemma.SegmentCodes)}
	if masks {
		s.numbers += segCodes
	}
	for _, label := range labels {
		s.labels = append(s.labels, " "+label)
	}
	if len(labels) == 0 {
		s.labels = []string{""}
	}
	whole := ""
	for _, l := range s.labels {
		whole += l + separator + "\x00"
		s.longest = max(s.longest, s.numbers+len(l)+1) // a token is a byte at least
	}
	for token := range s.first {
		if b := bytes(token); b != "" && strings.Contains(whole, b) {
			s.pieces = append(s.pieces, piece{token, b})
		}
	}
	for _, l := range s.labels {
		for i := range len(l + separator) {
			if !slices.ContainsFunc(s.pieces, func(p piece) bool { return p.bytes == (l + separator)[i:i+1] }) {
				return nil, fmt.Errorf("label %q: the vocabulary has no token for %q", l, (l + separator)[i:i+1])
			}
		}
	}
	return s, nil
}

// Longest returns how many tokens a first object may take, with the end of the answer. An answer that may not be as long is empty.
func (s *Grammar) MaxTokens() int { return s.longest }

// Again returns the same constraint for another answer. The two do not disturb each other.
func (s *Grammar) Clone() *Grammar {
	return &Grammar{labels: s.labels, pieces: s.pieces, numbers: s.numbers, longest: s.longest, first: s.first}
}

// Forbid sets the logits of all tokens that may not come next to minus infinity. left is how many tokens may still come, this one among them.
func (s *Grammar) Mask(logits []float32, left int) {
	s.keep = s.keep[:0]
	allow := func(from, to int32) {
		for t := from; t < to; t++ {
			s.keep = append(s.keep, kept{int(t), logits[t]})
		}
	}
	switch {
	case !s.begun:
		allow(paligemma.EOS, paligemma.EOS+1)
		if left >= s.longest {
			allow(s.first, s.first+paligemma.Locations)
		}
	case s.have < 2:
		allow(s.first, s.first+paligemma.Locations)
	case s.have < 4:
		allow(s.first+int32(s.loc[s.have-2]), s.first+paligemma.Locations)
	case s.have < s.numbers:
		allow(s.first+paligemma.Locations, s.first+paligemma.Locations+paligemma.SegmentCodes)
	default:
		s.allowText(allow, left)
	}
	for i := range logits {
		logits[i] = float32(math.Inf(-1))
	}
	for _, k := range s.keep {
		logits[k.at] = k.logit
	}
}

// allowText allows what may follow the numbers of an object: the rest of a label, the end, or the way to the next object.
func (s *Grammar) allowText(allow func(from, to int32), left int) {
	for _, l := range s.labels {
		switch s.text {
		case l:
			allow(paligemma.EOS, paligemma.EOS+1)
		case l + separator:
			allow(s.first, s.first+paligemma.Locations)
		}
	}
	for _, p := range s.pieces {
		if s.leads(s.text+p.bytes, left-1) {
			allow(p.token, p.token+1)
		}
	}
}

// leads reports whether an object's text can begin so, with so many tokens to come behind it.
func (s *Grammar) leads(text string, left int) bool {
	for _, l := range s.labels {
		if strings.HasPrefix(l, text) {
			return true
		}
		if whole := l + separator; strings.HasPrefix(whole, text) && len(whole)-len(text)+s.longest <= left {
			return true
		}
	}
	return false
}

// Take says which token was chosen.
func (s *Grammar) Accept(token int32) {
	number := int(token - s.first)
	switch {
	case number < 0: // text, or the end
		for _, p := range s.pieces {
			if p.token == token {
				s.text += p.bytes
			}
		}
	case !s.begun || s.have >= s.numbers: // the first location of an object
		s.begun, s.have, s.text = true, 1, ""
		s.loc[0] = number
	default:
		if s.have < 4 {
			s.loc[s.have] = number
		}
		s.have++
	}
}
