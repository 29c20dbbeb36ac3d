package imageproc

// This file: TensorFlow's two bilinear resizes, to the bit. Every product is converted to float32,
// which it is already: Go may otherwise fuse it with the addition on some processors, and round
// once instead of twice.

import "math"

// span is the weights of the inputs of one output row or column.
type span struct {
	start   int
	weights []float32 // of inputs start, start+1, ...; they sum to 1
}

// triangleSpans returns the antialiased bilinear filter that resamples in samples to out. Source:
// tensorflow/core/kernels/image/scale_and_translate_op.cc, ComputeSpansCore; sampling_kernels.h,
// TriangleKernel.
func triangleSpans(in, out int) []span {
	inverse := 1 / (float32(out) / float32(in))
	radius := max(inverse, 1)
	narrow := 1 / radius
	spans := make([]span, out)
	for x := range spans {
		centre := float32((float32(x) + 0.5) * inverse)
		start := min(max(int(math.Ceil(float64(centre-radius-0.5))), 0), in-1)
		end := min(max(int(math.Floor(float64(centre+radius-0.5))), 0), in-1) + 1
		weights := make([]float32, end-start)
		var sum float32
		for i := range weights {
			distance := float32((float32(start+i) + 0.5 - centre) * narrow)
			weights[i] = max(0, 1-max(distance, -distance))
			sum += weights[i]
		}
		scale := 1 / sum
		for i := range weights {
			weights[i] *= scale
		}
		spans[x] = span{start, weights}
	}
	return spans
}

// resizeAntialias resizes p into out [3,side,side] as tf.image.resize(method="bilinear",
// antialias=True) / 127.5 - 1 does: rows first, then columns, in float32. Only one row of the
// input's width is held as floats for each processor.
func resizeAntialias(p *Image, side int, out []float32) {
	rows, columns := triangleSpans(p.Height, side), triangleSpans(p.Width, side)
	eachBand(side, func(from, to int) {
		wide := make([]float32, 3*p.Width)
		narrow := make([]float32, 3*side)
		for y := from; y < to; y++ {
			clear(wide)
			for i, w := range rows[y].weights {
				addScaled(wide, p.row(rows[y].start+i), w)
			}
			for x, s := range columns {
				var r, g, b float32
				pix := wide[3*s.start:]
				for i, w := range s.weights {
					r += float32(w * pix[3*i])
					g += float32(w * pix[3*i+1])
					b += float32(w * pix[3*i+2])
				}
				narrow[3*x], narrow[3*x+1], narrow[3*x+2] = r/127.5-1, g/127.5-1, b/127.5-1
			}
			planes(out, side, y, narrow)
		}
	})
}

// addScaled adds w times each sample of row to sum.
func addScaled(sum []float32, row []uint8, w float32) {
	var product [256]float32 // a byte has few values, and converting one to a float is slow
	for v := range product {
		product[v] = float32(w * float32(v))
	}
	for i, v := range row {
		sum[i] += product[v]
	}
}

// lerp gives one output row or column of the plain bilinear filter: lower + (upper-lower)*t.
type lerp struct {
	lower, upper int
	t            float32
}

// lerps returns the bilinear filter that resamples in samples to out, without antialias, with
// half-pixel centres. Source: tensorflow/core/kernels/image/resize_bilinear_op.cc,
// compute_interpolation_weights.
func lerps(in, out int) []lerp {
	scale := float32(in) / float32(out)
	l := make([]lerp, out)
	for x := range l {
		at := float32((float32(x)+0.5)*scale) - 0.5
		floor := float32(math.Floor(float64(at)))
		l[x] = lerp{max(int(floor), 0), min(int(math.Ceil(float64(at))), in-1), at - floor}
	}
	return l
}

// resizeBilinear resizes p into out [3,side,side] as big_vision's resize op and value_range do:
// tf.image.resize(method="bilinear"), clipped and truncated to uint8, then / 127.5 - 1. Columns
// come first within a pixel.
func resizeBilinear(p *Image, side int, out []float32) {
	rows, columns := lerps(p.Height, side), lerps(p.Width, side)
	eachBand(side, func(from, to int) {
		line := make([]float32, 3*side)
		for y := from; y < to; y++ {
			upper, lower := p.row(rows[y].lower), p.row(rows[y].upper)
			for x, c := range columns {
				for i := range 3 {
					left, right := 3*c.lower+i, 3*c.upper+i
					top := mix(float32(upper[left]), float32(upper[right]), c.t)
					bottom := mix(float32(lower[left]), float32(lower[right]), c.t)
					v := uint8(min(max(mix(top, bottom, rows[y].t), 0), 255))
					line[3*x+i] = float32(v)/127.5 - 1
				}
			}
			planes(out, side, y, line)
		}
	})
}

func mix(a, b, t float32) float32 { return a + float32((b-a)*t) }
