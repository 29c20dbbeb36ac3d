package imageproc

// This file: the frames of a GIF, drawn over each other as its disposal methods say.
//
// Blocks are located first, without decoding (https://www.w3.org/Graphics/GIF/spec-gif89a.txt,
// section 14 and appendix A); then each image is decoded as a GIF of its own, so that memory holds
// one of them and the chosen frames, however many there are.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"slices"
)

// gifFrame is one image of a GIF.
type gifFrame struct {
	control  []byte // its graphic control extension with the two bytes before it, or none
	image    []byte // descriptor, colours, data
	rect     image.Rectangle
	disposal int // 0, 1: leave; 2: clear its rectangle; 3: restore what was before
}

// gifFile is a GIF split into its parts.
type gifFile struct {
	head          []byte // header, screen descriptor, colours
	width, height int
	frames        []gifFrame
}

var errGIFEnd = errors.New("GIF: file ends too early")

// decodeGIF decodes frames of a GIF, as whole images: those whose numbers choose returns, given how
// many there are. It also returns the numbers. Where nothing is drawn, and where a frame was
// cleared, an image is white, as Decode's. l holds for one image; all frames together may have four
// times as many pixels, and what is drawn up to the last of them twenty times.
func decodeGIF(data []byte, choose func(total int) []int, l Limits) ([]*Image, []int, error) {
	if int64(len(data)) > l.Bytes {
		return nil, nil, errTooManyBytes(int64(len(data)), l.Bytes)
	}
	g, err := parseGIF(data)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSize(image.Config{Width: g.width, Height: g.height}, l); err != nil {
		return nil, nil, err
	}
	chosen := choose(len(g.frames))
	if err := g.check(chosen, l); err != nil {
		return nil, nil, err
	}
	images, err := g.draw(chosen)
	return images, chosen, err
}

// parseGIF splits a GIF into its parts.
func parseGIF(data []byte) (*gifFile, error) {
	r := gifReader{data: data}
	screen := r.take(13)
	if r.short || !hasMagic(screen, "GIF8?a") {
		return nil, errors.New("not a GIF")
	}
	r.skipColours(screen[10])
	g := &gifFile{head: data[:r.at], width: int(binary.LittleEndian.Uint16(screen[6:])),
		height: int(binary.LittleEndian.Uint16(screen[8:]))}
	var control []byte
	for {
		from := r.at
		kind := r.take(1)
		if r.short {
			return nil, errGIFEnd
		}
		switch kind[0] {
		case 0x3b:
			if len(g.frames) == 0 {
				return nil, errors.New("GIF: no image in it")
			}
			return g, nil
		case 0x21:
			label := r.take(1)
			r.skipBlocks()
			if !r.short && label[0] == 0xf9 {
				control = data[from:r.at]
			}
		case 0x2c:
			f, err := r.image(from)
			if err != nil {
				return nil, err
			}
			if len(control) == 8 {
				f.control, f.disposal = control, int(control[3]>>2&7)
			}
			control = nil
			if g.frames = append(g.frames, f); len(g.frames) > maxFrames {
				return nil, fmt.Errorf("GIF: over %d frames", maxFrames)
			}
		default:
			return nil, fmt.Errorf("GIF: a block of kind %#02x", kind[0])
		}
		if r.short {
			return nil, errGIFEnd
		}
	}
}

// gifReader reads a GIF's bytes from at on. short says that they ended too early.
type gifReader struct {
	data  []byte
	at    int
	short bool
}

