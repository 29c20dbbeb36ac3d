// Package terminal shows images in terminals that support it.
//
// Before it: an image. After it: escape sequences, in one of three forms, for standard output. This
// file: the forms; detect.go: which of them a terminal supports.
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

// Form is a protocol for showing an image in a terminal.
type Form string

const (
	Kitty  Form = "kitty"  // https://sw.kovidgoyal.net/kitty/graphics-protocol
	ITerm2 Form = "iterm2" // https://iterm2.com/documentation-images.html
	Sixel  Form = "sixel"  // DEC STD 070, chapter 9; https://vt100.net/docs/vt3xx-gp/chapter14.html
)

// Forms lists all forms.
var Forms = []Form{Kitty, ITerm2, Sixel}

// Largest image that is shown, in pixels; a larger one is scaled down.
const maxWidth, maxHeight = 800, 600

// Show writes img in the form f to w, scaled down if it is large, and a newline.
func Show(w io.Writer, f Form, img image.Image) error {
	if size := img.Bounds().Size(); size.X > maxWidth || size.Y > maxHeight {
		img = imaging.Fit(img, maxWidth, maxHeight, imaging.CatmullRom)
	}
	var b bytes.Buffer
	switch f {
	case Kitty:
		kitty(&b, pngOf(img))
	case ITerm2:
		data := pngOf(img)
		fmt.Fprintf(&b, "\x1b]1337;File=inline=1;size=%d;width=%dpx;height=%dpx:%s\a", len(data), img.Bounds().Dx(),
			img.Bounds().Dy(), base64.StdEncoding.EncodeToString(data))
	case Sixel:
		sixel(&b, paletted(img))
	default:
		return fmt.Errorf("terminal: form %q: want one of %v", f, Forms)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// pngOf encodes img as a PNG.
func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, img) // a buffer accepts every write, and the image is not empty
	return b.Bytes()
}

// kittyChunk is the maximum length of the base64 text of one escape sequence.
const kittyChunk = 4096

// kitty writes data, a PNG (f=100), to be shown at once (a=T) without an answer (q=2), in pieces;
// m=1 says that more follow.
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

// paletted reduces img to the 216 colours whose components are multiples of 20 %, which sixels
// express exactly.
func paletted(img image.Image) *image.Paletted {
	q := image.NewPaletted(image.Rectangle{Max: img.Bounds().Size()}, palette.WebSafe)
	draw.FloydSteinberg.Draw(q, q.Rect, img, img.Bounds().Min)
	return q
}

// sixel writes img in bands of six rows: for every colour in a band one character for each column,
// whose six bits say which rows have that colour.
func sixel(b *bytes.Buffer, img *image.Paletted) {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	fmt.Fprintf(b, "\x1bPq\"1;1;%d;%d", width, height)
	var used [256]bool
	for _, c := range img.Pix {
		if !used[c] {
			used[c] = true
			rgb := img.Palette[c].(color.RGBA)
			fmt.Fprintf(b, "#%d;2;%d;%d;%d", c, percent(rgb.R), percent(rgb.G), percent(rgb.B))
		}
	}
	for top := 0; top < height; top += 6 {
		band := img.Pix[top*img.Stride : min(top+6, height)*img.Stride]
		for c := range used {
			if used[c] && bytes.IndexByte(band, byte(c)) >= 0 {
				fmt.Fprintf(b, "#%d", c)
				sixelRow(b, band, width, img.Stride, byte(c))
				b.WriteByte('$') // back to the first column
			}
		}
		b.WriteByte('-') // the next band
	}
	b.WriteString("\x1b\\")
}

// percent scales v from 0..255 to 0..100, rounded.
func percent(v uint8) int { return (int(v)*100 + 127) / 255 }

// sixelRow writes the colour c of one band; a run of equal columns is written as a count.
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
