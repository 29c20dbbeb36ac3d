package quant

// This file: the block types against their descriptions, restated from ggml-common.h and
// ggml-quants.c: what a block means, what the plain types make of a row, and how near any type
// comes to it.

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

func half(b []byte) float32 { return tensor.FromF16(binary.LittleEndian.Uint16(b)) }

// nonlinear are the sixteen values of IQ4_NL and IQ4_XS.
var nonlinear = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// nibble is element i of 32: j low, j+16 high.
func nibble(b []byte, i int) int { return int(b[i%16]>>(i/16*4)) & 15 }

// fifth is bit i of the four bytes that hold the fifth bits, moved to its place.
func fifth(b []byte, i int) int { return int(binary.LittleEndian.Uint32(b)>>i&1) << 4 }

// scaleMin gives the 6-bit scale and minimum of sub-block j of 8: 12 bytes.
func scaleMin(s []byte, j int) (scale, min float32) {
	if j < 4 {
		return float32(s[j] & 63), float32(s[j+4] & 63)
	}
	return float32(s[j+4]&15 | s[j-4]>>6<<4), float32(s[j+4]>>4 | s[j]>>6<<4)
}

// meaning gives element i of a block.
var meaning = map[gguf.Type]func(b []byte, i int) float32{
	gguf.Q8_0: func(b []byte, i int) float32 { return half(b) * float32(int8(b[2+i])) },
	gguf.Q4_0: func(b []byte, i int) float32 { return half(b) * float32(nibble(b[2:], i)-8) },
	gguf.Q4_1: func(b []byte, i int) float32 { return half(b)*float32(nibble(b[4:], i)) + half(b[2:]) },
	gguf.Q5_0: func(b []byte, i int) float32 { return half(b) * float32((nibble(b[6:], i)|fifth(b[2:], i))-16) },
	gguf.Q5_1: func(b []byte, i int) float32 {
		return half(b)*float32(nibble(b[8:], i)|fifth(b[4:], i)) +
			half(b[2:])
	},
	gguf.IQ4_NL: func(b []byte, i int) float32 { return half(b) * nonlinear[nibble(b[2:], i)] },
	gguf.Q3_K: func(b []byte, i int) float32 {
		s, j := b[96:108], i/16
		scale := int(s[j%8]>>(j/8*4)&15) | int(s[8+j%4]>>(j/4*2)&3)<<4
		q := int(b[32+i/128*32+i%32]>>(i%128/32*2)) & 3
		if b[i%32]>>(i/32)&1 == 0 {
			q -= 4
		}
		return half(b[108:]) * float32(scale-32) * float32(q)
	},
	gguf.Q4_K: func(b []byte, i int) float32 {
		scale, min := scaleMin(b[4:], i/32)
		q := b[16+i/64*32+i%32] >> (i / 32 % 2 * 4) & 15
		return half(b)*scale*float32(q) - half(b[2:])*min
	},
	gguf.Q5_K: func(b []byte, i int) float32 {
		scale, min := scaleMin(b[4:], i/32)
		q := b[48+i/64*32+i%32]>>(i/32%2*4)&15 | b[16+i%32]>>(i/32)&1<<4
		return half(b)*scale*float32(q) - half(b[2:])*min
	},
	gguf.Q6_K: func(b []byte, i int) float32 {
		n, l, k := i/128, i%32, i%128/32
		q := int(b[64*n+l+32*(k%2)]>>(k/2*4)&15) | int(b[128+32*n+l]>>(2*k)&3)<<4
		return half(b[208:]) * float32(int8(b[192+i/16])) * float32(q-32)
	},
	gguf.IQ4_XS: func(b []byte, i int) float32 {
		j := i / 32
		scale := int(b[4+j/2]>>(j%2*4)&15) | int(binary.LittleEndian.Uint16(b[2:])>>(2*j)&3)<<4
		return half(b) * float32(scale-32) * nonlinear[nibble(b[8+16*j:], i%32)]
	},
}

