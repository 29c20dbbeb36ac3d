package imageproc

// This file: Pillow's bicubic resize of 8-bit images, to the bit, as Hugging Face's SigLIP
// processor uses it. Source: Pillow src/libImaging/Resample.c.

import "math"

const fixedBits = 32 - 8 - 2 // of a fixed-point weight: 8 for the sample, 2 for overshoot

// fixedSpan is the weights, in fixed point, of the inputs start, start+1, ... of one output row or
// column.
type fixedSpan struct {
	start   int
	weights []int32
}

// cubic is the Keys kernel with a = -0.5. The conversions keep Go from fusing a product with an
// addition.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}

// cubicSpans returns the bicubic filter that resamples in samples to out, widened when it shrinks.
// Source: precompute_coeffs and normalize_coeffs_8bpc.
func cubicSpans(in, out int) []fixedSpan {
	scale := float64(in) / float64(out)
	widen := max(scale, 1)
	support := 2 * widen
	spans := make([]fixedSpan, out)
	for x := range spans {
		centre := float64((float64(x) + 0.5) * scale)
		start := max(int(centre-support+0.5), 0)
		end := min(int(centre+support+0.5), in)
		weights := make([]float64, end-start)
		var sum float64
		for i := range weights {
			weights[i] = cubic((float64(start+i) - centre + 0.5) * (1 / widen))
			sum += weights[i]
		}
		fixed := make([]int32, len(weights))
		for i, w := range weights {
			fixed[i] = int32(math.Round(w / sum * (1 << fixedBits)))
		}
		spans[x] = fixedSpan{start, fixed}
	}
	return spans
}

// resizeBicubic resizes p to side x side as PIL.Image.resize(BICUBIC) does, then x/255 and
// (x-0.5)/0.5, into out [3,side,side]: columns first, each pass rounded and clipped to uint8.
// Between the passes it holds p.Height x side x 3 bytes. Pillow up to version 12 always takes the
// columns first; 13 takes the rows first where that costs less, which changes a few values by a
// level or two in photos.
func resizeBicubic(p *Image, side int, out []float32) {
	columns, rows := cubicSpans(p.Width, side), cubicSpans(p.Height, side)
	var scaled [256]float32 // transformers image_transforms.py: rescale (float64, then float32), normalize
	for v := range scaled {
		scaled[v] = (float32(float64(v)*(1.0/255)) - 0.5) / 0.5
	}
	narrow := make([]uint8, 3*side*p.Height)
	eachBand(p.Height, func(from, to int) {
		for y := from; y < to; y++ {
			shrinkRow(narrow[3*side*y:][:3*side], p.row(y), columns)
		}
	})
	eachBand(side, func(from, to int) {
		sum := make([]int32, 3*side)
		line := make([]float32, 3*side)
		for y := from; y < to; y++ {
			for i := range sum {
				sum[i] = 1 << (fixedBits - 1)
			}
			for i, w := range rows[y].weights {
				row := narrow[3*side*(rows[y].start+i):][:3*side]
				for j, v := range row {
					sum[j] += w * int32(v)
				}
			}
			for i, s := range sum {
				line[i] = scaled[clip8(int(s>>fixedBits))]
			}
			planes(out, side, y, line)
		}
	})
}

// shrinkRow resamples one row of RGB pixels, src, into dst by the filter of its columns.
func shrinkRow(dst, src []uint8, columns []fixedSpan) {
	for x, s := range columns {
		const half = int32(1) << (fixedBits - 1)
		r, g, b := half, half, half
		pix := src[3*s.start:]
		for i, w := range s.weights {
			r += w * int32(pix[3*i])
			g += w * int32(pix[3*i+1])
			b += w * int32(pix[3*i+2])
		}
		dst[3*x], dst[3*x+1], dst[3*x+2] = clip8(int(r>>fixedBits)), clip8(int(g>>fixedBits)), clip8(int(b>>fixedBits))
	}
}
