package tasks

// This file: what is lost between what was asked and what came of the answers. Every command and
// route counts it here, and says it in these words.

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// Want is what is wanted of an answer.
type Want struct {
	Prompt    Prompt
	MinScore  float64 // objects with a lower score are left out, 0 to 1
	MaxTokens int     // longest answer in tokens
	Strict    bool    // the answer was constrained by a Grammar
	Masks     bool    // each object is to have a mask
	Decoder   bool    // there is a decoder for masks
}

// Losses counts what answers lost. The zero Losses has lost nothing.
type Losses struct {
	LowScore int `json:"low_score,omitempty"`   // objects left out: they score too little
	NoArea   int `json:"no_area,omitempty"`     // objects left out: their boxes have no area
	Unparsed int `json:"not_objects,omitempty"` // parts of answers that are not objects
	// Unasked has how many objects have a label that nobody asked for, by label. They are kept.
	Unasked   map[string]int `json:"not_asked_for,omitempty"`
	NoMask    int            `json:"no_mask,omitempty"`    // objects for which the model gave no mask
	NoDecoder int            `json:"no_decoder,omitempty"` // objects whose masks could not be decoded
	EmptyMask int            `json:"empty_mask,omitempty"` // objects whose masks have no pixel
	CutOff    int            `json:"cut_off,omitempty"`    // answers that the limit of tokens ended
	NotTaken  int            `json:"not_taken,omitempty"`  // objects left out: the caller's schema has no place for them

	Parts []string `json:"-"` // the first of Unparsed
}

// maxNamed is how many labels, or parts of answers, a sentence names.
const maxNamed = 5

// IsZero reports whether nothing was lost.
func (l Losses) IsZero() bool {
	return l.LowScore+l.NoArea+l.Unparsed+len(l.Unasked)+l.NoMask+l.NoDecoder+l.EmptyMask+l.CutOff+l.NotTaken == 0
}

// Add adds what other answers lost.
func (l *Losses) Add(o Losses) {
	l.LowScore, l.NoArea, l.CutOff = l.LowScore+o.LowScore, l.NoArea+o.NoArea, l.CutOff+o.CutOff
	l.NotTaken += o.NotTaken
	l.NoMask, l.NoDecoder, l.EmptyMask = l.NoMask+o.NoMask, l.NoDecoder+o.NoDecoder, l.EmptyMask+o.EmptyMask
	for label, n := range o.Unasked {
		l.addUnasked(label, n)
	}
	l.AddUnparsed(o.Parts...)
	l.Unparsed += o.Unparsed - len(o.Parts)
}

// AddUnparsed counts parts of an answer that are not objects.
func (l *Losses) AddUnparsed(parts ...string) {
	l.Unparsed += len(parts)
	more := min(len(parts), max(maxNamed-len(l.Parts), 0))
	l.Parts = append(l.Parts[:len(l.Parts):len(l.Parts)], parts[:more]...)
}

func (l *Losses) addUnasked(label string, n int) {
	if l.Unasked == nil {
		l.Unasked = map[string]int{}
	}
	l.Unasked[label] += n
}

// Keep reports whether the object d of an answer is kept, and counts what it lacks. An object
// without a label has the one that was asked for, if that is one only.
func (l *Losses) Keep(w Want, d *Detection) bool {
	labels := w.Prompt.Labels
	switch {
	case d.Loc[0] == d.Loc[2] || d.Loc[1] == d.Loc[3]:
		l.NoArea++
		return false
	case !(d.Score.Score >= w.MinScore):
		l.LowScore++
		return false
	}
	if len(labels) > 0 && !slices.Contains(labels, d.Label) && (d.Label != "" || len(labels) > 1) {
		l.addUnasked(d.Label, 1)
	}
	switch {
	case w.Masks && len(d.Seg) == 0:
		l.NoMask++
	case w.Masks && !w.Decoder:
		l.NoDecoder++
	case w.Masks && d.Mask != nil && d.Mask.Area() == 0:
		l.EmptyMask++
	}
	return true
}