// Every block type decodes to what its description says, on blocks of any bytes. Where two products
// are subtracted, a compiler may round once or twice.
func TestMeaning(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, typ := range matrixTypes {
		elements, size := typ.Block()
		if !typ.Blocked() {
			continue
		}
		if meaning[typ] == nil {
			t.Fatalf("%v is not described", typ)
		}
		block, got := make([]byte, size), make([]float32, elements)
		for range 500 {
			for i := range block {
				block[i] = byte(r.Uint32())
			}
			if err := Decode(typ, got, block); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				want := meaning[typ](block, i)
				if near := math.Abs(float64(v-want)) <= 1e-6*2000*math.Abs(float64(half(block))+
					math.Abs(float64(half(block[2:])))); v != want && v == v && !math.IsInf(float64(v), 0) && !near {
					t.Fatalf("%v: element %d of %x is %v, want %v", typ, i, block, v, want)
				}
			}
		}
	}
}

// plain restates the encoders of the types that search nothing.
var plain = map[gguf.Type]func(x []float32) []byte{
	gguf.Q8_0: q8,
	gguf.Q4_0: func(x []float32) []byte { return symmetric(x, 8) },
	gguf.Q5_0: func(x []float32) []byte { return symmetric(x, 16) },
	gguf.Q4_1: func(x []float32) []byte { return affine(x, 15) },
	gguf.Q5_1: func(x []float32) []byte { return affine(x, 31) },
}

// q8: a half d = max|x|/127, then 32 signed bytes round(x/d), halves away from zero.
func q8(x []float32) []byte {
	most := float32(0)
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	d, inverse := step(most, 127)
	out := binary.LittleEndian.AppendUint16(nil, tensor.ToF16(d))
	for _, v := range x {
		out = append(out, byte(int8(math.Round(float64(v*inverse)))))
	}
	return out
}

// step returns x / n and its inverse, 0 for 0.
func step(x, n float32) (d, inverse float32) {
	if d = x / n; d != 0 {
		inverse = 1 / d
	}
	return d, inverse
}

// symmetric: a half d = m/-n with m the element of the largest magnitude, then min(2n-1, trunc(x/d
// + n + 1/2)).
func symmetric(x []float32, n int) []byte {
	var m float32
	for _, v := range x {
		if math.Abs(float64(v)) > math.Abs(float64(m)) {
			m = v
		}
	}
	d, inverse := step(m, -float32(n))
	var q [32]int
	for i, v := range x {
		q[i] = min(2*n-1, int(float32(v*inverse)+float32(n)+0.5))
	}
	return nibbles(binary.LittleEndian.AppendUint16(nil, tensor.ToF16(d)), q, n > 8)
}

// affine: two halves d = (max-min)/n and min, then min(n, trunc((x-min)/d + 1/2)).
func affine(x []float32, n int) []byte {
	low := slices.Min(x)
	d, inverse := step(slices.Max(x)-low, float32(n))
	var q [32]int
	for i, v := range x {
		q[i] = min(n, int(float32((v-low)*inverse)+0.5))
	}
	head := binary.LittleEndian.AppendUint16(nil, tensor.ToF16(d))
	return nibbles(binary.LittleEndian.AppendUint16(head, tensor.ToF16(low)), q, n > 15)
}

// nibbles appends the fifth bits, if there are, and the nibbles.
func nibbles(b []byte, q [32]int, five bool) []byte {
	if five {
		var bits uint32
		for i, v := range q {
			bits |= uint32(v>>4&1) << i
		}
		b = binary.LittleEndian.AppendUint32(b, bits)
	}
	for j := range 16 {
		b = append(b, byte(q[j]&15|q[j+16]&15<<4))
	}
	return b
}

// rows makes rows of 64 floats: random ones, zeros, huge, tiny and subnormal, one large among
// small, half-way ones, constant ones.
func rows() [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	var all [][]float32
	for i := range 1000 {
		row := make([]float32, 64)
		for j := range row {
			row[j] = float32(r.NormFloat64() * math.Pow(10, float64(i%13-7)))
		}
		switch i % 50 {
		case 0:
			clear(row)
		case 1:
			row[r.IntN(64)] *= 1000
		case 2:
			for j := range row {
				row[j] = float32(j-32) * 0.5 // many values half-way
			}
		case 3:
			for j := range row {
				row[j] *= 1e-38
			}
		case 4:
			for j := range row {
				row[j] = row[0]
			}
		}
		all = append(all, row)
	}
	return all
}

