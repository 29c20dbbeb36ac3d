package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/gguf"
)

// positive fails on every number of a JSON value that is not above zero, and returns how many there are.
func positive(t *testing.T, at string, v any) (numbers int) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			numbers += positive(t, at+"."+key, x)
		}
	case float64:
		if numbers++; !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", at, v)
		}
	}
	return numbers
}

func TestBench(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "bench", "-m", "d", "-r", "2", "-t", "1", "--max-tokens", "4", "--images", "2", "--json"))
	var all map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || o.code != 0 || o.stderr != "" {
		t.Fatalf("%v: %+v", err, o)
	}
	if n := positive(t, "", all); n < 25 {
		t.Errorf("%d numbers in\n%s", n, o.stdout)
	}
	var r benchReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.PrefillTokens != 2*64+8 || r.DecodeTokens != 4 || r.Vision.Min > r.Vision.Median || r.Vision.Median > r.Vision.Max || r.TextFile.Type != "F32" || r.Picture != nil {
		t.Errorf("%+v", r)
	}
	if sum := 2*r.Vision.Median + r.Prefill.Median + r.Decode.Median; r.Total.Max < sum/2 {
		t.Errorf("a round takes %v ms at most, and its parts %v", r.Total.Max, sum)
	}
	o = run(t, program(folder, "bench", "-m", "d", "-r", "1", "-t", "1", "-i", picture))
	for _, want := range []string{"\npicture ", "siglip", "prefill", "decode", "end to end", "this machine at most"} {
		if !strings.Contains(o.stdout, want) || o.code != 0 {
			t.Errorf("no %q in %+v", want, o)
		}
	}
	for _, args := range [][]string{{"-r", "0"}, {"--images", "17"}, {"--prompt-tokens", "1"}, {"--max-tokens", "1"}} {
		if o := run(t, program(folder, append([]string{"bench", "-m", "d"}, args...)...)); o.code != 2 || !strings.Contains(o.stderr, ": want ") {
			t.Errorf("%v: %+v", args, o)
		}
	}
}

func TestSpread(t *testing.T) {
	s := spreadOf([]float64{4, 1, 2, 3}, 10)
	if s.Median != 2.5 || s.Min != 1 || s.Max != 4 || s.Rate != 4000 {
		t.Errorf("%+v", s)
	}
	s.share(0, "unknown")
	if s.Share != 0 || s.Limit != "" {
		t.Errorf("a share of what is not known: %+v", s)
	}
	s.share(0.0005, "x") // 0.5 ms of 2.5
	if math.Abs(s.Share-0.2) > 1e-12 || s.Limit != "x" {
		t.Errorf("%+v", s)
	}
}

// A matrix of each kind by hand: two operations an element, at the rate of its type; the table and vectors are left out.
func TestWork(t *testing.T) {
	matrix := func(name string, typ gguf.Type, shape ...int) gguf.Tensor {
		return gguf.Tensor{Name: name, Type: typ, Shape: shape}
	}
	table := matrix("table", gguf.Q8_0, 1000, 32)
	f := &gguf.File{Tensors: []gguf.Tensor{table, matrix("norm", gguf.F32, 32), matrix("a", gguf.Q8_0, 64, 32), matrix("b", gguf.F32, 2, 32), matrix("c", gguf.BF16, 8, 32)}}
	l := kernels.Limits{Int8: 1e6, BF16: 1e5, F32: 1e4}
	w := workOf(f, l, table)
	if want := 2 * (64*32/1e6 + 8*32/1e5 + 2*32/1e4); math.Abs(w.seconds-want) > 1e-12 || w.bytes != 64*34+2*32*4+8*32*2 || w.most != gguf.Q8_0 || w.limit != "int8 products" {
		t.Errorf("%+v, want %v seconds", w, want)
	}
	if w := workOf(f, kernels.Limits{F32: 1e4}, table); w.seconds != 0 {
		t.Errorf("%+v without a rate for bytes", w)
	}
	if rate, name := rateOf(kernels.Limits{F32: 1}, gguf.BF16); rate != 1 || name != "f32 products" {
		t.Errorf("%v %s", rate, name)
	}
}
