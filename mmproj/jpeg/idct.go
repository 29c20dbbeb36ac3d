package jpeg

// This file: the inverse DCT that libjpeg calls the fast integer one (JDCT_IFAST), and TensorFlow decodes with.
// Before it: the quantized coefficients of a block. After it: 8 x 8 samples.
//
// It is the transform of Arai, Agui and Nakajima with 8-bit constants and no rounding of its products, so it is less exact than Go's: by one level on
// average, which is enough to change answers of a model that was trained on its pictures.

import "math"

// Constants of the transform times 2^8.
const (
	c1082 = 277 // 1.082392200
	c1414 = 362 // 1.414213562
	c1847 = 473 // 1.847759065
	c2613 = 669 // 2.613125930
)

// scales are the transform's own factors, which are multiplied into the quantization table: 14-bit products of two of its eight.
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

// multipliers returns a quantization table, in rows, with the factors in it, at 2 bits behind the point.
func multipliers(q *[64]uint16) (m [64]int32) {
	for i := range m {
		m[i] = (int32(q[i])*scales[i] + 1<<11) >> 12
	}
	return m
}

// inverse transforms a block of coefficients (in rows) and writes 8 x 8 samples.
func inverse(block *[64]int32, m *[64]int32, dst []uint8, stride int) {
	var ws [64]int32
	for x := range 8 {
		var v [8]int32
		for y := range v {
			v[y] = block[8*y+x] * m[8*y+x]
		}
		for y, s := range pass(v) {
			ws[8*y+x] = s
		}
	}
	for y := range 8 {
		row := dst[y*stride : y*stride+8]
		for x, s := range pass([8]int32(ws[8*y : 8*y+8])) {
			row[x] = uint8(min(max(s>>5+128, 0), 255))
		}
	}
}

// pass transforms one column or row.
func pass(v [8]int32) [8]int32 {
	// Even part.
	a, b := v[0]+v[4], v[0]-v[4]
	d := v[2] + v[6]
	c := (v[2]-v[6])*c1414>>8 - d
	e0, e3, e1, e2 := a+d, a-d, b+c, b-c
	// Odd part.
	z13, z10, z11, z12 := v[5]+v[3], v[5]-v[3], v[1]+v[7], v[1]-v[7]
	o7 := z11 + z13
	z5 := (z10 + z12) * c1847 >> 8
	o6 := z10*-c2613>>8 + z5 - o7
	o5 := (z11-z13)*c1414>>8 - o6
	o4 := z12*c1082>>8 - z5 + o5
	return [8]int32{e0 + o7, e1 + o6, e2 + o5, e3 - o4, e3 + o4, e2 - o5, e1 - o6, e0 - o7}
}
