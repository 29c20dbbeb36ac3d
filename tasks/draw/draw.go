// Package draw shows objects on an image: boxes, labels with their scores, masks.
//
// Before it: objects with pixels (package tasks) and the image as a person sees it. After it: an
// image to be written as PNG.
//
// A label has the same colour in every image, one of seven that colour-blind people can distinguish
// (Okabe and Ito, Color Universal Design, 2008). Lines are edged in black and white, and text
// stands on a plate of the label's colour, so that both are legible on any background. Sizes grow
// with the image.
package draw

import (
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	stddraw "image/draw"
	"math"

	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

var colours = []color.RGBA{
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xf0, 0xe4, 0x42, 0xff}, // yellow
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
}

// Colour returns the colour of a label, always the same.
func Colour(label string) color.RGBA {
	h := fnv.New32a()
	h.Write([]byte(label))
	return colours[h.Sum32()%uint32(len(colours))]
}

// Objects returns a copy of an RGB image pix [height,width,3] with the objects on it: the masks
// first, then the boxes, then the labels, in their order. A score of 0 is not shown.
func Objects(pix []uint8, width, height int, objects []tasks.Detection) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		copy(p.Pix[4*i:], pix[3*i:3*i+3])
		p.Pix[4*i+3] = 0xff
	}
	line := max(2, int(math.Round(math.Sqrt(float64(width)*float64(height))/220)))
	for _, o := range objects {
		if o.Mask != nil && o.Mask.Width == width && o.Mask.Height == height {
			shade(p, o.Mask, Colour(o.Label))
		}
	}
	for _, o := range objects {
		frame(p, pixelRect(o.XYXY), line, Colour(o.Label))
	}
	text := newWriter(max(11, 7*line))
	for _, o := range objects {
		plate(p, text, o, line)
	}
	return p
}

// Masks returns the masks of the objects alone, in an image of this size: with a palette, in which
// pixels of the n-th object that has a mask have the value n, or white on black. It fails if there
// are more masks than a palette holds.
func Masks(width, height int, grey bool, objects []tasks.Detection) (image.Image, error) {
	var all []*masks.Bitmap
	var colours []color.RGBA
	for _, o := range objects {
		if o.Mask != nil {
			all, colours = append(all, o.Mask), append(colours, Colour(o.Label))
		}
	}
	if grey {
		return masks.Grey(width, height, all), nil
	}
	return masks.Paletted(width, height, all, colours)
}

// pixelRect returns the pixels that a box covers, one at least.
func pixelRect(xyxy [4]float64) image.Rectangle {
	whole := func(v float64) int { return int(math.Round(min(max(v, -1e6), 1e6))) }
	r := image.Rect(whole(xyxy[0]), whole(xyxy[1]), whole(xyxy[2]), whole(xyxy[3]))
	if r.Dx() == 0 {
		r.Max.X++
	}
	if r.Dy() == 0 {
		r.Max.Y++
	}
	return r
}

// shade lays the colour over a mask, and draws its edge.
func shade(p *image.RGBA, m *masks.Bitmap, c color.RGBA) {
	in := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < m.Width && y < m.Height && m.Bits[y*m.Width+x]
	}
	for y := range m.Height {
		for x := range m.Width {
			if !in(x, y) {
				continue
			}
			share := 0.45
			if !in(x-1, y) || !in(x+1, y) || !in(x, y-1) || !in(x, y+1) {
				share = 0.9
			}
			at := p.PixOffset(x, y)
			for i, v := range []uint8{c.R, c.G, c.B} {
				p.Pix[at+i] = uint8(math.Round((1-share)*float64(p.Pix[at+i]) + share*float64(v)))
			}
		}
	}
}

// frame draws a box: a line of the colour along its inside, between a black line and a white one.
func frame(p *image.RGBA, r image.Rectangle, line int, c color.RGBA) {
	ring(p, r.Inset(-1), 1, color.RGBA{A: 0xff})
	ring(p, r, line, c)
	ring(p, r.Inset(line), 1, color.RGBA{0xff, 0xff, 0xff, 0xff})
}

// ring fills the pixels of r that are within n of its edge.
func ring(p *image.RGBA, r image.Rectangle, n int, c color.RGBA) {
	if r.Empty() {
		return
	}
	inner := r.Inset(n)
	fill := func(x0, y0, x1, y1 int) {
		stddraw.Draw(p, image.Rect(x0, y0, x1, y1).Intersect(p.Rect), image.NewUniform(c), image.Point{}, stddraw.Src)
	}
	if inner.Empty() {
		fill(r.Min.X, r.Min.Y, r.Max.X, r.Max.Y)
		return
	}
	fill(r.Min.X, r.Min.Y, r.Max.X, inner.Min.Y)
	fill(r.Min.X, inner.Max.Y, r.Max.X, r.Max.Y)
	fill(r.Min.X, inner.Min.Y, inner.Min.X, inner.Max.Y)
	fill(inner.Max.X, inner.Min.Y, r.Max.X, inner.Max.Y)
}

// plate writes a label on a plate of its colour: above the box, or in it if it does not fit there,
// and always within the image if it fits there.
func plate(p *image.RGBA, text *writer, o tasks.Detection, line int) {
	label := o.Label
	if o.Score.Score > 0 {
		label = fmt.Sprintf("%s %.2f", label, o.Score.Score)
	}
	if label == "" {
		return
	}
	box, c := pixelRect(o.XYXY), Colour(o.Label)
	size := image.Pt(text.width(label)+2*line, text.height+line)
	at := image.Pt(box.Min.X, box.Min.Y-size.Y)
	if at.Y < 0 {
		at.Y = box.Min.Y + line
	}
	at.X = max(0, min(at.X, p.Rect.Dx()-size.X))
	at.Y = max(0, min(at.Y, p.Rect.Dy()-size.Y))
	r := image.Rectangle{at, at.Add(size)}
	stddraw.Draw(p, r.Inset(-1).Intersect(p.Rect), image.NewUniform(color.RGBA{A: 0xff}), image.Point{}, stddraw.Src)
	stddraw.Draw(p, r.Intersect(p.Rect), image.NewUniform(c), image.Point{}, stddraw.Src)
	ink := color.RGBA{A: 0xff}
	if luminance(c) < 0.18 { // where white has the larger contrast (WCAG 2.2, relative luminance)
		ink = color.RGBA{0xff, 0xff, 0xff, 0xff}
	}
	text.write(p, at.Add(image.Pt(line, line/2)), label, ink)
}

// luminance is WCAG's relative luminance of a colour, 0 to 1.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