// keepAll returns the objects that Keep keeps, an empty slice if there are none.
func (l *Losses) keepAll(w Want, found []Detection) []Detection {
	kept := []Detection{}
	for i := range found {
		if l.Keep(w, &found[i]) {
			kept = append(kept, found[i])
		}
	}
	return kept
}

// CountCutOff counts the answer r if the limit of tokens ended it. A strict answer has its end all
// the same: it was cut off if there was no room for another object, and the model would rather have
// gone on.
func (l *Losses) CountCutOff(w Want, r *runner.Result) {
	if CutOff(w, r) {
		l.CutOff++
	}
}

// CutOff reports whether the limit of tokens ended the answer r, as CountCutOff counts it.
func CutOff(w Want, r *runner.Result) bool {
	if len(r.Steps) == 0 {
		return false
	}
	last := r.Steps[len(r.Steps)-1]
	if last.Token != paligemma.EOS {
		return true
	}
	next := len(separator) + objectTokens(w.Prompt.Labels, w.Prompt.Masks())
	return w.Strict && w.MaxTokens-len(r.Steps) < next && last.Logprob < math.Log(0.5)
}

// OptionNames are a caller's names of the options that change what is lost, for Sentences.
type OptionNames struct{ MinScore, MaxTokens string }

// Sentences says what was lost, a sentence each, without a full stop; none if nothing was.
func (l *Losses) Sentences(names OptionNames) (all []string) {
	count := 0
	for _, n := range l.Unasked {
		count += n
	}
	for _, s := range []struct {
		n         int
		one, many string // the subject and what is said of it
		more      string
	}{
		{l.CutOff, "answer was cut off", "answers were cut off", " at the limit of tokens (" + names.MaxTokens + ")"},
		{l.Unparsed, "part of an answer is not an object", "parts of answers are not objects",
			named(l.Unparsed, l.Parts)},
		{l.LowScore, "object is left out: it scores less", "objects are left out: they score less",
			" than " + names.MinScore},
		{l.NotTaken, "object is left out: the schema has no place for it",
			"objects are left out: the schema has no place for them", ""},
		{l.NoArea, "object is left out: its box has no area", "objects are left out: their boxes have no area", ""},
		{count, "object has a label that nobody asked for", "objects have labels that nobody asked for",
			named(len(l.Unasked), l.unaskedLabels())},
		{l.NoMask, "object has no mask: the model gave none", "objects have no masks: the model gave none", ""},
		{l.NoDecoder, "object has no mask: there is no mask file", "objects have no masks: there is no mask file", ""},
		{l.EmptyMask, "object has a mask without a pixel", "objects have masks without a pixel", ""},
	} {
		switch {
		case s.n == 1:
			all = append(all, "1 "+s.one+s.more)
		case s.n > 1:
			all = append(all, fmt.Sprintf("%d %s%s", s.n, s.many, s.more))
		}
	}
	return all
}

// unaskedLabels returns labels of Unasked with their numbers of objects, those with most first.
func (l *Losses) unaskedLabels() (all []string) {
	labels := slices.SortedFunc(maps.Keys(l.Unasked), func(a, b string) int {
		return cmp.Or(l.Unasked[b]-l.Unasked[a], cmp.Compare(a, b))
	})
	for _, label := range labels[:min(len(labels), maxNamed)] {
		if n := l.Unasked[label]; n > 1 {
			label = fmt.Sprintf("%s (%d)", label, n)
		}
		all = append(all, cmp.Or(label, "no label"))
	}
	return all
}

// maxNameBytes is the longest text of an answer that a sentence shows, in bytes.
const maxNameBytes = 120

// named names some of n things, each on one line.
func named(n int, some []string) string {
	if len(some) == 0 {
		return ""
	}
	text, before := "", ": "
	for _, s := range some {
		if s = strings.Join(strings.Fields(s), " "); len(s) > maxNameBytes {
			s = strings.ToValidUTF8(s[:maxNameBytes], "") + "..."
		}
		text, before = text+before+s, ", "
	}
	if more := n - len(some); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
