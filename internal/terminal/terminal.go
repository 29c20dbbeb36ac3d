// Package terminal shows images in terminals that can.
//
// Before it: an image. After it: escape sequences, in one of three forms, for standard output. This file: the forms; detect.go: which of them a
// terminal knows.
package terminal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/png"
	"io"

	"github.com/disintegration/imaging"
)

// A Form is a way to show an image.
type Form string

const (
	Kitty  Form = "kitty"  // https://sw.kovidgoyal.net/kitty/graphics-protocol
	ITerm2 Form = "iterm2" // https://iterm2.com/documentation-images.html
	Sixel  Form = "sixel"  // DEC STD 070, chapter 9; https://vt100.net/docs/vt3xx-gp/chapter14.html
)

// Forms lists them all.
var Forms = []Form{Kitty, ITerm2, Sixel}

// Largest image that is shown, in pixels; a larger one is shrunk.
const mostWidth, mostHeight = 800, 600

// Show writes the image, shrunk if it is large, and a newline.
func Show(w io.Writer, f Form, p image.Image) error {
	if size := p.Bounds().Size(); size.X > mostWidth || size.Y > mostHeight {
		p = imaging.Fit(p, mostWidth, mostHeight, imaging.CatmullRom)
	}
	var b bytes.Buffer
	switch f {
	case Kitty:
		kitty(&b, pngOf(p))
	case ITerm2:
		data := pngOf(p)
		fmt.Fprintf(&b, "\x1b]1337;File=inline=1;size=%d;width=%dpx;height=%dpx:%s\a", len(data), p.Bounds().Dx(), p.Bounds().Dy(), base64.StdEncoding.EncodeToString(data))
	case Sixel:
		sixel(&b, paletted(p))
	default:
		return fmt.Errorf("terminal: form %q: want one of %v", f, Forms)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func pngOf(p image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, p) // a buffer takes everything, and the image has a size
	return b.Bytes()
}

// kittyChunk is the most base64 of one escape sequence.
const kittyChunk = 4096

// kitty sends a PNG (f=100) to be shown at once (a=T) without an answer (q=2), in pieces; m=1 says that more follow.
func kitty(b *bytes.Buffer, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	head := "a=T,f=100,q=2,"
	for more := 1; more == 1; head = "" {
		n := min(len(text), kittyChunk)
		if n == len(text) {
			more = 0
		}
		fmt.Fprintf(b, "\x1b_G%sm=%d;%s\x1b\\", head, more, text[:n])
		text = text[n:]
	}
}

// paletted gives an image the 216 colours whose parts are multiples of 20 %, which sixels can say exactly.
func paletted(p image.Image) *image.Paletted {
	q := image.NewPaletted(image.Rectangle{Max: p.Bounds().Size()}, palette.WebSafe)
	draw.FloydSteinberg.Draw(q, q.Rect, p, p.Bounds().Min)
	return q
}

// sixel writes bands of six rows; in each, for every colour in it, one character for each column whose six bits say which rows have that colour.
func sixel(b *bytes.Buffer, p *image.Paletted) {
	width, height := p.Rect.Dx(), p.Rect.Dy()
	fmt.Fprintf(b, "\x1bPq\"1;1;%d;%d", width, height)
	var used [256]bool
	for _, c := range p.Pix {
		if !used[c] {
			used[c] = true
			rgb := p.Palette[c].(color.RGBA)
			fmt.Fprintf(b, "#%d;2;%d;%d;%d", c, percent(rgb.R), percent(rgb.G), percent(rgb.B))
		}
	}
	for top := 0; top < height; top += 6 {
		band := p.Pix[top*p.Stride : min(top+6, height)*p.Stride]
		for c := range used {
			if used[c] && bytes.IndexByte(band, byte(c)) >= 0 {
				fmt.Fprintf(b, "#%d", c)
				sixelRow(b, band, width, p.Stride, byte(c))
				b.WriteByte('$') // back to the first column
			}
		}
		b.WriteByte('-') // the next band
	}
	b.WriteString("\x1b\\")
}

func percent(v uint8) int { return (int(v)*100 + 127) / 255 }

// sixelRow writes one colour of one band, equal columns as a count.
func sixelRow(b *bytes.Buffer, band []uint8, width, stride int, c byte) {
	last, n := byte(0), 0
	end := func() {
		if n > 3 {
			fmt.Fprintf(b, "!%d%c", n, last)
			return
		}
		for range n {
			b.WriteByte(last)
		}
	}
	for x := range width {
		bits := byte(0)
		for y := 0; y*stride < len(band); y++ {
			if band[y*stride+x] == c {
				bits |= 1 << y
			}
		}
		if bits += '?'; bits != last {
			end()
			last, n = bits, 0
		}
		n++
	}
	end()
}