func TestBlocksAgainstTheirDescription(t *testing.T) {
	for typ, restated := range plain {
		overflow := 0
		for i, row := range rows() {
			got := make([]byte, typ.RowBytes(len(row)))
			if at, err := Encode(typ, got, row, len(row), nil); err != nil {
				t.Fatal(err)
			} else if at >= 0 {
				overflow++
				continue
			}
			row = clearTiny(row)
			want := append(restated(row[:32]), restated(row[32:])...)
			if !slices.Equal(got, want) {
				t.Errorf("%v, row %d:\nhave %x\nwant %x", typ, i, got, want)
				break
			}
		}
		if overflow > len(rows())/10 {
			t.Errorf("%v: %d rows are too large", typ, overflow)
		}
	}
}

// clearTiny is the row with 0 for blocks of 32 whose values are all below 2^-90.
func clearTiny(row []float32) []float32 {
	row = slices.Clone(row)
	for at := 0; at < len(row); at += 32 {
		if block := row[at : at+32]; slices.Max(block) < 0x1p-90 && slices.Min(block) > -0x1p-90 {
			clear(block)
		}
	}
	return row
}

// A block whose values are too small for any scale is a block of zeros, and its neighbours are as
// they were: every processor writes the same bytes. The inverse of such a scale would be infinite.
func TestTinyBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		name  string
		value func(i int) float32
	}{
		{"smallest", func(int) float32 { return math.SmallestNonzeroFloat32 }},
		{"subnormal", func(int) float32 { return float32(r.NormFloat64() * 1e-40) }},
		{"inverse is infinite", func(int) float32 { return float32(r.NormFloat64() * 1e-38) }},
		{"constant but for one bit", func(i int) float32 { return math.Nextafter32(0x1p-100, float32(i%2)) }},
		{"one subnormal", func(i int) float32 { return float32(max(0, i%256-254)) * 1e-40 }},
		{"minus zero", func(i int) float32 { return float32(math.Copysign(1e-42, float64(i%2)-0.5)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, typ := range matrixTypes {
				if !typ.Blocked() {
					continue
				}
				row, zeros := make([]float32, 768), make([]float32, 768)
				for i := range row {
					row[i] = float32(r.NormFloat64())
					if i/256 == 1 {
						row[i] = c.value(i)
					} else {
						zeros[i] = row[i]
					}
				}
				have, want := make([]byte, typ.RowBytes(len(row))), make([]byte, typ.RowBytes(len(row)))
				if at, err := Encode(typ, have, row, 768, nil); at >= 0 || err != nil {
					t.Fatal(at, err)
				}
				if at, err := Encode(typ, want, zeros, 768, nil); at >= 0 || err != nil {
					t.Fatal(at, err)
				}
				if !slices.Equal(have, want) {
					t.Errorf("%v: other bytes than with zeros", typ)
				}
			}
		})
	}
}

// naive are the bits and the group of a rounding that searches nothing and stores its scales in
// full. Types that search must not be worse.
var naive = map[gguf.Type]struct {
	levels float32 // of the largest magnitude, or of the range
	group  int
	affine bool
}{
	gguf.Q8_0: {127, 32, false}, gguf.Q6_K: {31, 16, false}, gguf.Q5_K: {31, 32, true}, gguf.Q5_1: {31, 32, true},
	gguf.Q5_0: {15, 32, false},
	gguf.Q4_K: {15, 32, true}, gguf.Q4_1: {15, 32, true}, gguf.Q4_0: {7, 32, false}, gguf.IQ4_NL: {7, 32, false},
	gguf.IQ4_XS: {7, 32, false}, gguf.Q3_K: {3, 16, false},
}

