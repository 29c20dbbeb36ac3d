package terminal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/png"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// noise returns an image whose PNG is long; its height is meant not to be a multiple of six.
func noise(width, height int) *image.RGBA {
	r := rand.New(rand.NewPCG(1, 2))
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range p.Pix {
		p.Pix[i] = uint8(r.Uint32()) | map[bool]uint8{true: 255}[i%4 == 3]
	}
	return p
}

func shown(t *testing.T, f Form, p image.Image) string {
	t.Helper()
	var b bytes.Buffer
	if err := Show(&b, f, p); err != nil {
		t.Fatal(err)
	}
	text, ends := strings.CutSuffix(b.String(), "\n")
	if !ends {
		t.Error("no newline at the end")
	}
	return text
}

// same compares want with the image sent as a PNG in base.
func same(t *testing.T, base string, want image.Image) {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(base)
	if err != nil {
		t.Fatal(err)
	}
	p, err := png.Decode(bytes.NewReader(data))
	if err != nil || p.Bounds() != want.Bounds() {
		t.Fatalf("%v: %v", err, p)
	}
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() {
			if color.RGBAModel.Convert(p.At(x, y)) != want.At(x, y) {
				t.Fatalf("(%d,%d): %v, want %v", x, y, p.At(x, y), want.At(x, y))
			}
		}
	}
}

func TestKitty(t *testing.T) {
	p := noise(70, 50)
	text := shown(t, Kitty, p)
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "\x1b_G"), "\x1b\\"), "\x1b\\\x1b_G")
	base := ""
	for i, part := range parts {
		keys, payload, _ := strings.Cut(part, ";")
		want := map[bool]string{true: "a=T,f=100,q=2,"}[i == 0] +
			map[bool]string{true: "m=0", false: "m=1"}[i == len(parts)-1]
		if keys != want || len(payload) > 4096 || i < len(parts)-1 && len(payload)%4 != 0 {
			t.Errorf("piece %d: keys %q, want %q; %d bytes", i, keys, want, len(payload))
		}
		base += payload
	}
	if len(parts) < 3 {
		t.Errorf("%d pieces", len(parts))
	}
	same(t, base, p)
}

func TestITerm2(t *testing.T) {
	p := noise(20, 10)
	form := regexp.MustCompile(
		`^\x1b\]1337;File=inline=1;size=(\d+);width=20px;height=10px:([A-Za-z0-9+/=]+)\x07$`)
	m := form.FindStringSubmatch(shown(t, ITerm2, p))
	if m == nil {
		t.Fatal("not the form")
	}
	if data, err := base64.StdEncoding.DecodeString(m[2]); err != nil || strconv.Itoa(len(data)) != m[1] {
		t.Errorf("size %s, have %d", m[1], len(data))
	}
	same(t, m[2], p)
}

