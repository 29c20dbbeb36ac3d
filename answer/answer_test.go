package answer

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

// result is an answer of two objects and a rest; each token is as probable as is given.
func result() *runner.Result {
	r := &runner.Result{Timings: runner.Timings{Vision: 1500 * time.Microsecond, DecodeTokens: 15}}
	for _, t := range []string{"<loc0000>", "<loc0000>", "<loc0512>", "<loc1023>", " cat", " ; ", "<loc0100>", "<loc0200>", "<loc0300>", "<loc0400>", " dog", " ; ", "what"} {
		s := runner.Step{Text: t, Token: int32(len(r.Steps)), Logprob: math.Log(0.5), Top: []runner.Alternative{{Token: 7, Text: "x", Logprob: -1}}}
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

func TestAnswer(t *testing.T) {
	r := result()
	a := Of(runner.Request{Prompt: "detect cat ; dog", TopLogprobs: 1}, r, 2*time.Millisecond)
	if a.Timings.Load != 2 || a.Timings.Vision != 1.5 || len(a.Logprobs) != len(r.Steps) || a.Logprobs[3].Top[0].Text != "x" || a.Objects != nil {
		t.Errorf("%+v", a)
	}
	if b := Of(runner.Request{}, r, 0); b.Logprobs != nil {
		t.Errorf("log-probabilities that nobody asked for: %+v", b.Logprobs)
	}
	frame := Frame{Width: 200, Height: 100, Divisor: 1023}
	if err := a.Find(r, frame, 0, nil); err != nil || len(a.Objects) != 2 || len(a.Unparsed) != 1 || a.Unparsed[0] != "what" {
		t.Fatalf("%v: %+v", err, a)
	}
	cat := a.Objects[0]
	if cat.Label != "cat" || cat.XYXY != [4]float64{0, 0, 200, 512. / 1023 * 100} || math.Abs(cat.Score.Score-0.45) > 1e-12 || math.Abs(cat.Box-0.9) > 1e-12 {
		t.Errorf("%+v", cat)
	}
	if err := a.Find(r, frame, 0.5, nil); err != nil || len(a.Objects) != 1 || a.Objects[0].Label != "dog" {
		t.Errorf("from 0.5 on: %v: %+v", err, a.Objects)
	}
	if err := a.Find(r, frame, 1, nil); err != nil || a.Objects == nil {
		t.Errorf("none: %v: %+v", err, a.Objects)
	}
	if b, err := json.Marshal(a); err != nil || !strings.Contains(string(b), `"objects":[],"unparsed":["what"]`) {
		t.Errorf("%v: %s", err, b)
	}
}

func TestDraw(t *testing.T) {
	p := &imageproc.Image{Width: 20, Height: 10, Pix: make([]uint8, 600)}
	o := Object{Label: "cat", XYXY: [4]float64{2, 2, 12, 8}, Bitmap: &masks.Bitmap{Width: 20, Height: 10, Bits: make([]bool, 200)}}
	o.Bitmap.Bits[25] = true
	if drawn := Draw(p, []Object{o}); drawn.Bounds().Dx() != 20 || drawn.RGBAAt(2, 2).B == 0 {
		t.Errorf("%v", drawn.RGBAAt(2, 2))
	}
	grey, err := DrawMasks(20, 10, true, []Object{{Label: "none"}, o})
	if r, _, _, _ := grey.At(5, 1).RGBA(); err != nil || r != 0xffff {
		t.Errorf("%v, %x", err, r)
	}
	if _, err := DrawMasks(20, 10, false, make([]Object, 300)); err != nil { // objects without masks do not count
		t.Error(err)
	}
	all := make([]Object, 256)
	for i := range all {
		all[i] = o
	}
	if _, err := DrawMasks(20, 10, false, all); err == nil {
		t.Error("256 masks in a palette")
	}
}