// The loss of a row of normal values is at most that of naive rounding in as many bits.
func TestNearness(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	row := make([]float32, 1<<16)
	for i := range row {
		row[i] = float32(r.NormFloat64() * 0.02)
	}
	for typ, n := range naive {
		var have, want Loss
		block, back := make([]byte, typ.RowBytes(len(row))), make([]float32, len(row))
		if overflow, err := Encode(typ, block, row, 2048, nil); overflow >= 0 || err != nil {
			t.Fatal(overflow, err)
		}
		if err := Decode(typ, back, block); err != nil {
			t.Fatal(err)
		}
		have.Add(row, back)
		for at := 0; at < len(row); at += n.group {
			x := row[at : at+n.group]
			low, high := slices.Min(x), slices.Max(x)
			base, unit := low, (high-low)/n.levels
			if !n.affine {
				base, unit = 0, max(high, -low)/n.levels
			}
			for i, v := range x {
				back[i] = base + unit*float32(math.Round(float64((v-base)/unit)))
			}
			want.Add(x, back[:n.group])
		}
		ratio := math.Sqrt(have.Squares / want.Squares)
		t.Logf("%v: %.4f of the values' RMS, %.3f of the naive loss", typ, math.Sqrt(have.Squares/have.A2), ratio)
		if ratio > 1.01 {
			t.Errorf("%v: %.3f of the loss of naive rounding", typ, ratio)
		}
	}
}

// Rows at the ends of what floats can be: every type, and with weights, gives finite values that
// are at most as far from the row as zeros are.
func TestExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	weights := map[string][]float32{"none": nil, "zeros": make([]float32, 256), "some": make([]float32, 256),
		"half": make([]float32, 256), "large": make([]float32, 256)}
	for i := range 256 {
		if i%7 > 2 {
			weights["some"][i] = r.Float32()
		}
		if i > 150 {
			weights["half"][i] = 1
		}
		weights["large"][i] = maxWeight * r.Float32()
	}
	for _, c := range []struct {
		name  string
		value func(below float32, i int) float32
	}{
		{"zeros", func(_ float32, _ int) float32 { return 0 }},
		{"minus zeros", func(_ float32, _ int) float32 { return float32(math.Copysign(0, -1)) }},
		{"largest", func(below float32, i int) float32 { return below * float32(1-i%3) }},
		{"near the largest", func(below float32, _ int) float32 { return below * (r.Float32()*2 - 1) }},
		{"one large", func(below float32, i int) float32 { return below * float32(max(0, i%100-98)) }},
		{"constant", func(_ float32, _ int) float32 { return 0.25 }},
		{"negative", func(_ float32, _ int) float32 { return -1 - r.Float32() }},
		{"positive", func(_ float32, _ int) float32 { return 1 + r.Float32() }},
		{"tiny", func(_ float32, _ int) float32 { return float32(r.NormFloat64() * 1e-8) }},
		{"tinier", func(_ float32, _ int) float32 { return float32(r.NormFloat64() * 1e-15) }},
		{"square is subnormal", func(_ float32, _ int) float32 { return float32(r.NormFloat64() * 1e-21) }},
		{"subnormal", func(_ float32, _ int) float32 { return float32(r.NormFloat64() * 1e-40) }},
		{"every magnitude", func(_ float32, i int) float32 { return float32(math.Ldexp(1-2*float64(i%2), i%140-130)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, typ := range matrixTypes {
				for kind, w := range weights {
					below, row := math.Nextafter32(limit(typ, w != nil), 0), make([]float32, 1024)
					for i := range row {
						row[i] = c.value(below, i)
					}
					if err := extreme(typ, row, w); err != "" {
						t.Errorf("%v, %s, weights %s: %s", typ, c.name, kind, err)
					}
				}
			}
		})
	}
}

// extreme encodes and decodes a row, and says what is wrong with the result.
func extreme(typ gguf.Type, row, weights []float32) string {
	block, back := make([]byte, typ.RowBytes(len(row))), make([]float32, len(row))
	if overflow, err := Encode(typ, block, row, 256, weights); overflow >= 0 || err != nil {
		return fmt.Sprint(overflow, err)
	}
	if err := Decode(typ, back, block); err != nil {
		return err.Error()
	}
	for at := 0; at < len(row); at += 32 {
		var l Loss
		l.Add(row[at:at+32], back[at:at+32])
		if l.Bad > 0 {
			return fmt.Sprintf("at %d: %v became %v", at, row[at:at+32], back[at:at+32])
		}
		const least = 31 * 0x1p-25 // by the largest factor, half of the smallest scale
		if weights == nil && l.Squares > 1.01*l.A2+32*least*least {
			return fmt.Sprintf("at %d: further from the row than zeros: %v became %v", at, row[at:at+32],
				back[at:at+32])
		}
	}
	return ""
}