// unsixel reads sixels as a terminal does. libsixel and ImageMagick read what Show writes to the
// same pixels (checked outside of the tests).
func unsixel(text string) (*image.RGBA, error) {
	m := regexp.MustCompile(`(?s)^\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\$`).FindStringSubmatch(text)
	if m == nil {
		return nil, errors.New("not the form")
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	p := image.NewRGBA(image.Rect(0, 0, number(m[1]), number(m[2])))
	colours, now, x, y := map[int]color.RGBA{}, 0, 0, 0
	for _, c := range regexp.MustCompile(`#\d+(;2;\d+;\d+;\d+)?|!\d+[?-~]|[?-~]|\$|-|.`).FindAllString(m[3], -1) {
		switch n := 1; {
		case c[0] == '#' && strings.Contains(c, ";"):
			v := strings.Split(c[1:], ";")
			of := func(s string) uint8 { return uint8(number(s) * 255 / 100) }
			colours[number(v[0])] = color.RGBA{of(v[2]), of(v[3]), of(v[4]), 255}
		case c[0] == '#':
			now = number(c[1:])
		case c == "$":
			x = 0
		case c == "-":
			x, y = 0, y+6
		case c[0] == '!':
			n = number(c[1 : len(c)-1])
			c = c[len(c)-1:]
			fallthrough
		case c[0] >= '?' && c[0] <= '~':
			for range n {
				for bit := range 6 {
					if (c[0]-'?')>>bit&1 == 1 {
						if !image.Pt(x, y+bit).In(p.Rect) {
							return nil, fmt.Errorf("(%d,%d) lies outside", x, y+bit)
						}
						p.SetRGBA(x, y+bit, colours[now])
					}
				}
				x++
			}
		default:
			return nil, fmt.Errorf("%q", c)
		}
	}
	return p, nil
}

func TestSixel(t *testing.T) {
	flat := image.NewRGBA(image.Rect(0, 0, 9, 13))
	draw.Draw(flat, flat.Rect, image.NewUniform(color.RGBA{255, 51, 0, 255}), image.Point{}, draw.Src)
	for _, p := range []*image.RGBA{noise(31, 20), noise(1, 1), noise(300, 7), flat} {
		got, err := unsixel(shown(t, Sixel, p))
		if err != nil {
			t.Fatal(err)
		}
		if got.Rect != p.Rect {
			t.Fatalf("%v, want %v", got.Rect, p.Rect)
		}
		want := image.NewPaletted(p.Rect, palette.WebSafe)
		draw.FloydSteinberg.Draw(want, want.Rect, p, image.Point{})
		for y := range p.Rect.Dy() {
			for x := range p.Rect.Dx() {
				if got.At(x, y) != want.At(x, y) {
					t.Fatalf("(%d,%d): %v, want %v", x, y, got.At(x, y), want.At(x, y))
				}
			}
		}
	}
	if text := shown(t, Sixel, flat); !strings.Contains(text, "!9~") {
		t.Errorf("no counts: %q", text)
	}
}

func TestShowShrinks(t *testing.T) {
	for _, c := range [][4]int{{1600, 600, 800, 300}, {600, 1200, 300, 600}, {800, 600, 800, 600}, {30000, 1, 800, 1},
		{1, 30000, 1, 600}} {
		text := shown(t, ITerm2, image.NewRGBA(image.Rect(0, 0, c[0], c[1])))
		if !strings.Contains(text, fmt.Sprintf("width=%dpx;height=%dpx:", c[2], c[3])) {
			t.Errorf("%v: %.80q", c, text)
		}
	}
	if err := Show(io.Discard, "ascii", noise(1, 1)); err == nil {
		t.Error("an unknown form")
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		set  string
		want Form
	}{
		{"TERM=xterm-kitty", Kitty}, {"TERM=xterm-256color KITTY_WINDOW_ID=1", Kitty}, {"TERM=xterm-ghostty", Kitty},
		{"TERM_PROGRAM=ghostty", Kitty},
		{"TERM_PROGRAM=iTerm.app", ITerm2}, {"TERM_PROGRAM=WezTerm", ITerm2},
		{"LC_TERMINAL=iTerm2 TERM=xterm-256color", ITerm2}, {"TERM_PROGRAM=mintty", ITerm2},
		{"TERM=foot", Sixel}, {"TERM=mlterm", Sixel}, {"TERM=xterm-sixel", Sixel},
		{"TERM=xterm-256color", ""}, {"TERM=dumb", ""}, {"", ""}, {"TERM_PROGRAM=Apple_Terminal", ""},
		{"TMUX=/tmp/x TERM=tmux-256color KITTY_WINDOW_ID=1", ""}, {"TERM=screen LC_TERMINAL=iTerm2", ""},
	} {
		t.Run(c.set, func(t *testing.T) {
			get := func(name string) string {
				for _, pair := range strings.Fields(c.set) {
					if k, v, _ := strings.Cut(pair, "="); k == name {
						return v
					}
				}
				return ""
			}
			if f, ok := FromEnvironment(get); f != c.want || ok != (c.want != "") {
				t.Errorf("%s: %q, %v", c.set, f, ok)
			}
		})
	}
}

// slow is a terminal that answers one byte at a time.
type slow struct {
	answer string
	asked  string
}

func (s *slow) WriteString(text string) (int, error) { s.asked += text; return len(text), nil }
func (s *slow) Read(p []byte) (int, error) {
	if s.answer == "" {
		return 0, errors.New("deadline")
	}
	p[0], s.answer = s.answer[0], s.answer[1:]
	return 1, nil
}

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		answer string
		want   Form
	}{
		{"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", Kitty},
		{"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c", Kitty}, // it supports both
		{"\x1b_Gi=31;ENOTSUP:x\x1b\\\x1b[?62;c", ""},
		{"\x1b[?62;4;22c", Sixel},
		{"\x1b[?4;6c", ""}, // a VT132, whose number is 4
		{"\x1b[?64;14;22c", ""},
		{"\x1b[?1;2c", ""},
		{"\x1b[?62;4", ""}, // it ends too early
		{"", ""},
		{strings.Repeat("x", 5000), ""},
	} {
		t.Run(c.answer, func(t *testing.T) {
			s := &slow{answer: c.answer}
			if f, ok := ask(s); f != c.want || ok != (c.want != "") || s.asked != question {
				t.Errorf("%q: %q, %v", c.answer, f, ok)
			}
		})
	}
}
