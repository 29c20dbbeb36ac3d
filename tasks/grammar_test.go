package tasks

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/paligemma"
)

// words is a vocabulary with pieces of all kinds: letters, bytes of a character, pieces that reach
// over the end of a label.
var words = []string{"", "", "", " ", ";", " ;", " ; ", "a", "b", "c", " a", " ab", "ab", "c ;", "bc ; ", "\xc3",
	"\xa9", "é", " x", "abcd", "; ", "x"}

func grammarFor(t *testing.T, labels []string, masks bool) *Grammar {
	s, err := newGrammar(labels, masks, len(words)+paligemma.Locations+paligemma.SegmentCodes,
		func(token int32) string { return words[token] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// draw answers with random logits until the end or the limit, as the runner does.
func draw(r *rand.Rand, s *Grammar, limit int) (text string, ended bool) {
	first := len(words)
	for left := limit; left > 0; left-- {
		logits := make([]float32, first+paligemma.Locations+paligemma.SegmentCodes)
		for i := range logits {
			logits[i] = float32(r.NormFloat64())
		}
		logits[paligemma.EOS] += float32(r.IntN(3)) // else few answers end
		s.Mask(logits, left)
		best := 0
		for i, v := range logits {
			if v > logits[best] {
				best = i
			}
		}
		if math.IsInf(float64(logits[best]), -1) {
			return text + " (nothing may come)", false
		}
		s.Accept(int32(best))
		switch {
		case best == int(paligemma.EOS):
			return text, true
		case best < first:
			text += words[best]
		case best < first+paligemma.Locations:
			text += paligemma.LocPiece(best - first)
		default:
			text += paligemma.SegPiece(best - first - paligemma.Locations)
		}
	}
	return text, false
}

// Random logits, a thousand times: every answer has the form, whatever the limit.
func TestGrammarHasTheForm(t *testing.T) {
	labels := []string{"a", "abc", "é", "ab x"}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 1000 {
		masks := i%2 == 1
		s := grammarFor(t, labels, masks)
		limit := s.MaxTokens() + r.IntN(120)
		if i%3 == 0 { // used once before
			draw(r, s, limit/2)
			s = s.Clone()
		}
		text, ended := draw(r, s, limit)
		boxes, unparsed := ParseDetections(text)
		if !ended || len(unparsed) > 0 || strings.Count(text, ";") != max(len(boxes)-1, 0) {
			t.Fatalf("%d tokens: %q: ended %v, unparsed %q", limit, text, ended, unparsed)
		}
		for _, b := range boxes {
			if !slices.Contains(labels, b.Label) || b.Loc[0] > b.Loc[2] || b.Loc[1] > b.Loc[3] ||
				masks != (len(b.Seg) == 16) {
				t.Fatalf("%q: %+v", text, b)
			}
		}
	}
}

func TestGrammarRefusesWhatCannotBeSpelled(t *testing.T) {
	_, err := newGrammar([]string{"a", "az"}, false, len(words)+paligemma.Locations+paligemma.SegmentCodes,
		func(token int32) string { return words[token] })
	if err == nil || !strings.Contains(err.Error(), `"z"`) {
		t.Errorf("a label with a z: %v", err)
	}
}

// Where no object fits, the answer is empty; where objects have no label, there is none.
func TestGrammarAtTheEdges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s := grammarFor(t, []string{"abc"}, true)
	if text, ended := draw(r, s, s.MaxTokens()-1); text != "" || !ended {
		t.Errorf("too few tokens: %q, ended %v", text, ended)
	}
	some := 0
	for range 50 {
		s := grammarFor(t, nil, false)
		text, ended := draw(r, s, 40)
		boxes, unparsed := ParseDetections(text)
		for _, b := range boxes {
			if some++; b.Label != "" {
				t.Errorf("%q has a label", text)
			}
		}
		if !ended || len(unparsed) > 0 {
			t.Errorf("%q: ended %v, unparsed %q", text, ended, unparsed)
		}
	}
	if some == 0 {
		t.Error("no object in 50 answers")
	}
}

// Every way to write a well-formed answer with the vocabulary's pieces is allowed: such an answer
// cannot change.
func TestGrammarAllowsEveryWellFormedAnswer(t *testing.T) {
	loc := func(n int32) int32 { return int32(len(words)) + n }
	for _, c := range []struct {
		name   string
		tokens []int32
	}{
		{"canonical", []int32{loc(1), loc(2), loc(3), loc(4), 10, 8, 9, paligemma.EOS}},
		{"letter by letter", []int32{loc(1), loc(2), loc(1), loc(2), 3, 7, 8, 9, 3, 4, 3, loc(0), loc(0), loc(1023),
			loc(1023), 3, 15, 16, paligemma.EOS}},
		{"over the label end", []int32{loc(9), loc(9), loc(9), loc(9), 10, 14, loc(5), loc(5), loc(5), loc(5), 3, 17, 5,
			3, loc(5), loc(5), loc(5), loc(5), 11, 9, paligemma.EOS}},
		{"nothing", []int32{paligemma.EOS}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := grammarFor(t, []string{"abc", "é"}, false)
			for i, token := range c.tokens {
				logits := make([]float32, len(words)+paligemma.Locations+paligemma.SegmentCodes)
				s.Mask(logits, 100-i)
				if logits[token] != 0 {
					t.Errorf("%s: token %d of %v is forbidden", c.name, i, c.tokens)
					break
				}
				s.Accept(token)
			}
		})
	}
}
