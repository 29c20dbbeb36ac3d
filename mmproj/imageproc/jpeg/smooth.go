package jpeg

// This file: estimates for a progressive file whose scans for fine detail are missing, as
// libjpeg-turbo's jdcoefct.c makes them (decompress_smooth_data): the first coefficients of a block
// follow from the DC of the 5 x 5 blocks around it, so that it does not show as a flat square.

// kernel holds the weight of the DC of each of the 5 x 5 blocks, in rows.
type kernel [25]int

// transposed returns k with rows and columns exchanged.
func (k kernel) transposed() (t kernel) {
	for i, w := range k {
		t[i%5*5+i/5] = w
	}
	return t
}

// estimators gives, for each of the first coefficients in zigzag order, the kernel to use where
// only DC is known, and the one where more is; the result is 256 times too large.
var estimators = func() (g [10]struct{ coarse, fine kernel }) {
	g[0].coarse = kernel{
		-2, -6, -8, -6, -2,
		-6, 6, 42, 6, -6,
		-8, 42, 152, 42, -8,
		-6, 6, 42, 6, -6,
		-2, -6, -8, -6, -2}
	g[1].coarse = kernel{
		-1, -1, 0, 1, 1,
		-3, 13, 0, -13, 3,
		-3, 38, 0, -38, 3,
		-3, 13, 0, -13, 3,
		-1, -1, 0, 1, 1}
	g[1].fine = kernel{10: -7, 50, 0, -50, 7}
	g[2].coarse, g[2].fine = g[1].coarse.transposed(), g[1].fine.transposed()
	g[4].coarse = kernel{
		-1, 0, 0, 0, 1,
		0, 9, 0, -9, 0,
		0, 0, 0, 0, 0,
		0, -9, 0, 9, 0,
		1, 0, 0, 0, -1}
	g[4].fine = kernel{
		0, -1, 0, 1, 0,
		-1, 10, 0, -10, 1,
		0, 0, 0, 0, 0,
		1, -10, 0, 10, -1,
		0, 1, 0, -1, 0}
	g[5].coarse = kernel{6: 2, -5, 2, 10: 1, 7, -14, 7, 1, 16: 2, -5, 2}
	g[5].fine = kernel{10: -1, 13, -24, 13, -1}
	g[3].coarse, g[3].fine = g[5].coarse.transposed(), g[5].fine.transposed()
	g[6].coarse = kernel{6: 1, 0, -1, 11: 2, 0, -2, 16: 1, 0, -1}
	g[9].coarse = g[6].coarse.transposed()
	g[7].coarse = kernel{6: 1, -3, 1, 16: -1, 3, -1}
	g[8].coarse = g[7].coarse.transposed()
	return g
}()

// smoothable reports whether blocks are to be smoothed: DC must be known of every component, and
// some other of the first coefficients unknown in one.
func (f *frame) smoothable() bool {
	useful := false
	for i := range f.components {
		c := &f.components[i]
		for k, known := range c.known[:len(estimators)] {
			if c.steps[zigzag[k]] == 0 || k == 0 && known < 0 {
				return false
			}
			useful = useful || k > 0 && known != 0
		}
	}
	return useful
}

// smoothed returns the coefficients of block (x, y) with estimates for those that are 0 and not
// known to be.
func (c *component) smoothed(x, y, mcuRows int) [64]int16 {
	b, _ := c.at(x, y)
	out, dc := *b, c.neighbours(x, y, mcuRows)
	coarse := [9]int8(c.known[1:10]) == [9]int8{-1, -1, -1, -1, -1, -1, -1, -1, -1}
	for k := range estimators {
		at, bits, weights := zigzag[k], c.known[k], &estimators[k].fine
		if coarse {
			weights = &estimators[k].coarse
		} else if k == 0 || k > 5 {
			continue
		}
		if k > 0 && (bits == 0 || b[at] != 0) {
			continue
		}
		sum, step := 0, int(c.steps[at])
		for i, w := range weights {
			sum += w * dc[i]
		}
		sum *= int(c.steps[0])
		estimate := (max(sum, -sum) + step<<7) / (step << 8)
		if k > 0 && bits > 0 {
			estimate = min(estimate, 1<<bits-1) // what the known bits allow
		}
		if sum < 0 {
			estimate = -estimate
		}
		out[at] = int16(estimate)
	}
	return out
}

// neighbours returns the DC of the 5 x 5 blocks around block (x, y); beyond the image's borders the
// outermost is repeated. That is the rule, but the libjpeg-turbo of TensorFlow (2.1.4) only
// approximates it where MCUs are higher than a block or the image is two blocks wide, and so does
// this.
func (c *component) neighbours(x, y, mcuRows int) (dc [25]int) {
	mcu, in, rows, last := y/c.v, y%c.v, c.v, mcuRows-1
	if mcu == last {
		rows = c.high - mcu*c.v
	}
	up, down := [3]int{}, [3]int{} // how far the rows one and two above and below are
	if y > 0 {
		up = [3]int{0, 1, 1}
	}
	if in > 1 || mcu > 1 {
		up[2] = 2
	}
	if in < rows-1 || mcu < last {
		down = [3]int{0, 1, 1}
	}
	if in < rows-2 || mcu+1 < last {
		down[2] = 2
	}
	for i := range dc {
		column, row := x+i%5-2, y
		if c.wide == 2 && column > 1 {
			column = 0
		}
		if i < 10 {
			row -= up[2-i/5]
		} else {
			row += down[i/5-2]
		}
		b, _ := c.at(min(max(column, 0), c.wide-1), row)
		dc[i] = int(b[0])
	}
	return dc
}
