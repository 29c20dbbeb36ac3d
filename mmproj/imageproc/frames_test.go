package imageproc

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChooseFrames(t *testing.T) {
	for _, c := range []struct {
		total, n, stride int
		want             []int
	}{
		{1, 1, 0, []int{0}},
		{32, 4, 0, []int{0, 8, 16, 24}},
		{35, 4, 0, []int{0, 8, 16, 24}},
		{4, 4, 0, []int{0, 1, 2, 3}},
		{3, 8, 0, []int{0, 1, 2, 0, 1, 2, 0, 1}}, // too short: again from the first
		{100, 4, 30, []int{0, 30, 60, 90}},
		{90, 4, 30, []int{0, 30, 60, 0}},
		{1000, 3, 7, []int{0, 7, 14}},
		{5, 2, 100, []int{0, 0}},
	} {
		if got := ChooseFrames(c.total, c.n, c.stride); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d by %d: have %v, want %v", c.n, c.total, c.stride, got, c.want)
		}
	}
}

// Each of these comes before the next.
func TestNatural(t *testing.T) {
	names := []string{"", "1.png", "01.png", "2.png", "10.png", "a", "a1b", "a1c", "a002b", "a10", "b-9", "b-10",
		"f99999999999999999999.png", "f100000000000000000000.png", "ü"}
	names[1], names[2] = names[2], names[1] // equal numbers: by bytes
	for i, a := range names {
		for j, b := range names {
			if got, want := natural(a, b), map[bool]int{true: -1, false: 1}[i < j]; i != j && got != want || i == j &&
				got != 0 {
				t.Errorf("%q, %q: %d", a, b, got)
			}
		}
	}
}

var (
	red, green, blue = color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}
	letters          = map[color.RGBA]string{{}: ".", red: "r", green: "g", blue: "b"}
	inks             = color.Palette{color.RGBA{}, red, green, blue}
)

// drawn makes an image of rows of letters at a place.
func drawn(x, y int, rows ...string) *image.Paletted {
	m := image.NewPaletted(image.Rect(x, y, x+len(rows[0]), y+len(rows)), inks)
	for dy, row := range rows {
		for dx := range row {
			m.SetColorIndex(x+dx, y+dy, uint8(strings.IndexByte(".rgb", row[dx])))
		}
	}
	return m
}

// animation is a GIF of 3 x 2 pixels; "." is transparent.
func animation(t testing.TB, disposals []byte, frames ...*image.Paletted) []byte {
	t.Helper()
	var b bytes.Buffer
	g := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Disposal: disposals, Config: image.Config{Width: 3,
		Height: 2, ColorModel: inks}}
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func all(total int) []int { return ChooseFrames(total, total, 1) }

// rowsOf writes an image as rows of letters; black is ".".
func rowsOf(p *Image) string {
	var rows []string
	for y := range p.Height {
		row := ""
		for x := range p.Width {
			c := p.row(y)[3*x:]
			letter, ok := letters[color.RGBA{c[0], c[1], c[2], 255}]
			if !ok {
				letter = "."
			}
			row += letter
		}
		rows = append(rows, row)
	}
	return strings.Join(rows, "/")
}

// The frames of 474 random animations came out as ImageMagick's -coalesce draws them, and these by
// hand from the specification.
func TestDecodeGIF(t *testing.T) {
	whole := drawn(0, 0, "rrr", "rrr")
	for _, c := range []struct {
		name      string
		disposals []byte
		frames    []*image.Paletted
		want      []string
	}{
		{"one", []byte{0}, []*image.Paletted{whole}, []string{"rrr/rrr"}},
		{"left", []byte{1, 0, 1}, []*image.Paletted{whole, drawn(1, 0, "g"), drawn(2, 1, "b")},
			[]string{"rrr/rrr", "rgr/rrr", "rgr/rrb"}},
		{"transparent", []byte{1, 1}, []*image.Paletted{whole, drawn(0, 0, "g.g", ".b.")},
			[]string{"rrr/rrr", "grg/rbr"}},
		{"cleared", []byte{1, 2, 1}, []*image.Paletted{whole, drawn(1, 0, "gg"), drawn(0, 1, "b")},
			[]string{"rrr/rrr", "rgg/rrr", "r../brr"}},
		{"restored", []byte{1, 3, 1}, []*image.Paletted{whole, drawn(1, 0, "gg"), drawn(0, 1, "b")},
			[]string{"rrr/rrr", "rgg/rrr", "rrr/brr"}},
		{"restored twice", []byte{1, 3, 3, 1}, []*image.Paletted{whole, drawn(0, 0, "g"), drawn(1, 0, "g"),
			drawn(2, 0, "g")}, []string{"rrr/rrr", "grr/rrr", "rgr/rrr", "rrg/rrr"}},
		{"the first is cleared", []byte{2, 1}, []*image.Paletted{whole, drawn(1, 1, "b")},
			[]string{"rrr/rrr", ".../.b."}},
		{"the first is not whole", []byte{1, 1}, []*image.Paletted{drawn(1, 0, "r"), drawn(1, 1, "b")},
			[]string{".r./...", ".r./.b."}},
		{"a later one is cleared", []byte{1, 1, 2, 1}, []*image.Paletted{whole, drawn(0, 0, "g"), drawn(0, 0, "b"),
			drawn(2, 1, "b")}, []string{"rrr/rrr", "grr/rrr", "brr/rrr", ".rr/rrb"}},
		{"transparent over cleared", []byte{2, 1}, []*image.Paletted{whole, drawn(0, 0, "g..")},
			[]string{"rrr/rrr", "g../..."}},
		{"all pixels are transparent", []byte{1, 1}, []*image.Paletted{whole, drawn(0, 0, "...")},
			[]string{"rrr/rrr", "rrr/rrr"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			images, frames, err := decodeGIF(animation(t, c.disposals, c.frames...), all, DefaultLimits)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			var got []string
			for _, p := range images {
				got = append(got, rowsOf(p))
			}
			if d := cmp.Diff(c.want, got); d != "" || len(frames) != len(got) {
				t.Errorf("%s: %v %s", c.name, frames, d)
			}
		})
	}
}

