package ggml

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Blocks may lie at any address of Go's memory: C gets them where it can read halves and floats. On
// x86 only a build with sanitizers sees the difference (make asan).
func TestBlocksAtAnyAddress(t *testing.T) {
	const cols = 256
	x := make([]float32, 2*cols)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	for typ := range TypeCount {
		if !slices.Contains([]string{"f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "q6_K", "q5_K",
			"q4_K", "q3_K", "iq4_xs"}, typ.Name()) {
			continue
		}
		size := len(x) / typ.BlockSize() * typ.Size()
		want, values := make([]byte, size), make([]float32, len(x))
		Quantize(typ, want, x, cols, nil)
		if err := Dequantize(typ, values, want); err != nil {
			t.Fatal(err)
		}
		for offset := 1; offset < 4; offset++ {
			t.Run(fmt.Sprint(typ.Name(), offset), func(t *testing.T) {
				room := make([]byte, size+8)
				have, back := room[offset:][:size], make([]float32, len(x))
				Quantize(typ, have, x, cols, nil)
				if !slices.Equal(have, want) {
					t.Error("other blocks")
				}
				if !slices.Equal(room[offset+size:], make([]byte, 8-offset)) {
					t.Error("bytes after the blocks")
				}
				if err := Dequantize(typ, back, have); err != nil || !slices.Equal(back, values) {
					t.Error("other values", err)
				}
			})
		}
	}
}
