package gguf_test

// This file: the rules for values, one by one. What CheckKeys and CheckTensors do with whole files,
// packages gemma and mmproj test.

import (
	"math"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
)

func TestRules(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name  string
		check func(any) error
		value any
		want  string // empty: accepted
	}{
		{"is", gguf.Is[uint32], uint32(0), ""},
		{"is another", gguf.Is[uint32], int32(0), "have int32, want uint32"},
		{"is nothing", gguf.Is[[]string], nil, "have <nil>, want []string"},
		{"low end", gguf.Between[uint32](2, 4), uint32(2), ""},
		{"high end", gguf.Between[uint32](2, 4), uint32(4), ""},
		{"below", gguf.Between[uint32](2, 4), uint32(1), "have 1, want 2 to 4"},
		{"above", gguf.Between[uint32](2, 4), uint32(5), "have 5, want 2 to 4"},
		{"NaN", gguf.Between[float32](0, 1), nan, "have NaN, want 0 to 1"},
		{"between another", gguf.Between[float32](0, 1), 0.5, "have float64, want float32"},
		{"equal", gguf.Equal("llama"), "llama", ""},
		{"not equal", gguf.Equal("llama"), strings.Repeat("x", 100), `have "` + strings.Repeat("x", 64) +
			`"... (100 bytes), want "llama"`},
		{"equal another", gguf.Equal(false), "false", "have string, want bool"},
		{"equal slices", gguf.Equal([]float32{1, 2}), []float32{1, 2}, ""},
		{"slices", gguf.Equal([]float32{1, 2}), []float32{1, 3}, "have [1 3], want [1 2]"},
		{"long slice", gguf.Equal([]float32{1, 2}), make([]float32, 99), "have 99 elements, want [1 2]"},
	} {
		err := c.check(c.value)
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: have error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestMatricesAreKnown: a type that the reader refuses would be useless there, and integers cannot
// be multiplied.
func TestMatricesAreKnown(t *testing.T) {
	for _, ty := range gguf.Matrices {
		if !ty.Known() || ty >= 24 && ty <= 28 {
			t.Errorf("%v", ty)
		}
	}
}
