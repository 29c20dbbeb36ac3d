package bench

import (
	"math"
	"testing"

	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/gguf"
)

func TestSpread(t *testing.T) {
	s := spreadOf([]float64{4, 1, 2, 3}, 10)
	if s.Median != 2.5 || s.Min != 1 || s.Max != 4 || s.Rate != 4000 {
		t.Errorf("%+v", s)
	}
	s.setShare(0, "unknown")
	if s.Share != 0 || s.Limit != "" {
		t.Errorf("a share of what is not known: %+v", s)
	}
	s.setShare(0.0005, "x") // 0.5 ms of 2.5
	if math.Abs(s.Share-0.2) > 1e-12 || s.Limit != "x" {
		t.Errorf("%+v", s)
	}
}

// A matrix of each kind by hand: two operations an element, at the rate of its type; the table and
// vectors are left out.
func TestWork(t *testing.T) {
	matrix := func(name string, typ gguf.Type, shape ...int) gguf.Tensor {
		return gguf.Tensor{Name: name, Type: typ, Shape: shape}
	}
	table := matrix("table", gguf.Q8_0, 1000, 32)
	f := &gguf.File{Tensors: []gguf.Tensor{table, matrix("norm", gguf.F32, 32), matrix("a", gguf.Q8_0, 64, 32),
		matrix("b", gguf.F32, 2, 32), matrix("c", gguf.BF16, 8, 32)}}
	l := kernels.Limits{Int8: 1e6, BF16: 1e5, F32: 1e4}
	w := workOf(f, l, table)
	if want := 2 * (64*32/1e6 + 8*32/1e5 + 2*32/1e4); math.Abs(w.seconds-want) > 1e-12 ||
		w.bytes != 64*34+2*32*4+8*32*2 || w.mainType != gguf.Q8_0 || w.limit != "int8 products" {
		t.Errorf("%+v, want %v seconds", w, want)
	}
	if w := workOf(f, kernels.Limits{F32: 1e4}, table); w.seconds != 0 {
		t.Errorf("%+v without a rate for bytes", w)
	}
	r := Report{DecodeTokens: 3, Decode: spreadOf([]float64{1}, 1), Prefill: spreadOf([]float64{1}, 1)}
	r.addText("on a GPU", f, kernels.Limits{}) // compared with nothing
	if r.Decode.Share != 0 || r.Prefill.Share != 0 || r.TextFile.Path == "" {
		t.Errorf("%+v", r)
	}
	if rate, name := rateOf(kernels.Limits{F32: 1}, gguf.BF16); rate != 1 || name != "f32 products" {
		t.Errorf("%v %s", rate, name)
	}
}
