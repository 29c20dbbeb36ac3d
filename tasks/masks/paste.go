package masks

// This file: a decoded mask in the image.

import "math"

// Bitmap is a mask of Width x Height pixels, row by row.
type Bitmap struct {
	Width, Height int
	Bits          []bool
}

// Area returns the number of pixels inside.
func (b *Bitmap) Area() (n int) {
	for _, in := range b.Bits {
		if in {
			n++
		}
	}
	return n
}

// Place returns the bitmap at (x,y) of one of the given size, which must have room for it there.
func (b *Bitmap) Place(x, y, width, height int) *Bitmap {
	whole := &Bitmap{width, height, make([]bool, width*height)}
	for row := range b.Height {
		copy(whole.Bits[(y+row)*width+x:], b.Bits[row*b.Width:][:b.Width])
	}
	return whole
}

// Paste draws a decoded mask [64,64] into an image of the given size, within the box of bins y0,
// x0, y1, x1, a share bin/divisor of the image's side each. As big_vision's evaluator does it
// (evaluators/proj/paligemma/transfers/segmentation.py): the corners are cut to whole pixels, the
// values are resized to that box as Pillow does (BILINEAR, widened when shrinking), and what is
// above 0 then is inside. It returns false, and an empty bitmap, where the box has no pixel.
func Paste(mask []float32, loc [4]int, divisor float64, width, height int) (*Bitmap, bool) {
	b := &Bitmap{width, height, make([]bool, width*height)}
	at := func(bin, side int) int { return int(float64(float64(bin)/divisor) * float64(side)) }
	y0, x0, y1, x1 := at(loc[0], height), at(loc[1], width), min(at(loc[2], height), height),
		min(at(loc[3], width), width)
	if x1 <= x0 || y1 <= y0 {
		return b, false
	}
	resize(mask, Side, Side, x1-x0, y1-y0, func(y int, row []float64) {
		to := b.Bits[(y0+y)*width+x0:][:len(row)]
		for x, v := range row {
			to[x] = float32(v) > 0
		}
	})
	return b, true
}

// span is what one output sample takes from the input.
type span struct {
	start   int
	weights []float64
}

// spans is Pillow's bilinear filter from in to out samples (src/libImaging/Resample.c,
// precompute_coeffs): a triangle, widened when shrinking. The conversions keep Go from fusing a
// product with an addition.
func spans(in, out int) []span {
	scale := float64(in) / float64(out)
	widen := max(scale, 1)
	all := make([]span, out)
	for i := range all {
		centre := float64((float64(i) + 0.5) * scale)
		start, end := max(int(centre-widen+0.5), 0), min(int(centre+widen+0.5), in)
		s := span{start, make([]float64, end-start)}
		sum := 0.0
		for j := range s.weights {
			s.weights[j] = max(0, 1-math.Abs(float64(float64(start+j)-centre+0.5)*(1/widen)))
			sum += s.weights[j]
		}
		for j := range s.weights {
			s.weights[j] /= sum
		}
		all[i] = s
	}
	return all
}

// resize is Pillow's resize of an image of 32-bit floats [height,width]: columns first, each pass
// summed in 64 bits and kept in 32. each gets the sums of one row [toWidth] after the other.
func resize(v []float32, width, height, toWidth, toHeight int, each func(y int, row []float64)) {
	columns := spans(width, toWidth)
	narrow := make([]float32, height*toWidth)
	for y := range height {
		for x, s := range columns {
			sum := 0.0
			for i, w := range s.weights {
				sum += float64(float64(v[y*width+s.start+i]) * w)
			}
			narrow[y*toWidth+x] = float32(sum)
		}
	}
	sums := make([]float64, toWidth)
	for y, s := range spans(height, toHeight) {
		clear(sums)
		for i, w := range s.weights {
			for x, v := range narrow[(s.start+i)*toWidth:][:toWidth] {
				sums[x] += float64(float64(v) * w)
			}
		}
		each(y, sums)
	}
}
