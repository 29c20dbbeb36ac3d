package draw

// This file: any text, in two fonts.
//
// DejaVu Sans draws what it has: Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian and
// many signs. GNU Unifont, a font of pixels, draws the rest of Unicode's first plane. Letters are
// not joined or stacked as Arabic and the scripts of India want it, and text from right to left is
// put into that order only as a whole. A character of another plane is a frame. Both fonts'
// licences are in fonts/.

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/hex"
	"image"
	"image/color"
	stddraw "image/draw"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/DejaVuSans.ttf
var dejaVu []byte

//go:embed fonts/unifont-15.0.01.hex.gz
var unifontHex []byte

// glyph is a character of Unifont: 16 rows, one bit a pixel.
type glyph struct {
	width int // 8 or 16
	rows  [16]uint16
}

// unifont reads the whole font: a line is the character's number, ":", and its rows, in
// hexadecimal.
var unifont = sync.OnceValue(func() map[rune]glyph {
	all := map[rune]glyph{}
	z, err := gzip.NewReader(bytes.NewReader(unifontHex))
	if err != nil {
		panic("draw: the embedded font: " + err.Error())
	}
	for lines := bufio.NewScanner(z); lines.Scan(); {
		code, dots, _ := strings.Cut(lines.Text(), ":")
		r, err := strconv.ParseUint(code, 16, 16)
		b, err2 := hex.DecodeString(dots)
		if err != nil || err2 != nil || len(b)%16 != 0 || len(b) > 32 {
			panic("draw: the embedded font: " + lines.Text())
		}
		g := glyph{width: len(b) / 2}
		for i := range g.rows {
			for _, v := range b[i*len(b)/16 : (i+1)*len(b)/16] {
				g.rows[i] = g.rows[i]<<8 | uint16(v)
			}
		}
		all[rune(r)] = g
	}
	return all
})

var vector = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(dejaVu)
	if err != nil {
		panic("draw: the embedded font: " + err.Error())
	}
	return f
})

// writer writes text of one size.
type writer struct {
	face   font.Face
	height int // of a line
	ascent int
	scale  int // of a pixel of Unifont
}

func newWriter(size int) *writer {
	face, err := opentype.NewFace(vector(), &opentype.FaceOptions{Size: float64(size), DPI: 72,
		Hinting: font.HintingFull})
	if err != nil {
		panic("draw: the embedded font: " + err.Error())
	}
	m := face.Metrics()
	w := &writer{face: face, ascent: m.Ascent.Ceil(), scale: max(1, (size+8)/16)}
	w.height = max(w.ascent+m.Descent.Ceil(), 16*w.scale)
	return w
}

// width returns how wide a text is.
func (w *writer) width(text string) (n int) {
	for _, r := range text {
		n += w.advance(r)
	}
	return n
}

func (w *writer) advance(r rune) int {
	if a, ok := w.vectorAdvance(r); ok {
		return a
	}
	if unicode.Is(unicode.Mn, r) {
		return 0
	}
	if g, ok := unifont()[r]; ok {
		return g.width * w.scale
	}
	return 8 * w.scale
}

// vectorAdvance returns how wide the character r is in DejaVu, and whether DejaVu has it.
func (w *writer) vectorAdvance(r rune) (int, bool) {
	if i, err := vector().GlyphIndex(nil, r); err != nil || i == 0 {
		return 0, false
	}
	a, ok := w.face.GlyphAdvance(r)
	return a.Round(), ok
}

// write draws a text whose line begins at the point at, its upper left corner.
func (w *writer) write(p *image.RGBA, at image.Point, text string, ink color.RGBA) {
	runes := []rune(text)
	if slices.ContainsFunc(runes, func(r rune) bool { return unicode.In(r, unicode.Hebrew, unicode.Arabic) }) {
		runes = rightToLeft(runes)
	}
	for _, r := range runes {
		if _, ok := w.vectorAdvance(r); ok {
			d := font.Drawer{Dst: p, Src: image.NewUniform(ink), Face: w.face, Dot: fixed.P(at.X, at.Y+w.ascent)}
			d.DrawString(string(r))
		} else {
			w.dots(p, at, r, ink)
		}
		at.X += w.advance(r)
	}
}

// dots draws a character of Unifont, or a frame.
func (w *writer) dots(p *image.RGBA, at image.Point, r rune, ink color.RGBA) {
	g, ok := unifont()[r]
	if !ok {
		g = glyph{8, [16]uint16{3: 0x7e, 4: 0x42, 5: 0x42, 6: 0x42, 7: 0x42, 8: 0x42, 9: 0x42, 10: 0x42, 11: 0x42,
			12: 0x42, 13: 0x7e}}
	}
	top := at.Y + (w.height-16*w.scale)/2
	for y, row := range g.rows {
		for x := range g.width {
			if row>>(g.width-1-x)&1 == 1 {
				dot := image.Rect(0, 0, w.scale, w.scale).Add(image.Pt(at.X+x*w.scale, top+y*w.scale))
				stddraw.Draw(p, dot.Intersect(p.Rect), image.NewUniform(ink), image.Point{}, stddraw.Src)
			}
		}
	}
}

// rightToLeft turns a text around, but for its numbers.
func rightToLeft(text []rune) []rune {
	out := slices.Clone(text)
	slices.Reverse(out)
	number := func(r rune) bool { return unicode.IsDigit(r) || r == '.' }
	for from := 0; from < len(out); from++ {
		to := from
		for to < len(out) && number(out[to]) {
			to++
		}
		slices.Reverse(out[from:to])
		from = max(from, to-1)
	}
	return out
}
