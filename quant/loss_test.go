package quant

import (
	"math"
	"testing"
)

func TestLoss(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name                        string
		a, b                        []float32
		most, rms, relative, cosine float64
		unequal, bad                int64
	}{
		{"equal", []float32{1, -2}, []float32{1, -2}, 0, 0, 0, 1, 0, 0},
		// differences 1 and -1; the reference's mean square is 12.5
		{"near", []float32{3, 4}, []float32{4, 3}, 1, 1, math.Sqrt(2.0 / 25), 24.0 / 25, 2, 0},
		{"opposite", []float32{1, 2}, []float32{-1, -2}, 4, math.Sqrt(10), 2, -1, 2, 0},
		{"across", []float32{2, 0}, []float32{0, 2}, 2, 2, math.Sqrt(2), 0, 2, 0},
		{"to zero", []float32{2, 0}, []float32{0, 0}, 2, math.Sqrt(2), 1, 0, 1, 0},
		{"from zero", []float32{0, 0}, []float32{0, 2}, 2, math.Sqrt(2), 1, 0, 1, 0},
		{"both zero", []float32{0, 0}, []float32{0, float32(math.Copysign(0, -1))}, 0, 0, 0, 1, 0, 0},
		{"no numbers", []float32{nan, inf, nan, inf, 1}, []float32{nan, inf, 1, -inf, 1}, 0, 0, 0, 1, 2, 2},
		{"huge", []float32{math.MaxFloat32}, []float32{-math.MaxFloat32}, 2 * math.MaxFloat32, 2 * math.MaxFloat32, 2,
			-1, 1, 0},
	} {
		var whole, joined Loss
		whole.Add(c.a, c.b)
		for i := range c.a {
			var one Loss
			one.Add(c.a[i:i+1], c.b[i:i+1])
			joined.Merge(one)
		}
		if whole != joined {
			t.Errorf("%s: %+v, joined of single ones %+v", c.name, whole, joined)
		}
		if whole.MaxAbs != c.most || whole.Unequal != c.unequal || whole.Bad != c.bad ||
			whole.Count != int64(len(c.a)) {
			t.Errorf("%s: %+v", c.name, whole)
		}
		for _, test := range []struct {
			what string
			v    [2]float64
		}{
			{"RMS", [2]float64{whole.RMS(), c.rms}},
			{"relative", [2]float64{whole.Relative(), c.relative}},
			{"cosine", [2]float64{whole.Cosine(), c.cosine}},
		} {
			t.Run(test.what, func(t *testing.T) {
				if math.Abs(test.v[0]-test.v[1]) > 1e-15*max(1, math.Abs(test.v[1])) {
					t.Errorf("%s: %s: have %v, want %v", c.name, test.what, test.v[0], test.v[1])
				}
			})
		}
	}
}
