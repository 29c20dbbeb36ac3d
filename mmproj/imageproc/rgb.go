package imageproc

// This file: the decoders' image types turned into 8-bit RGB. Samples are taken as they are stored,
// never through color.Color, whose values are multiplied by alpha.

import (
	"fmt"
	"image"
	"image/color"

	"github.com/disintegration/imaging"
)

// toRGB converts m, a decoded image, to one of the size of canvas, without its alpha, and black
// where a GIF's first frame does not cover it, as TensorFlow does. It fails for image types that
// none of the decoders gives.
func toRGB(m image.Image, canvas image.Config) (*Image, error) {
	if _, drawn := m.(*image.Paletted); !drawn && m.Bounds().Size() != image.Pt(canvas.Width, canvas.Height) {
		return nil, fmt.Errorf("decoded size: have %v, want %dx%d as its header says", m.Bounds().Size(), canvas.Width,
			canvas.Height)
	}
	p := &Image{Width: canvas.Width, Height: canvas.Height, Pix: make([]uint8, 3*canvas.Width*canvas.Height)}
	switch m := m.(type) {
	case *image.Gray:
		p.copySamples(m.Pix, m.Stride, 1, [3]int{0, 0, 0})
	case *image.Gray16: // big-endian: the high byte comes first
		p.copySamples(m.Pix, m.Stride, 2, [3]int{0, 0, 0})
	case *image.RGBA:
		p.copySamples(m.Pix, m.Stride, 4, [3]int{0, 1, 2})
	case *image.NRGBA:
		p.copySamples(m.Pix, m.Stride, 4, [3]int{0, 1, 2})
	case *image.RGBA64:
		p.copySamples(m.Pix, m.Stride, 8, [3]int{0, 2, 4})
	case *image.NRGBA64:
		p.copySamples(m.Pix, m.Stride, 8, [3]int{0, 2, 4})
	case *image.Paletted:
		return p, p.copyPaletted(m)
	case *image.YCbCr:
		return p, p.copyYCbCr(m)
	case *image.NYCbCrA:
		return p, p.copyYCbCr(&m.YCbCr)
	default:
		return nil, fmt.Errorf("colours of type %T, want grey, RGB, YCbCr or a palette", m)
	}
	return p, nil
}

// row returns row y of p, 3*p.Width bytes.
func (p *Image) row(y int) []uint8 { return p.Pix[3*p.Width*y:][:3*p.Width] }

// Crop returns a copy of the part of p in r, which must lie within p.
func (p *Image) Crop(r image.Rectangle) *Image {
	rows := p.nrgba(r.Min.Y, r.Max.Y)
	return fromNRGBA(imaging.Crop(rows, image.Rect(r.Min.X, 0, r.Max.X, r.Dy())))
}

// nrgba returns rows y0 to y1 (exclusive) of p as an opaque image of the standard library.
func (p *Image) nrgba(y0, y1 int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, p.Width, y1-y0))
	from := p.Pix[3*p.Width*y0 : 3*p.Width*y1]
	for i, j := 0, 0; i < len(from); i, j = i+3, j+4 {
		m.Pix[j], m.Pix[j+1], m.Pix[j+2], m.Pix[j+3] = from[i], from[i+1], from[i+2], 0xff
	}
	return m
}

// FromImage returns m on white, as a copy.
func FromImage(m image.Image) *Image {
	n := imaging.Clone(m)
	p := fromNRGBA(n)
	p.coverWhite(n)
	return p
}

// fromNRGBA converts m without its alpha.
func fromNRGBA(m *image.NRGBA) *Image {
	p := &Image{Width: m.Rect.Dx(), Height: m.Rect.Dy(), Pix: make([]uint8, 3*m.Rect.Dx()*m.Rect.Dy())}
	p.copySamples(m.Pix, m.Stride, 4, [3]int{0, 1, 2})
	return p
}

// copySamples fills p from pix, interleaved samples in rows of stride bytes; step is the size of a
// pixel in bytes, rgb the offsets of its colours.
func (p *Image) copySamples(pix []uint8, stride, step int, rgb [3]int) {
	for y := range p.Height {
		from, to := pix[y*stride:][:step*p.Width], p.row(y)
		for i, j := 0, 0; j < len(to); i, j = i+step, j+3 {
			to[j], to[j+1], to[j+2] = from[i+rgb[0]], from[i+rgb[1]], from[i+rgb[2]]
		}
	}
}

// copyPaletted draws m at its place on p.
func (p *Image) copyPaletted(m *image.Paletted) error {
	if !m.Rect.In(image.Rect(0, 0, p.Width, p.Height)) {
		return fmt.Errorf("frame: have %v, want it inside %dx%d", m.Rect, p.Width, p.Height)
	}
	var table [256][3]uint8 // black beyond the palette, as libpng
	for i, c := range m.Palette {
		switch c := c.(type) {
		case color.NRGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		case color.RGBA: // opaque, or GIF's transparent index: black, as TensorFlow draws it
			table[i] = [3]uint8{c.R, c.G, c.B}
		default:
			return fmt.Errorf("palette of type %T", c)
		}
	}
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		from, to := m.Pix[m.PixOffset(m.Rect.Min.X, y):][:m.Rect.Dx()], p.row(y)[3*m.Rect.Min.X:]
		for x, index := range from {
			copy(to[3*x:3*x+3], table[index][:])
		}
	}
	return nil
}
