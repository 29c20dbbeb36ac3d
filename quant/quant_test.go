package quant

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

// ggml's own halves against package tensor's, all of them, and what blocks mean.
func TestDecode(t *testing.T) {
	raw, got := make([]byte, 2*65536), make([]float32, 65536)
	for i := range 65536 {
		binary.LittleEndian.PutUint16(raw[2*i:], uint16(i))
	}
	for _, c := range []struct {
		typ   gguf.Type
		widen tensor.DType
	}{
		{gguf.F16, tensor.F16},
		{gguf.BF16, tensor.BF16},
	} {
		t.Run(fmt.Sprint(c.typ), func(t *testing.T) {
			want := make([]float32, len(got))
			tensor.ToFloat32(want, raw, c.widen)
			if err := Decode(c.typ, got, raw); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) && got[i] == got[i] {
					t.Fatalf("%v %04x: %v, want %v", c.typ, i, got[i], want[i])
				}
			}
		})
	}
	for _, row := range rows() {
		block, back := make([]byte, 68), make([]float32, 64)
		if overflow, err := Encode(gguf.Q8_0, block, row, 64, nil); err != nil {
			t.Fatal(err)
		} else if overflow >= 0 {
			continue
		}
		if err := Decode(gguf.Q8_0, back, block); err != nil {
			t.Fatal(err)
		}
		for j := range back {
			at := block[34*(j/32):]
			if want := float32(int8(at[2+j%32])) * tensor.FromF16(binary.LittleEndian.Uint16(at)); back[j] != want {
				t.Fatalf("element %d: %v, want %v", j, back[j], want)
			}
		}
	}
}

// A value that is not finite, or that the type turns into an infinity, is found, and nothing is
// written.
func TestOverflow(t *testing.T) {
	for _, typ := range matrixTypes {
		for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), limit(typ, false),
			-limit(typ, false)} {
			row, out := make([]float32, 512), make([]byte, typ.RowBytes(512))
			row[300] = v
			if overflow, err := Encode(typ, out, row, 256, nil); overflow != 300 || err != nil ||
				slices.ContainsFunc(out, func(b byte) bool { return b != 0 }) {
				t.Errorf("%v of %v: %d, %v", v, typ, overflow, err)
			}
		}
	}
}

// Limits are those of the conversions themselves, where a type has a scale that is a fixed part of
// a block's largest magnitude.
func TestLimits(t *testing.T) {
	below := func(v float32) float32 { return math.Nextafter32(v, 0) }
	for _, c := range []struct {
		typ    gguf.Type
		finite func(v float32) bool
	}{
		{gguf.F16, func(v float32) bool { return tensor.ToF16(v) == 0x7bff }},
		{gguf.BF16, func(v float32) bool { return tensor.ToBF16(v) == 0x7f7f }},
		{gguf.Q8_0, func(v float32) bool { return tensor.ToF16(v/127) == 0x7bff }},
		{gguf.Q5_0, func(v float32) bool { return tensor.ToF16(v/-16) == 0xfbff }},
		{gguf.Q4_0, func(v float32) bool { return tensor.ToF16(v/-8) == 0xfbff }},
	} {
		t.Run(fmt.Sprint(c.typ), func(t *testing.T) {
			if c.finite(limit(c.typ, false)) || !c.finite(below(limit(c.typ, false))) {
				t.Errorf("%v: %g", c.typ, limit(c.typ, false))
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	block, row := make([]byte, 34), make([]float32, 32)
	encode := func(typ gguf.Type, n, cols int, weights []float32) error {
		_, err := Encode(typ, make([]byte, 2*34), make([]float32, n), cols, weights)
		return err
	}
	for _, c := range []struct {
		name string
		err  error
	}{
		{"33 columns", encode(gguf.Q8_0, 33, 33, nil)},
		{"half a row", encode(gguf.Q8_0, 32, 64, nil)},
		{"unknown type", encode(gguf.Type(99), 32, 32, nil)},
		{"31 weights", encode(gguf.Q8_0, 32, 32, row[:31])},
		{"no weights", encode(gguf.Q8_0, 32, 32, []float32{})},
		{"negative weight", encode(gguf.Q4_0, 32, 32, append(slices.Clone(row[1:]), -1))},
		{"infinite weight", encode(gguf.Q4_0, 32, 32, append(slices.Clone(row[1:]), float32(math.Inf(1))))},
		{"NaN weight", encode(gguf.Q4_0, 32, 32, append(slices.Clone(row[1:]), float32(math.NaN())))},
		{"decode 31", Decode(gguf.Q8_0, make([]float32, 31), block)},
		{"too few bytes", Decode(gguf.Q8_0, make([]float32, 64), block)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.err == nil {
				t.Errorf("%s passes", c.name)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	row := make([]float32, 1<<20)
	for i := range row {
		row[i] = float32(math.Sin(float64(i)))
	}
	for _, typ := range matrixTypes {
		out := make([]byte, typ.RowBytes(len(row)))
		b.Run(typ.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(row)))
			for b.Loop() {
				if _, err := Encode(typ, out, row, 2048, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
