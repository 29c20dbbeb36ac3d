package tasks

import (
	"math"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/runner"
)

func TestScoreObject(t *testing.T) {
	tokens := []runner.Step{
		{Text: "<loc0001>", Logprob: -1, BinProb: 0.9}, {Text: "<loc0002>", Logprob: -1, BinProb: 0.8},
		{Text: "<loc0003>", Logprob: -1, BinProb: 0.7}, {Text: "<loc0004>", Logprob: -1, BinProb: 0.6},
		{Text: " red", Logprob: math.Log(0.5), BinProb: 0}, {Text: " star", Logprob: math.Log(0.4), BinProb: 0},
		{Text: " ;", Logprob: math.Log(0.3), BinProb: 0}, {Text: " ", Logprob: -1, BinProb: 0},
		{Text: "<loc0005>", Logprob: -1, BinProb: 1}, {Text: "<loc0006>", Logprob: -1, BinProb: 1},
		{Text: "<loc0007>", Logprob: -1, BinProb: 0.0625}, {Text: "<loc0008>", Logprob: -1, BinProb: 1},
		{Text: "<seg001>", Logprob: -9, BinProb: 0},
	}
	text := ""
	for _, token := range tokens {
		text += token.Text
	}
	end := strings.Index(text, " ;")
	got := ScoreObject(tokens, 0, end)
	box := math.Pow(0.9*0.8*0.7*0.6, 0.25)
	if math.Abs(got.Box-box) > 1e-12 || math.Abs(got.Label-0.2) > 1e-12 || math.Abs(got.Score-0.2*box) > 1e-12 {
		t.Errorf("first object: %+v, want a box of %v and a label of 0.2", got, box)
	}
	got = ScoreObject(tokens, end+len(separator), len(text))
	if math.Abs(got.Box-0.5) > 1e-12 || got.Label != 1 || got.Score != got.Box {
		t.Errorf("second object: %+v, want a box of 0.5", got)
	}
}
