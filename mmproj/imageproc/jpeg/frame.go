package jpeg

// This file: the frame header: sizes, and what the components are.

import (
	"errors"
	"fmt"
)

// frame is what a frame header says.
type frame struct {
	width, height int // pixels
	progressive   bool
	components    []component
	hMax, vMax    int // largest sampling factors
	mcuX, mcuY    int // MCUs in a row, rows of MCUs
}

// component is one colour of the image.
type component struct {
	id, h, v, q  int         // number, sampling factors, number of the quantization table
	wide, high   int         // blocks that carry samples
	stride       int         // blocks in a row of plane and coefficients, which hold whole MCUs
	seen         bool        // in a scan before; multipliers are those of its first
	multipliers  *[64]int16  // of the inverse transform, in rows
	steps        [64]uint16  // the quantization table that they are made of
	coefficients [][64]int16 // of a progressive file, in rows
	lasts        []uint8     // for each block, the position in zigzag order of its last coefficient that is not 0
	known        [64]int8    // for each coefficient in zigzag order, its lowest bit that is known; -1: none
	plane        []uint8     // samples, 8*stride in a row
	dc, ac       *table      // of the scan that is being read
	last         int32       // DC of the block before
}

// readFrame reads the frame header b. It allocates nothing for the pixels: the caller of Size has
// yet to check the size.
func (d *decoder) readFrame(b []byte, progressive bool) error {
	if d.components != nil || len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errFormat
	}
	if b[0] != 8 {
		return fmt.Errorf("jpeg: %d bits for a sample, want 8", b[0])
	}
	if b[5] != 1 && b[5] != 3 && b[5] != 4 {
		return fmt.Errorf("jpeg: %d components, want 1, 3 or 4", b[5])
	}
	f := frame{height: int(b[1])<<8 | int(b[2]), width: int(b[3])<<8 | int(b[4]), progressive: progressive, hMax: 1,
		vMax: 1}
	for i := 6; i < len(b); i += 3 {
		c := component{id: int(b[i]), h: int(b[i+1] >> 4), v: int(b[i+1] & 15), q: int(b[i+2])}
		if c.q > 3 || c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || f.find(c.id) != nil {
			return errFormat
		}
		f.hMax, f.vMax = max(f.hMax, c.h), max(f.vMax, c.v)
		f.components = append(f.components, c)
	}
	f.mcuX, f.mcuY = ceil(f.width, 8*f.hMax), ceil(f.height, 8*f.vMax)
	for i := range f.components {
		c := &f.components[i]
		if f.hMax%c.h != 0 || f.vMax%c.v != 0 {
			return fmt.Errorf("jpeg: sampling factors %dx%d of %dx%d, want whole ratios", c.h, c.v, f.hMax, f.vMax)
		}
		c.wide, c.high = ceil(ceil(f.width*c.h, f.hMax), 8), ceil(ceil(f.height*c.v, f.vMax), 8)
		c.stride = c.h * f.mcuX
		for k := range c.known {
			c.known[k] = -1
		}
	}
	d.frame = f
	return nil
}

// ceil returns a/b, rounded up.
func ceil(a, b int) int { return (a + b - 1) / b }

// find returns the component with that number; nil if there is none.
func (f *frame) find(id int) *component {
	for i := range f.components {
		if f.components[i].id == id {
			return &f.components[i]
		}
	}
	return nil
}

// prepare prepares c for its first scan: it takes the quantization table as it is now, and
// allocates a byte for each sample, or in a progressive file two bytes for each coefficient.
func (d *decoder) prepare(c *component) error {
	if c.seen {
		if !d.progressive {
			return errors.New("jpeg: two scans of one component")
		}
		return nil
	}
	if !d.hasQuant[c.q] {
		return errors.New("jpeg: quantization table missing")
	}
	const pixelsPerByte = 8 * 64 // the shortest code of a block is one bit
	if d.width < 1 || d.height < 1 {
		return fmt.Errorf("jpeg: size: have %dx%d, want at least one pixel", d.width, d.height)
	}
	if minimum := int64(d.width) * int64(d.height) / pixelsPerByte; int64(len(d.data)) < minimum {
		return fmt.Errorf("jpeg: file too short: have %d bytes, want at least %d for the pixels its header claims",
			len(d.data), minimum)
	}
	c.seen, c.steps = true, d.quant[c.q]
	m := multipliers(&c.steps)
	c.multipliers = &m
	if d.progressive {
		c.coefficients = make([][64]int16, c.stride*c.v*d.mcuY)
		c.lasts = make([]uint8, len(c.coefficients))
	} else {
		c.plane = make([]uint8, 64*c.stride*c.v*d.mcuY)
		c.known = [64]int8{}
	}
	return nil
}

// complete says whether every coefficient of every component is known.
func (f *frame) complete() bool {
	for i := range f.components {
		if f.components[i].known != [64]int8{} {
			return false
		}
	}
	return f.components != nil
}

// finish transforms the coefficients of a progressive file into planes of samples.
func (d *decoder) finish() error {
	if d.components == nil {
		return errTruncated
	}
	for i := range d.components {
		if d.components[i].known[0] < 0 {
			return errors.New("jpeg: scan missing for a component")
		}
	}
	if !d.progressive {
		return nil
	}
	smooth := d.smoothable()
	for i := range d.components {
		d.components[i].transform(d.mcuY, smooth)
	}
	return nil
}

// transform makes the plane of a progressive file's component of mcuRows rows of MCUs; smooth
// estimates missing coefficients.
func (c *component) transform(mcuRows int, smooth bool) {
	c.plane = make([]uint8, 64*len(c.coefficients))
	for y := range c.high {
		for x := range c.wide {
			b, last := c.at(x, y)
			switch dst := c.plane[64*y*c.stride+8*x:]; {
			case smooth:
				estimated := c.smoothed(x, y, mcuRows)
				inverse(&estimated, c.multipliers, dst, 8*c.stride)
			case *last == 0:
				flat(b[0], c.multipliers, dst, 8*c.stride)
			default:
				inverse(b, c.multipliers, dst, 8*c.stride)
			}
		}
	}
	c.coefficients, c.lasts = nil, nil
}
