package tasks

import (
	"math"
	"strings"
	"testing"
)

func TestScoreObject(t *testing.T) {
	tokens := []Token{
		{"<loc0001>", -1, 0.9}, {"<loc0002>", -1, 0.8}, {"<loc0003>", -1, 0.7}, {"<loc0004>", -1, 0.6}, {" red", math.Log(0.5), 0}, {" star", math.Log(0.4), 0},
		{" ;", math.Log(0.3), 0}, {" ", -1, 0},
		{"<loc0005>", -1, 1}, {"<loc0006>", -1, 1}, {"<loc0007>", -1, 0.0625}, {"<loc0008>", -1, 1}, {"<seg001>", -9, 0},
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
