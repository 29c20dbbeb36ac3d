package masks

// This file: one convolution.

// convolution is a layer with its weights in the order in which apply goes through them.
type convolution struct {
	layer
	in      int
	stride  int
	bias    []float32 // [out]
	offsets []int     // of each row or column of the kernel: output = stride*input + offset
	taps    []float32 // [kernel row, kernel column, in, out]
}

// newConvolution reorders a weight of this shape.
//
// A convolution of odd kernel k, padded by (k-1)/2, adds input y to output y + (k-1)/2 - row. A
// transposed one of kernel 4, stride 2 and (PyTorch's) padding 1 adds input y to output 2y - 1 +
// row; flax writes the same with the kernel's axes exchanged and a padding of 2.
func newConvolution(l layer, shape []int, weight, bias []float32) convolution {
	c := convolution{layer: l, in: shape[1], stride: 1, bias: bias, taps: make([]float32, len(weight))}
	k, outStep, inStep := l.Kernel, shape[1]*l.Kernel*l.Kernel, l.Kernel*l.Kernel
	if l.Upwards {
		c.in, c.stride = shape[0], 2
		outStep, inStep = inStep, shape[1]*l.Kernel*l.Kernel
	}
	for row := range k {
		offset := (k-1)/2 - row
		if l.Upwards {
			offset = row - 1
		}
		c.offsets = append(c.offsets, offset)
		for column := range k {
			for i := range c.in {
				for o := range l.Out {
					c.taps[((row*k+column)*c.in+i)*l.Out+o] = weight[o*outStep+i*inStep+row*k+column]
				}
			}
		}
	}
	return c
}

// apply convolves x [side,side,in] to [side',side',out], and returns the new side.
func (c convolution) apply(x []float32, side int) ([]float32, int) {
	wide := side * c.stride
	y := make([]float32, 0, wide*wide*c.Out)
	for range wide * wide {
		y = append(y, c.bias...)
	}
	var there []int // channels of a pixel that are not zero: about half after a ReLU
	for row := range side {
		for column := range side {
			pixel := x[(row*side+column)*c.in:][:c.in]
			there = there[:0]
			for i, v := range pixel {
				if v != 0 {
					there = append(there, i)
				}
			}
			for ky, dy := range c.offsets {
				for kx, dx := range c.offsets {
					toY, toX := row*c.stride+dy, column*c.stride+dx
					if toY >= 0 && toY < wide && toX >= 0 && toX < wide {
						c.add(y[(toY*wide+toX)*c.Out:][:c.Out], pixel, there, c.taps[(ky*c.Kernel+kx)*c.in*c.Out:])
					}
				}
			}
		}
	}
	if c.Relu {
		for i, v := range y {
			y[i] = max(v, 0)
		}
	}
	return y, wide
}

// add adds the channels of one pixel, times one tap's weights [in,out], to an output pixel [out];
// four channels at a time.
func (c convolution) add(to, pixel []float32, there []int, weights []float32) {
	row := func(i int) []float32 { return weights[i*c.Out:][:len(to)] }
	for ; len(there) >= 4; there = there[4:] {
		v0, v1, v2, v3 := pixel[there[0]], pixel[there[1]], pixel[there[2]], pixel[there[3]]
		w0, w1, w2, w3 := row(there[0]), row(there[1]), row(there[2]), row(there[3])
		for o := range to {
			to[o] += v0*w0[o] + v1*w1[o] + v2*w2[o] + v3*w3[o]
		}
	}
	for _, i := range there {
		v, w := pixel[i], row(i)
		for o := range to {
			to[o] += v * w[o]
		}
	}
}
