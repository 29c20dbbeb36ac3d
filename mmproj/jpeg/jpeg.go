// Package jpeg decodes sequential JPEGs with the inverse DCT that TensorFlow uses, so that the model sees the pixels it was trained on.
//
// Before it: a file whose size has been checked (package mmproj). After it: an image.Gray or an image.YCbCr, whose colour is still to be upsampled.
// It reads what nearly every camera and program writes: baseline and extended sequential, Huffman coded, 8 bits, grey or YCbCr. For anything else
// (progressive, CMYK, RGB) it returns ErrUnsupported, and the caller uses the standard library's decoder. ITU T.81 is the standard.
package jpeg

import (
	"errors"
	"image"
)

// ErrUnsupported says that the file is of a kind that this package leaves to others.
var ErrUnsupported = errors.New("jpeg: not a sequential grey or YCbCr file")

var errFormat = errors.New("jpeg: bad segment")

// component is one colour of the picture.
type component struct {
	id, h, v, q   int
	dc, ac        *table
	last          int32   // DC of the block before
	plane         []uint8 // samples, padded to whole MCUs
	stride        int
	width, height int // blocks that carry samples, for scans of one component
}

type decoder struct {
	data       []byte
	at         int
	quant      [4][64]uint16 // in rows
	hasQuant   [4]bool
	dc, ac     [4]table
	width      int
	height     int
	mcuX, mcuY int
	interval   int // MCUs between restarts; 0: none
	components []component
	scanned    int // components seen in scans
}

// Decode reads a whole file.
func Decode(data []byte) (image.Image, error) {
	d := &decoder{data: data, at: 2}
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return nil, errFormat
	}
	for {
		marker, body, err := d.segment()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == 0xd9:
			return d.image()
		case marker == 0xdb:
			err = d.quantization(body)
		case marker == 0xc4:
			err = d.huffman(body)
		case marker == 0xc0 || marker == 0xc1:
			err = d.frame(body)
		case marker >= 0xc2 && marker <= 0xcf:
			err = ErrUnsupported
		case marker == 0xdd && len(body) == 2:
			d.interval = int(body[0])<<8 | int(body[1])
		case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe" && body[11] != 1:
			err = ErrUnsupported // RGB or CMYK
		case marker == 0xda:
			if err = d.scan(body); err == nil && d.scanned == len(d.components) {
				return d.image()
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// segment returns the next marker and what belongs to it.
func (d *decoder) segment() (marker byte, body []byte, err error) {
	for d.at+1 < len(d.data) && d.data[d.at] == 0xff && d.data[d.at+1] == 0xff {
		d.at++ // fill bytes
	}
	if d.at+2 > len(d.data) || d.data[d.at] != 0xff {
		return 0, nil, errFormat
	}
	marker = d.data[d.at+1]
	d.at += 2
	if marker == 0xd9 {
		return marker, nil, nil
	}
	if d.at+2 > len(d.data) {
		return 0, nil, errTruncated
	}
	n := int(d.data[d.at])<<8 | int(d.data[d.at+1])
	if n < 2 || d.at+n > len(d.data) {
		return 0, nil, errTruncated
	}
	body = d.data[d.at+2 : d.at+n]
	d.at += n
	return marker, body, nil
}

// zigzag gives the place in rows of the i-th coefficient (figure A.6).
var zigzag = func() (z [64]int) {
	x, y := 0, 0
	for i := range z {
		z[i] = 8*y + x
		switch up := (x+y)%2 == 0; {
		case up && x == 7:
			y++
		case up && y == 0:
			x++
		case up:
			x, y = x+1, y-1
		case y == 7:
			x++
		case x == 0:
			y++
		default:
			x, y = x-1, y+1
		}
	}
	return z
}()

func (d *decoder) quantization(b []byte) error {
	for len(b) > 0 {
		wide, id := int(b[0]>>4), b[0]&15
		n := 64 * (1 + wide)
		if wide > 1 || id > 3 || len(b) < 1+n {
			return errFormat
		}
		for i, at := range zigzag {
			if wide == 1 {
				d.quant[id][at] = uint16(b[1+2*i])<<8 | uint16(b[2+2*i])
			} else {
				d.quant[id][at] = uint16(b[1+i])
			}
		}
		d.hasQuant[id] = true
		b = b[1+n:]
	}
	return nil
}

func (d *decoder) huffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return errFormat
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return errFormat
		}
		t := newTable(b[1:17], b[17:17+n])
		if b[0]>>4 == 0 {
			d.dc[b[0]&15] = t
		} else {
			d.ac[b[0]&15] = t
		}
		b = b[17+n:]
	}
	return nil
}

// frame reads the sizes and makes the planes.
func (d *decoder) frame(b []byte) error {
	if d.components != nil || len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errFormat
	}
	d.height, d.width = int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	if b[0] != 8 || d.width == 0 || d.height == 0 || (b[5] != 1 && b[5] != 3) {
		return ErrUnsupported
	}
	for i := 6; i < len(b); i += 3 {
		c := component{id: int(b[i]), h: int(b[i+1] >> 4), v: int(b[i+1] & 15), q: int(b[i+2])}
		if c.q > 3 {
			return errFormat
		}
		d.components = append(d.components, c)
	}
	first := &d.components[0]
	if len(d.components) == 1 {
		first.h, first.v = 1, 1
	} else if d.components[0].id == 'R' || d.components[1].h != 1 || d.components[1].v != 1 || d.components[2].h != 1 || d.components[2].v != 1 {
		return ErrUnsupported
	}
	if _, ok := ratios[[2]int{first.h, first.v}]; !ok {
		return ErrUnsupported
	}
	d.mcuX, d.mcuY = ceil(d.width, 8*first.h), ceil(d.height, 8*first.v)
	for i := range d.components {
		c := &d.components[i]
		c.stride = 8 * c.h * d.mcuX
		c.plane = make([]uint8, c.stride*8*c.v*d.mcuY)
		c.width, c.height = ceil(ceil(d.width*c.h, first.h), 8), ceil(ceil(d.height*c.v, first.v), 8)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

var ratios = map[[2]int]image.YCbCrSubsampleRatio{
	{1, 1}: image.YCbCrSubsampleRatio444, {2, 1}: image.YCbCrSubsampleRatio422,
	{2, 2}: image.YCbCrSubsampleRatio420, {1, 2}: image.YCbCrSubsampleRatio440,
}

// image wraps the planes.
func (d *decoder) image() (image.Image, error) {
	if d.components == nil || d.scanned < len(d.components) {
		return nil, errTruncated
	}
	r, c := image.Rect(0, 0, d.width, d.height), d.components
	if len(c) == 1 {
		return &image.Gray{Pix: c[0].plane, Stride: c[0].stride, Rect: r}, nil
	}
	return &image.YCbCr{Y: c[0].plane, Cb: c[1].plane, Cr: c[2].plane, YStride: c[0].stride, CStride: c[1].stride,
		SubsampleRatio: ratios[[2]int{c[0].h, c[0].v}], Rect: r}, nil
}
