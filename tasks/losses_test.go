package tasks

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

// TestKeep checks which objects are kept, and what is counted.
func TestKeep(t *testing.T) {
	box, seg := [4]int{10, 20, 30, 40}, make([]int, segCodes)
	object := func(label string) *Detection { return &Detection{Label: label, Loc: box, Score: Score{Score: 0.5}} }
	masked := func(m *masks.Bitmap) *Detection {
		return &Detection{Label: "cat", Loc: box, Seg: seg, Mask: m, Score: Score{Score: 0.5}}
	}
	full := &masks.Bitmap{Width: 1, Height: 1, Bits: []bool{true}}
	empty := &masks.Bitmap{Width: 1, Height: 1, Bits: []bool{false}}
	for _, c := range []struct {
		name   string
		labels []string
		want   Want
		object *Detection
		kept   bool
		lost   Losses
	}{
		{"kept", []string{"cat"}, Want{MinScore: 0.5}, object("cat"), true, Losses{}},
		{"low score", []string{"cat"}, Want{MinScore: 0.51}, object("cat"), false, Losses{LowScore: 1}},
		{"score that is no number", nil, Want{}, &Detection{Loc: box, Score: Score{Score: math.NaN()}}, false,
			Losses{LowScore: 1}},
		{"no height", nil, Want{}, &Detection{Loc: [4]int{10, 20, 10, 40}}, false, Losses{NoArea: 1}},
		{"no width, and a low score", nil, Want{MinScore: 1}, &Detection{Loc: [4]int{10, 20, 30, 20}}, false,
			Losses{NoArea: 1}},
		{"label not asked for", []string{"cat", "dog"}, Want{}, object("car"), true,
			Losses{Unasked: map[string]int{"car": 1}}},
		{"label with other capitals", []string{"Cat"}, Want{}, object("cat"), true,
			Losses{Unasked: map[string]int{"cat": 1}}},
		{"no label, one asked for", []string{"cat"}, Want{}, object(""), true, Losses{}},
		{"no label, two asked for", []string{"cat", "dog"}, Want{}, object(""), true,
			Losses{Unasked: map[string]int{"": 1}}},
		{"nothing asked for by label", nil, Want{}, object("car"), true, Losses{}},
		{"mask", []string{"cat"}, Want{Masks: true, Decoder: true}, masked(full), true, Losses{}},
		{"mask not drawn yet", []string{"cat"}, Want{Masks: true, Decoder: true}, masked(nil), true, Losses{}},
		{"no mask from the model", []string{"cat"}, Want{Masks: true, Decoder: true}, object("cat"), true,
			Losses{NoMask: 1}},
		{"no decoder", []string{"cat"}, Want{Masks: true}, masked(nil), true, Losses{NoDecoder: 1}},
		{"neither", []string{"cat"}, Want{Masks: true}, object("cat"), true, Losses{NoMask: 1}},
		{"empty mask", []string{"cat"}, Want{Masks: true, Decoder: true}, masked(empty), true, Losses{EmptyMask: 1}},
		{"mask not asked for", []string{"cat"}, Want{}, masked(nil), true, Losses{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var have Losses
			c.want.Prompt.Labels = c.labels
			if kept := have.Keep(c.want, c.object); kept != c.kept {
				t.Errorf("kept: %v", kept)
			}
			if d := cmp.Diff(c.lost, have); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestCutOff checks which answers were ended by the limit of tokens.
func TestCutOff(t *testing.T) {
	answer := func(end runner.Step) *runner.Result {
		return &runner.Result{Steps: append(make([]runner.Step, 5), end)} // of 6 tokens
	}
	sure, unsure := math.Log(0.9), math.Log(0.1)
	eos := func(logprob float64) runner.Step { return runner.Step{Token: paligemma.EOS, Logprob: logprob} }
	cat := Prompt{Labels: []string{"cat"}} // an object takes 4 numbers, 4 letters and the end; a separator 3
	for _, c := range []struct {
		name   string
		want   Want
		answer *runner.Result
		cutOff bool
	}{
		{"no answer", Want{MaxTokens: 6}, &runner.Result{}, false},
		{"ended", Want{Prompt: cat, MaxTokens: 6}, answer(eos(unsure)), false},
		{"not ended", Want{Prompt: cat, MaxTokens: 6}, answer(runner.Step{Token: 300}), true},
		{"strict, sure of its end", Want{Prompt: cat, MaxTokens: 6, Strict: true}, answer(eos(sure)), false},
		{"strict, rather gone on", Want{Prompt: cat, MaxTokens: 6, Strict: true}, answer(eos(unsure)), true},
		{"strict, one token too few for another", Want{Prompt: cat, MaxTokens: 6 + 11, Strict: true},
			answer(eos(unsure)), true},
		{"strict, room for another", Want{Prompt: cat, MaxTokens: 6 + 12, Strict: true}, answer(eos(unsure)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := CutOff(c.want, c.answer); have != c.cutOff {
				t.Error(have)
			}
			var l Losses
			if l.CountCutOff(c.want, c.answer); l.IsZero() == c.cutOff {
				t.Error(l)
			}
		})
	}
}

// TestLossesAdd checks sums, and that they share nothing with what was added.
func TestLossesAdd(t *testing.T) {
	one := Losses{LowScore: 1, NoArea: 2, NoMask: 3, NoDecoder: 4, EmptyMask: 5, CutOff: 6,
		Unasked: map[string]int{"car": 7}}
	one.AddUnparsed("a", "b", "c", "d")
	var sum Losses
	sum.Add(one)
	sum.Add(one)
	want := Losses{LowScore: 2, NoArea: 4, NoMask: 6, NoDecoder: 8, EmptyMask: 10, CutOff: 12, Unparsed: 8,
		Unasked: map[string]int{"car": 14}, Parts: []string{"a", "b", "c", "d", "a"}}
	if d := cmp.Diff(want, sum); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if one.Unasked["car"] != 7 || len(one.Parts) != 4 {
		t.Errorf("what was added has changed: %+v", one)
	}
}

// TestSentences checks the words for one and for several, and for nothing.
func TestSentences(t *testing.T) {
	many := Losses{Unasked: map[string]int{}}
	for i := range 7 {
		many.AddUnparsed(fmt.Sprint("part", i))
		many.Unasked[fmt.Sprint("label", i)] = i + 1
	}
	for _, c := range []struct {
		name string
		lost Losses
		want []string
	}{
		{"nothing", Losses{}, nil},
		{"one of each", Losses{LowScore: 1, NoArea: 1, Unparsed: 1, Parts: []string{"<loc0001>"}, NoMask: 1,
			NoDecoder: 1,
			EmptyMask: 1, CutOff: 1, Unasked: map[string]int{"car": 1}}, []string{
			"1 answer was cut off at the limit of tokens (--max-tokens)",
			"1 part of an answer is not an object: <loc0001>",
			"1 object is left out: it scores less than --min-score",
			"1 object is left out: its box has no area",
			"1 object has a label that nobody asked for: car",
			"1 object has no mask: the model gave none",
			"1 object has no mask: there is no mask file",
			"1 object has a mask without a pixel",
		}},
		{"two of each", Losses{LowScore: 2, NoArea: 2, Unparsed: 2, NoMask: 2, NoDecoder: 2, EmptyMask: 2, CutOff: 2,
			Unasked: map[string]int{"car": 1, "": 1}}, []string{
			"2 answers were cut off at the limit of tokens (--max-tokens)",
			"2 parts of answers are not objects",
			"2 objects are left out: they score less than --min-score",
			"2 objects are left out: their boxes have no area",
			"2 objects have labels that nobody asked for: no label, car",
			"2 objects have no masks: the model gave none",
			"2 objects have no masks: there is no mask file",
			"2 objects have masks without a pixel",
		}},
		{"many labels and parts", many, []string{
			"7 parts of answers are not objects: part0, part1, part2, part3, part4 and 2 more",
			"28 objects have labels that nobody asked for: label6 (7), label5 (6), label4 (5), label3 (4), label2 " +
				"(3) and 2 more",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := c.lost.Sentences(OptionNames{MinScore: "--min-score", MaxTokens: "--max-tokens"})
			if d := cmp.Diff(c.want, have); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if c.lost.IsZero() != (len(have) == 0) {
				t.Errorf("IsZero: %v", c.lost.IsZero())
			}
		})
	}
}
