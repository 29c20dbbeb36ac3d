package imageproc

// This file: transparency. The model knows none, and what lies below transparent pixels is often
// black or what was cut out: an image is laid on white, as viewers and web pages show it. TensorFlow
// drops alpha, so the authors' own images had none.

import (
	"encoding/binary"
	"image"
)

// coverWhite lays p, whose colours are those of m, on white, by the alpha of m. Opaque pixels stay
// as they are. m is one of toRGB's types; it has the size of p unless it is paletted.
func (p *Image) coverWhite(m image.Image) {
	switch m := m.(type) {
	case *image.NRGBA:
		p.coverSamples(m.Pix, m.Stride, 4, 3)
	case *image.NRGBA64: // big-endian: the high byte comes first
		p.coverSamples(m.Pix, m.Stride, 8, 6)
	case *image.NYCbCrA:
		p.coverSamples(m.A, m.AStride, 1, 0)
	case *image.Paletted:
		p.coverPaletted(m)
	}
}

// coverSamples lays p on white by the alpha in pix, rows of stride bytes; step is the size of a
// pixel in bytes, at the offset of its alpha.
func (p *Image) coverSamples(pix []uint8, stride, step, at int) {
	for y := range p.Height {
		from, to := pix[y*stride:][:step*p.Width], p.row(y)
		for i, j := at, 0; j < len(to); i, j = i+step, j+3 {
			if a := from[i]; a != 0xff {
				to[j], to[j+1], to[j+2] = onWhite(to[j], a), onWhite(to[j+1], a), onWhite(to[j+2], a)
			}
		}
	}
}

// coverPaletted lays p on white where m, at its place on p, is not opaque, and where m is not.
func (p *Image) coverPaletted(m *image.Paletted) {
	var alpha [256]uint8
	opaque := true
	for i := range alpha {
		alpha[i] = 0xff // an index beyond the palette is black
		if i < len(m.Palette) {
			_, _, _, a := m.Palette[i].RGBA()
			alpha[i] = uint8(a >> 8)
		}
		opaque = opaque && alpha[i] == 0xff
	}
	if opaque && m.Rect == image.Rect(0, 0, p.Width, p.Height) {
		return
	}
	for y := range p.Height {
		to := p.row(y)
		for x := range p.Width {
			a := uint8(0)
			if (image.Point{X: x, Y: y}).In(m.Rect) {
				a = alpha[m.Pix[m.PixOffset(x, y)]]
			}
			for c := range 3 {
				to[3*x+c] = onWhite(to[3*x+c], a)
			}
		}
	}
}

// onWhite returns a sample with alpha a, laid on white and rounded to the nearest.
func onWhite(sample, a uint8) uint8 {
	return uint8((int(sample)*int(a) + 255*(255-int(a)) + 127) / 255)
}

// hasAlpha reports whether the alpha of m, decoded from data, counts. It does not in a BMP without a
// mask for it, or where it is zero everywhere, since programs leave it so; nor in a lossless WebP
// that says that it has none.
func hasAlpha(data []byte, m image.Image) bool {
	const bmpMask = 66 // offset
	n, ok := m.(*image.NRGBA)
	switch {
	case !ok:
		return true
	case hasMagic(data, "BM"):
		return len(data) >= bmpMask+4 && binary.LittleEndian.Uint32(data[bmpMask:]) != 0 && !allClear(n)
	case hasMagic(data, "RIFF????WEBP"):
		return webpAlpha(data)
	}
	return true
}

// allClear reports whether the alpha of m is zero everywhere.
func allClear(m *image.NRGBA) bool {
	for i := 3; i < len(m.Pix); i += 4 {
		if m.Pix[i] != 0 {
			return false
		}
	}
	return true
}

// webpAlpha reports whether a lossless WebP says in its header that its alpha is used.
func webpAlpha(data []byte) bool {
	const sizes = 28 // bits of the width and height, after the mark
	for kind, body := range webpChunks(data) {
		if kind == "VP8L" && len(body) >= 5 {
			return binary.LittleEndian.Uint32(body[1:])>>sizes&1 != 0
		}
	}
	return false
}