// take returns the next n bytes, or zeros after the end.
func (r *gifReader) take(n int) []byte {
	if r.short = r.short || len(r.data)-r.at < n; r.short {
		return make([]byte, n)
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

// skipColours skips the colour table that a flags byte announces.
func (r *gifReader) skipColours(flags byte) {
	if flags&0x80 != 0 {
		r.take(3 << (flags&7 + 1))
	}
}

// skipBlocks skips sub-blocks and the empty one that ends them.
func (r *gifReader) skipBlocks() {
	for !r.short {
		n := r.take(1)[0]
		if n == 0 {
			return
		}
		r.take(int(n))
	}
}

// image reads an image whose first byte, at from, has been read.
func (r *gifReader) image(from int) (gifFrame, error) {
	d := r.take(9)
	x, y := int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
	rect := image.Rect(x, y, x+int(binary.LittleEndian.Uint16(d[4:])), y+int(binary.LittleEndian.Uint16(d[6:])))
	r.skipColours(d[8])
	r.take(1) // bits of the first codes
	r.skipBlocks()
	if r.short {
		return gifFrame{}, errGIFEnd
	}
	return gifFrame{image: r.data[from:r.at], rect: rect}, nil
}

// check fails if the chosen frames would exceed l. It runs before anything is decoded.
func (g *gifFile) check(chosen []int, l Limits) error {
	count := int64(len(distinct(chosen)))
	if have, limit := count*int64(g.width)*int64(g.height), frameBudget*int64(l.Pixels); have > limit {
		return limitErrorf(LimitPixels, have, limit,
			"GIF: %d frames of %dx%d have %d pixels, want at most %d (four times those of an image)",
			count, g.width, g.height, have, limit)
	}
	drawn := int64(0)
	for i, f := range g.frames[:slices.Max(chosen)+1] {
		if !f.rect.In(image.Rect(0, 0, g.width, g.height)) {
			return fmt.Errorf("GIF: frame %d: have %v, want it inside %dx%d", i, f.rect, g.width, g.height)
		}
		drawn += int64(f.rect.Dx()) * int64(f.rect.Dy())
	}
	if limit := animationBudget * int64(l.Pixels); drawn > limit {
		return limitErrorf(LimitPixels, drawn, limit,
			"GIF: its frames draw %d pixels, want at most %d (twenty times those of an image)", drawn, limit)
	}
	return nil
}

// draw draws the frames up to the last chosen one, and returns the chosen ones in the order of
// chosen.
func (g *gifFile) draw(chosen []int) ([]*Image, error) {
	canvas := white(g.width, g.height)
	kept := map[int]*Image{}
	for i, f := range g.frames[:slices.Max(chosen)+1] {
		m, err := decodeGuarded("GIF", func() (image.Image, error) { return gif.Decode(bytes.NewReader(g.encode(f))) })
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
		var before *Image
		if f.disposal == 3 {
			before = canvas.Crop(f.rect)
		}
		canvas.paint(m.(*image.Paletted))
		if slices.Contains(chosen, i) {
			kept[i] = &Image{Width: g.width, Height: g.height, Pix: slices.Clone(canvas.Pix)}
		}
		switch f.disposal {
		case 2:
			canvas.paste(white(f.rect.Dx(), f.rect.Dy()), f.rect.Min)
		case 3:
			canvas.paste(before, f.rect.Min)
		}
	}
	images := make([]*Image, len(chosen))
	for i, frame := range chosen {
		images[i] = kept[frame]
	}
	return images, nil
}

// white returns an image of one colour.
func white(width, height int) *Image {
	return &Image{Width: width, Height: height, Pix: bytes.Repeat([]byte{0xff}, 3*width*height)}
}

// encode returns a GIF with f as its only image.
func (g *gifFile) encode(f gifFrame) []byte {
	return slices.Concat(g.head, f.control, f.image, []byte{0x3b})
}

// paint draws m onto p at its place. Where m is transparent or beyond its palette, p stays as it
// is.
func (p *Image) paint(m *image.Paletted) {
	var table [256][3]uint8
	var opaque [256]bool
	for i, c := range m.Palette {
		r, g, b, a := c.RGBA()
		table[i], opaque[i] = [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}, a != 0
	}
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		from, to := m.Pix[m.PixOffset(m.Rect.Min.X, y):][:m.Rect.Dx()], p.row(y)[3*m.Rect.Min.X:]
		for x, index := range from {
			if opaque[index] {
				copy(to[3*x:3*x+3], table[index][:])
			}
		}
	}
}

// paste copies part into p with its upper left corner at at; it must fit.
func (p *Image) paste(part *Image, at image.Point) {
	for y := range part.Height {
		copy(p.row(at.Y + y)[3*at.X:], part.row(y))
	}
}
