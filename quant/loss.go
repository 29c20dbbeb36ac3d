package quant

// This file: how far values are from those that they stand for.

import "math"

// Loss gathers the differences between values and their reference. Its zero value has seen none.
type Loss struct {
	Count   int64   // pairs seen
	Unequal int64   // pairs of different values
	Bad     int64   // pairs with a NaN or an infinity in one of them that are not the same; they count in nothing below
	MaxAbs  float64 // largest difference
	// Sums over the pairs: squares of the differences, squares of each side, products.
	Squares, A2, B2, AB float64
}

// Add gathers the differences of b from the reference a, element by element. b is as long as a.
func (l *Loss) Add(a, b []float32) {
	l.Count += int64(len(a))
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		d := y - x
		if x != y {
			if math.IsNaN(d) || math.IsInf(d, 0) {
				if x == x || y == y { // two NaN are the same
					l.Unequal++
					l.Bad++
				}
				continue
			}
			l.Unequal++
			l.MaxAbs = max(l.MaxAbs, math.Abs(d))
			l.Squares += d * d
		} else if math.IsInf(x, 0) {
			continue
		}
		l.A2 += x * x
		l.B2 += y * y
		l.AB += x * y
	}
}

// Merge adds what o has seen.
func (l *Loss) Merge(o Loss) {
	l.Count += o.Count
	l.Unequal += o.Unequal
	l.Bad += o.Bad
	l.MaxAbs = max(l.MaxAbs, o.MaxAbs)
	l.Squares += o.Squares
	l.A2 += o.A2
	l.B2 += o.B2
	l.AB += o.AB
}

// RMS is the root of the mean square of the differences.
func (l Loss) RMS() float64 { return math.Sqrt(l.Squares / float64(max(l.Count, 1))) }

// Relative is the RMS of the differences over the RMS of the reference, or of the other side where
// the reference is all zero.
func (l Loss) Relative() float64 {
	switch {
	case l.Squares == 0:
		return 0
	case l.A2 == 0:
		return 1
	}
	return math.Sqrt(l.Squares / l.A2)
}

// Cosine is that of the angle between the two sides as vectors: 1 where they are equal, 0 where
// just one is all zero.
func (l Loss) Cosine() float64 {
	switch {
	case l.Squares == 0:
		return 1
	case l.A2 == 0 || l.B2 == 0:
		return 0
	}
	return min(1, l.AB/math.Sqrt(l.A2*l.B2))
}
