package jpeg

// This file: the inverse DCT that libjpeg calls the fast integer one (JDCT_IFAST), and TensorFlow
// decodes with.
//
// It is the transform of Arai, Agui and Nakajima with 8-bit constants and no rounding of its
// products, so it is less exact than Go's: by one level on average, which is enough to change
// answers of a model that was trained on its images. Sums and products are of 16 bits and wrap
// around, as they do in libjpeg-turbo's vector registers.

import (
	"encoding/binary"
	"math"
)

// Constants of the transform times 2^8, less what product shifts.
const (
	c1082 = 277 << 6 // 1.082392200
	c1414 = 362 << 6 // 1.414213562
	c1847 = 473 << 6 // 1.847759065
	c1613 = 413 << 6 // 2.613125930 - 1
)

// scales are the transform's own factors, which are multiplied into the quantization table: 14-bit
// products of two of its eight.
var scales = func() (s [64]int32) {
	factor := func(k int) float64 {
		if k == 0 {
			return 1
		}
		return math.Cos(float64(k)*math.Pi/16) * math.Sqrt2
	}
	for i := range s {
		s[i] = int32(math.Round(factor(i/8) * factor(i%8) * (1 << 14)))
	}
	return s
}()

// multipliers returns the quantization table q, in rows, times the factors of the transform, with 2
// bits after the binary point.
func multipliers(q *[64]uint16) (m [64]int16) {
	for i := range m {
		m[i] = int16((int32(q[i])*scales[i] + 1<<11) >> 12)
	}
	return m
}

// inverse transforms b, a block of coefficients in rows, with the multipliers m, and writes 8 x 8
// samples to dst, whose rows are stride bytes long.
func inverse(b *[64]int16, m *[64]int16, dst []uint8, stride int) {
	var ws [64]int16
	for x := range 8 {
		v0 := b[x] * m[x]
		if b[8+x]|b[16+x]|b[24+x]|b[32+x]|b[40+x]|b[48+x]|b[56+x] == 0 {
			for y := range 8 {
				ws[8*y+x] = v0
			}
			continue
		}
		ws[x], ws[8+x], ws[16+x], ws[24+x], ws[32+x], ws[40+x], ws[48+x], ws[56+x] = pass(
			v0, b[8+x]*m[8+x], b[16+x]*m[16+x], b[24+x]*m[24+x],
			b[32+x]*m[32+x], b[40+x]*m[40+x], b[48+x]*m[48+x], b[56+x]*m[56+x])
	}
	for y := range 8 {
		row, w := dst[y*stride:][:8], (*[8]int16)(ws[8*y:])
		s0, s1, s2, s3, s4, s5, s6, s7 := pass(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		row[0], row[1], row[2], row[3] = level(s0), level(s1), level(s2), level(s3)
		row[4], row[5], row[6], row[7] = level(s4), level(s5), level(s6), level(s7)
	}
}

// flat is inverse for a block of which only DC is not 0.
func flat(dc int16, m *[64]int16, dst []uint8, stride int) {
	eight := uint64(level(dc*m[0])) * 0x0101010101010101
	for y := range 8 {
		binary.NativeEndian.PutUint64(dst[y*stride:], eight)
	}
}

// level returns the sample of a transformed value, which has 5 bits after the binary point.
func level(s int16) uint8 { return clip8(int32(s>>5) + 128) }

// pass transforms one column or row.
func pass(v0, v1, v2, v3, v4, v5, v6, v7 int16) (s0, s1, s2, s3, s4, s5, s6, s7 int16) {
	// Even part.
	a, b := v0+v4, v0-v4
	d := v2 + v6
	c := product(v2-v6, c1414) - d
	e0, e3, e1, e2 := a+d, a-d, b+c, b-c
	// Odd part.
	z13, z10, z11, z12 := v5+v3, v5-v3, v1+v7, v1-v7
	o7 := z11 + z13
	z5 := product(z10+z12, c1847)
	o6 := product(z10, -c1613) - z10 + z5 - o7
	o5 := product(z11-z13, c1414) - o6
	o4 := product(z12, c1082) - z5 + o5
	return e0 + o7, e1 + o6, e2 + o5, e3 - o4, e3 + o4, e2 - o5, e1 - o6, e0 - o7
}

// product is x times a constant, truncated.
func product(x int16, c int32) int16 { return int16(int32(x<<2) * c >> 16) }
