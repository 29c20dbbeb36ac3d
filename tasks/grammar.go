package tasks

// This file: a constraint under which a detection or a segmentation can only have the form of
// detection.go. Logits are masked, and nothing is rewritten: an answer that would have had the form
// anyway stays the same.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// segCodes is the number of segment codes of one mask.
const segCodes = 16

// separator stands between two objects, and between the labels of a prompt.
const separator = " ; "

// Grammar is the constraint on one answer: every object has four locations with y0 <= y1 and x0 <=
// x1, for a segmentation sixteen segment codes, and one of the labels; objects are separated by " ;
// "; there may be none. An object is begun only if there are tokens left to end it. It implements
// runner.Constraint.
type Grammar struct {
	labels    []string     // as they follow a box: " red circle"
	tokens    []tokenBytes // the tokens that labels and separators can be made of
	numbers   int          // locations and segment codes of an object: 4 or 20
	maxTokens int          // of an object and the end of the answer
	first     int32        // token of location 0; the other locations and the segment codes follow

	begun bool   // an object was
	have  int    // numbers of the current object
	loc   [4]int // its bins
	text  string // what has come of its label, and of the separator

	allowed []allowedLogit
}

// tokenBytes is a token and what it adds to the text.
type tokenBytes struct {
	token int32
	bytes string
}

type allowedLogit struct {
	token int
	logit float32
}

// NewGrammar returns the constraint for an answer of at most maxTokens tokens of v, whose objects
// have one of labels, or no label if labels is empty, and masks if masks is set. It fails on a
// label with a byte for which v has no token, since it could not be completed, and with a
// TokensError if the answer cannot hold one object.
func NewGrammar(v *runner.Vocabulary, labels []string, masks bool, maxTokens int) (*Grammar, error) {
	if err := CheckTokens(labels, masks, maxTokens); err != nil {
		return nil, err
	}
	return newGrammar(labels, masks, v.Len(), v.Bytes)
}

// TokensError reports a limit of Have tokens under which an answer cannot hold one object.
type TokensError struct{ Have, Need int }

func (e TokensError) Error() string {
	return fmt.Sprintf("at most %d tokens: an object may take %d in the strict form", e.Have, e.Need)
}

// CheckTokens returns a TokensError if NewGrammar would for these arguments.
func CheckTokens(labels []string, masks bool, maxTokens int) error {
	if need := objectTokens(labels, masks); maxTokens < need {
		return TokensError{maxTokens, need}
	}
	return nil
}

// newGrammar is NewGrammar for a vocabulary of size tokens; bytes returns what a token adds to the
// text.
func newGrammar(labels []string, masks bool, size int, bytes func(token int32) string) (*Grammar, error) {
	g := &Grammar{numbers: numbersOf(masks), maxTokens: objectTokens(labels, masks),
		first: int32(size - paligemma.Locations - paligemma.SegmentCodes)}
	for _, label := range labels {
		g.labels = append(g.labels, " "+label)
	}
	if len(labels) == 0 {
		g.labels = []string{""}
	}
	whole := ""
	for _, l := range g.labels {
		whole += l + separator + "\x00"
	}
	for token := range g.first {
		if b := bytes(token); b != "" && strings.Contains(whole, b) {
			g.tokens = append(g.tokens, tokenBytes{token, b})
		}
	}
	for _, l := range g.labels {
		for i := range len(l + separator) {
			if !slices.ContainsFunc(g.tokens, func(p tokenBytes) bool { return p.bytes == (l + separator)[i:i+1] }) {
				return nil, fmt.Errorf("label %q: the vocabulary has no token for %q", l, (l + separator)[i:i+1])
			}
		}
	}
	return g, nil
}

// numbersOf returns how many locations and segment codes an object has.
func numbersOf(masks bool) int {
	if masks {
		return 4 + segCodes
	}
	return 4
}

// objectTokens returns the maximum number of tokens of an object with one of labels, with the end
// of the answer.
func objectTokens(labels []string, masks bool) int {
	longest := 0
	for _, label := range labels {
		longest = max(longest, len(" ")+len(label)) // a token is a byte at least
	}
	return numbersOf(masks) + longest + 1
}

// MaxTokens returns the maximum number of tokens of a first object, with the end of the answer. An
// answer whose limit is lower is empty.
func (g *Grammar) MaxTokens() int { return g.maxTokens }

// Clone returns the same constraint for another answer. The two share no state.
func (g *Grammar) Clone() *Grammar {
	return &Grammar{labels: g.labels, tokens: g.tokens, numbers: g.numbers, maxTokens: g.maxTokens, first: g.first}
}

// Mask sets the logits of all tokens that may not come next to minus infinity. left is the number
// of tokens that may still come, this one included.
func (g *Grammar) Mask(logits []float32, left int) {
	g.allowed = g.allowed[:0]
	allow := func(from, to int32) {
		for t := from; t < to; t++ {
			g.allowed = append(g.allowed, allowedLogit{int(t), logits[t]})
		}
	}
	switch {
	case !g.begun:
		allow(paligemma.EOS, paligemma.EOS+1)
		if left >= g.maxTokens {
			allow(g.first, g.first+paligemma.Locations)
		}
	case g.have < 2:
		allow(g.first, g.first+paligemma.Locations)
	case g.have < 4:
		allow(g.first+int32(g.loc[g.have-2]), g.first+paligemma.Locations)
	case g.have < g.numbers:
		allow(g.first+paligemma.Locations, g.first+paligemma.Locations+paligemma.SegmentCodes)
	default:
		g.allowText(allow, left)
	}
	for i := range logits {
		logits[i] = float32(math.Inf(-1))
	}
	for _, k := range g.allowed {
		logits[k.token] = k.logit
	}
}

// allowText allows what may follow the numbers of an object: the rest of a label, the end, or the
// separator before the next object.
func (g *Grammar) allowText(allow func(from, to int32), left int) {
	for _, l := range g.labels {
		switch g.text {
		case l:
			allow(paligemma.EOS, paligemma.EOS+1)
		case l + separator:
			allow(g.first, g.first+paligemma.Locations)
		}
	}
	for _, p := range g.tokens {
		if g.isPrefix(g.text+p.bytes, left-1) {
			allow(p.token, p.token+1)
		}
	}
}

// isPrefix reports whether an object's text can begin with text, with left tokens to follow it.
func (g *Grammar) isPrefix(text string, left int) bool {
	for _, l := range g.labels {
		if strings.HasPrefix(l, text) {
			return true
		}
		if whole := l + separator; strings.HasPrefix(whole, text) && len(whole)-len(text)+g.maxTokens <= left {
			return true
		}
	}
	return false
}

// Accept advances the constraint by the token that was chosen.
func (g *Grammar) Accept(token int32) {
	number := int(token - g.first)
	switch {
	case number < 0: // text, or the end
		for _, p := range g.tokens {
			if p.token == token {
				g.text += p.bytes
			}
		}
	case !g.begun || g.have >= g.numbers: // the first location of an object
		g.begun, g.have, g.text = true, 1, ""
		g.loc[0] = number
	default:
		if g.have < 4 {
			g.loc[g.have] = number
		}
		g.have++
	}
}