// The first frame is the image that Decode gives, and frames may come twice.
func TestDecodeGIFChosen(t *testing.T) {
	data := animation(t, []byte{1, 1, 1}, drawn(1, 0, "r"), drawn(0, 0, "ggg"), drawn(0, 1, "bb"))
	first, err := Decode(data, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	images, _, err := decodeGIF(data, func(int) []int { return []int{0, 2, 0} }, DefaultLimits)
	if err != nil || rowsOf(images[1]) != "ggg/bb." || !bytes.Equal(images[0].Pix, first.Pix) ||
		images[2] != images[0] {
		t.Errorf("%v: %v", err, images)
	}
}

// Whatever is cut off is an error, and limits are kept before anything is decoded.
func TestBadGIF(t *testing.T) {
	data := animation(t, []byte{1, 2, 3}, drawn(0, 0, "rrr", "rrr"), drawn(1, 0, "g"), drawn(2, 1, "b"))
	for n := range data {
		if _, _, err := decodeGIF(data[:n], all, DefaultLimits); err == nil {
			t.Errorf("cut after %d bytes of %d: no error", n, len(data))
		}
	}
	head := data[:25] // with the four colours
	frame := func(w, h byte) string { return "\x2c\x00\x00\x00\x00" + string([]byte{w, 0, h, 0}) + "\x00\x02\x00" }
	for _, c := range []struct {
		name   string
		data   string
		limits Limits
		want   string
	}{
		{"many frames", string(head) + strings.Repeat(frame(1, 1), maxFrames+1) + ";", DefaultLimits,
			"over 20000 frames"},
		{"no frame", string(head) + ";", DefaultLimits, "no image"},
		{"unknown block", string(head) + "\x55", DefaultLimits, "kind 0x55"},
		{"frame outside", string(head) + frame(4, 1) + ";", DefaultLimits, "want it inside 3x2"},
		{"frame without data", string(head) + frame(1, 1) + ";", DefaultLimits, "frame 0"},
		{"bytes", string(data), Limits{10, 100, 100}, "file too large"},
		{"pixels", string(data), Limits{1000, 5, 100}, "too many pixels"},
		{"pixels of all", string(head) + strings.Repeat(frame(1, 1), 5) + ";", Limits{1000, 6, 100},
			"four times those of an image"},
		{"pixels drawn", string(head) + strings.Repeat(frame(3, 2), 21) + ";", Limits{10_000, 6, 100},
			"twenty times"},
		{"a PNG", "\x89PNG\r\n\x1a\n01234567890", DefaultLimits, "not a GIF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			choose := all
			if c.name == "pixels drawn" {
				choose = func(total int) []int { return []int{total - 1} }
			}
			if _, _, err := decodeGIF([]byte(c.data), choose, c.limits); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

func TestOpenFolder(t *testing.T) {
	folder := t.TempDir()
	data := animation(t, []byte{0}, drawn(0, 0, "rrr", "rrr"))
	for _, name := range []string{"f10.gif", "f2.gif", "f1.gif", ".hidden", "é 猫\n.gif"} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Thumbs.db", "notes.txt", "f3"} { // no images
		if err := os.WriteFile(filepath.Join(folder, name), []byte("notes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "f0"), 0o700); err != nil {
		t.Fatal(err)
	}
	images, paths, err := OpenFolder(folder, all, DefaultLimits)
	want := []string{"f1.gif", "f2.gif", "f10.gif", "é 猫\n.gif"}
	for i := range want {
		want[i] = filepath.Join(folder, want[i])
	}
	if err != nil || !slices.Equal(paths, want) || len(images) != 4 {
		t.Errorf("%v: %q", err, paths)
	}
	if _, _, err := OpenFolder(t.TempDir(), all, DefaultLimits); err == nil ||
		!strings.Contains(err.Error(), "no images") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Whatever the bytes: no panic, no more memory than the limits allow, and whole images.
func FuzzDecodeGIF(f *testing.F) {
	f.Add(animation(f, []byte{1, 2, 3}, drawn(0, 0, "rrr", "rrr"), drawn(1, 0, "g"), drawn(2, 1, "b")))
	f.Add(animation(f, []byte{3, 2, 1}, drawn(1, 0, "r."), drawn(0, 0, "ggg"), drawn(0, 1, "bb")))
	f.Fuzz(func(t *testing.T, data []byte) {
		images, chosen, err := decodeGIF(data, func(total int) []int { return ChooseFrames(total, 4, 0) },
			Limits{1 << 16, 1 << 12, 1 << 10})
		if err != nil {
			return
		}
		if len(images) != 4 || len(chosen) != 4 {
			t.Fatalf("%d images, frames %v", len(images), chosen)
		}
		for _, p := range images {
			if len(p.Pix) != 3*p.Width*p.Height {
				t.Fatalf("%d x %d with %d bytes", p.Width, p.Height, len(p.Pix))
			}
		}
	})
}
