package tasks

// This file: the score of an object, from the answer's tokens with their probabilities and from
// where in its text the object lies.
//
// With p(t) the probability of a token among all tokens at its place, after the prompt, the image
// and the answer so far, and b_i the bin of corner i:
//
//	near_i      = sum of p(<locB>) over the bins B with |B - b_i| <= 8
//	score_box   = (near_1 near_2 near_3 near_4)^(1/4)
//	score_label = product of p(t) over the label's tokens; 1 if it has none
//	score       = score_box * score_label
//
// near_1 is small too where the model nearly ended its answer instead. Segment codes do not count.

import (
	"math"
	"strings"

	"github.com/pali-gguf/pali/runner"
)

// Score is how sure the model was of an object, each 0 to 1.
type Score struct {
	Score float64 `json:"score"`
	Box   float64 `json:"score_box"`
	Label float64 `json:"score_label"`
}

// ScoreObject scores the object at bytes [from,to) of the text that the texts of steps make.
func ScoreObject(steps []runner.Step, from, to int) Score {
	box, label, corners, at := 0.0, 0.0, 0, 0
	for _, t := range steps {
		begins := at >= from && at < to
		at += len(t.Text)
		switch {
		case !begins || strings.HasPrefix(t.Text, "<seg"):
		case strings.HasPrefix(t.Text, "<loc"):
			box += math.Log(t.BinProb)
			corners++
		default:
			label += t.Logprob
		}
	}
	s := Score{Box: math.Exp(box / float64(max(corners, 1))), Label: math.Exp(label)}
	s.Score = s.Box * s.Label
	return s
}
