package tasks

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/runner"
)

// result is an answer of two objects and a rest; each token is as probable as is given.
func result() *runner.Result {
	r := &runner.Result{Timings: runner.Timings{Vision: 1500 * time.Microsecond, DecodeTokens: 15}}
	for _, t := range []string{"<loc0000>", "<loc0000>", "<loc0512>", "<loc1023>", " cat", " ; ", "<loc0100>",
		"<loc0200>", "<loc0300>", "<loc0400>", " dog", " ; ", "what"} {
		s := runner.Step{Text: t, Token: int32(len(r.Steps)), Logprob: math.Log(0.5),
			Top: []runner.Alternative{{Token: 7, Text: "x", Logprob: -1}}}
		if strings.HasPrefix(t, "<loc") {
			s.BinProb = 0.9
		}
		if t == " dog" {
			s.Logprob = 0
		}
		r.Steps, r.Tokens, r.Text = append(r.Steps, s), append(r.Tokens, s.Token), r.Text+t
	}
	return r
}

func TestResponse(t *testing.T) {
	r := result()
	w := Want{Prompt: Parse("detect cat ; dog"), MaxTokens: 13}
	a := NewResponse(w, r, 2*time.Millisecond)
	if a.Prompt != "detect cat ; dog" || a.Timings.Load != 2 || a.Timings.Vision != 1.5 || a.Objects != nil ||
		a.Logprobs != nil {
		t.Errorf("%+v", a)
	}
	if all := Logprobs(r.Steps); len(all) != len(r.Steps) || all[3].Top[0].Text != "x" {
		t.Errorf("log-probabilities: %+v", all)
	}
	canvas := Canvas{Width: 200, Height: 100, Divisor: 1023}
	if err := a.AddDetections(r, canvas, w, nil); err != nil || len(a.Objects) != 2 || len(a.Unparsed) != 1 ||
		a.Unparsed[0] != "what" {
		t.Fatalf("%v: %+v", err, a)
	}
	cat := a.Objects[0]
	if cat.Label != "cat" || cat.XYXY != [4]float64{0, 0, 200, 512. / 1023 * 100} ||
		math.Abs(cat.Score.Score-0.45) > 1e-12 || math.Abs(cat.Score.Box-0.9) > 1e-12 {
		t.Errorf("%+v", cat)
	}
	if b, err := json.Marshal(a); err != nil || !strings.Contains(string(b),
		`"unparsed":["what"],"lost":{"not_objects":1,"cut_off":1}`) {
		t.Errorf("%v: %s", err, b)
	}
	w.MinScore, a = 0.5, Response{}
	if err := a.AddDetections(r, canvas, w, nil); err != nil || len(a.Objects) != 1 || a.Objects[0].Label != "dog" {
		t.Errorf("from 0.5 on: %v: %+v", err, a.Objects)
	}
	w.MinScore, a = 1, Response{}
	if err := a.AddDetections(r, canvas, w, nil); err != nil || a.Objects == nil || a.Lost.LowScore != 2 {
		t.Errorf("none: %v: %+v", err, a.Objects)
	}
	if b, err := json.Marshal(a); err != nil || !strings.Contains(string(b), `"objects":[],"unparsed":["what"]`) {
		t.Errorf("%v: %s", err, b)
	}
	if b, err := json.Marshal(Response{}); err != nil || strings.Contains(string(b), "lost") {
		t.Errorf("nothing lost: %v: %s", err, b)
	}
}
