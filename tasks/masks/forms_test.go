package masks_test

// This file: run lengths, polygons and images of bitmaps, all against the bitmap itself and against
// pycocotools (testdata/reference/cases/rle.json).

import (
	"encoding/json"
	"image/color"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pgregory.net/rapid"

	"github.com/pali-gguf/pali/tasks/masks"
)

// drawn makes a bitmap of rows of "#" and ".".
func drawn(rows ...string) *masks.Bitmap {
	b := &masks.Bitmap{Height: len(rows)}
	for _, row := range rows {
		b.Width = len(row)
		for _, c := range row {
			b.Bits = append(b.Bits, c == '#')
		}
	}
	return b
}

// noisy makes a bitmap of blots.
func noisy(r *rand.Rand, width, height int) *masks.Bitmap {
	b := &masks.Bitmap{Width: width, Height: height, Bits: make([]bool, width*height)}
	for range r.IntN(6) {
		x, y, w, h, in := r.IntN(width), r.IntN(height), r.IntN(width)+1, r.IntN(height)+1, r.IntN(3) > 0
		for i := range b.Bits {
			if i%width >= x && i%width < x+w && i/width >= y && i/width < y+h && r.IntN(20) > 0 {
				b.Bits[i] = in
			}
		}
	}
	return b
}

// What pycocotools makes of the same bitmaps.
func TestRLEAgainstPycocotools(t *testing.T) {
	data, err := os.ReadFile(cases + "rle.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Rows   []string
		Counts string
		Area   int
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all) < 30 {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	for _, c := range all {
		b := drawn(c.Rows...)
		if got := b.RLE(); got != c.Counts || b.Area() != c.Area {
			t.Errorf("%v: %q, area %d, want %q, %d", c.Rows, got, b.Area(), c.Counts, c.Area)
		}
		back, err := masks.ParseRLE(c.Counts, b.Width, b.Height)
		if err != nil || !slices.Equal(back.Bits, b.Bits) {
			t.Errorf("%q: %v", c.Counts, err)
		}
	}
}

func TestRuns(t *testing.T) {
	// The example of supervision's documentation: 4 x 4, a square in the middle.
	if d := cmp.Diff([]int{5, 2, 2, 2, 5}, drawn("....", ".##.", ".##.", "....").Runs()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{0, 2}, drawn("#", "#").Runs()); d != "" {
		t.Error(d)
	}
}

func TestParseRLERefuses(t *testing.T) {
	good := drawn("....", ".##.", ".##.", "....").RLE()
	for _, c := range []struct {
		name string
		text string
	}{
		{"empty", ""}, {"cut", good[:len(good)-1]}, {"a blank", " " + good}, {"too long", good + "5"},
		{"never ends", strings.Repeat("o", 100)}, {"huge", "ooooooO"}, {"negative", "@"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if b, err := masks.ParseRLE(c.text, 4, 4); err == nil {
				t.Errorf("%s: %q makes %v", c.name, c.text, b)
			}
		})
	}
	for _, size := range [][2]int{{-1, 1}, {1, -1}, {1 << 20, 1 << 20}, {1 << 62, 4}} {
		if _, err := masks.ParseRLE("1", size[0], size[1]); err == nil {
			t.Errorf("%v passes", size)
		}
	}
}

func FuzzParseRLE(f *testing.F) {
	f.Add("52203", 4, 4)
	f.Add("", 0, 0)
	f.Fuzz(func(t *testing.T, text string, width, height int) {
		if width > 1<<10 || height > 1<<10 {
			return
		}
		b, err := masks.ParseRLE(text, width, height)
		if err != nil {
			return
		}
		back, err := masks.ParseRLE(b.RLE(), width, height)
		if err != nil || !slices.Equal(back.Bits, b.Bits) {
			t.Errorf("%q, %d x %d: %v", text, width, height, err)
		}
	})
}

// fill draws polygons by the even-odd rule, sampled in the middle of each pixel.
func fill(all [][]masks.Point, width, height int) []bool {
	bits := make([]bool, width*height)
	for i := range bits {
		x, y := float64(i%width)+0.5, float64(i/width)+0.5
		for _, p := range all {
			for j := range p {
				a, b := p[j], p[(j+1)%len(p)]
				if a[0] == b[0] && float64(a[0]) > x && (float64(a[1]) > y) != (float64(b[1]) > y) {
					bits[i] = !bits[i]
				}
			}
		}
	}
	return bits
}

func TestPolygons(t *testing.T) {
	for _, c := range []struct {
		name string
		of   *masks.Bitmap
		want [][]masks.Point
	}{
		{"nothing", drawn("..", ".."), nil},
		{"a pixel", drawn("..", ".#"), [][]masks.Point{{{2, 1}, {2, 2}, {1, 2}, {1, 1}}}},
		{"a line", drawn("###"), [][]masks.Point{{{3, 0}, {3, 1}, {0, 1}, {0, 0}}}},
		{"a hole", drawn("###", "#.#", "###"), [][]masks.Point{{{3, 0}, {3, 3}, {0, 3}, {0, 0}},
			{{1, 2}, {2, 2}, {2, 1}, {1, 1}}}},
		{"diagonal", drawn("#.", ".#"), [][]masks.Point{{{1, 0}, {1, 1}, {0, 1}, {0, 0}},
			{{2, 1}, {2, 2}, {1, 2}, {1, 1}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.of.Polygons()
			if c.name == "a hole" { // where a hole's outline begins is not promised
				if len(got) != 2 || !slices.Equal(fill(got, 3, 3), c.of.Bits) || signedArea(got[0]) != 9 ||
					signedArea(got[1]) != -1 {
					t.Errorf("%s: %v", c.name, got)
				}
				return
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s (-want +got)\n%s", c.name, d)
			}
		})
	}
	r := rand.New(rand.NewPCG(8, 9))
	for range 200 {
		b := noisy(r, 1+r.IntN(40), 1+r.IntN(40))
		all, area := b.Polygons(), 0
		for _, p := range all {
			area += signedArea(p)
		}
		if !slices.Equal(fill(all, b.Width, b.Height), b.Bits) || area != b.Area() {
			t.Fatalf("%+v: area %d, want %d", b, area, b.Area())
		}
		if joined := masks.Join(all); signedArea(joined) != area || len(joined) != corners(all)+2*max(len(all)-1, 0) ||
			len(all) > 0 && !slices.Equal(fillSlanted(joined, b.Width, b.Height), b.Bits) {
			t.Fatalf("%+v: joined %v", b, joined)
		}
	}
}

func TestImages(t *testing.T) {
	a, b := drawn("##.", "##."), drawn("...", ".##")
	if got, want := masks.Grey(3, 2, []*masks.Bitmap{a, b}).Pix, []uint8{255, 255, 0, 255, 255, 255}; !slices.Equal(got,
		want) {
		t.Errorf("grey: %v, want %v", got, want)
	}
	red, blue := color.RGBA{0xff, 0, 0, 0xff}, color.RGBA{0, 0, 0xff, 0xff}
	p, err := masks.Paletted(3, 2, []*masks.Bitmap{a, b}, []color.RGBA{red, blue})
	if err != nil || !slices.Equal(p.Pix, []uint8{1, 1, 0, 1, 2, 2}) || p.At(0, 0) != red || p.At(1, 1) != blue ||
		p.At(2, 0) != (color.RGBA{A: 0xff}) {
		t.Errorf("palette: %v, %v", p, err)
	}
	many := slices.Repeat([]*masks.Bitmap{a}, 256)
	if p, err = masks.Paletted(3, 2, many[1:], make([]color.RGBA, 255)); err != nil || p.Pix[0] != 255 {
		t.Errorf("255 masks: %v", err)
	}
	if _, err = masks.Paletted(3, 2, many, make([]color.RGBA, 256)); err == nil {
		t.Error("256 masks pass")
	}
}

// signedArea is positive for a polygon that goes clockwise on the screen.
func signedArea(p []masks.Point) (twice int) {
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		twice += a[0]*b[1] - b[0]*a[1]
	}
	return twice / 2
}

func corners(all [][]masks.Point) (n int) {
	for _, p := range all {
		n += len(p)
	}
	return n
}

// fillSlanted fills a polygon with edges of any direction by the even-odd rule, at points just
// beside the pixels' centres.
func fillSlanted(p []masks.Point, width, height int) []bool {
	bits := make([]bool, width*height)
	for i := range bits {
		x, y := float64(i%width)+0.5003, float64(i/width)+0.5007
		for j := range p {
			a, b := p[j], p[(j+1)%len(p)]
			x0, y0, x1, y1 := float64(a[0]), float64(a[1]), float64(b[0]), float64(b[1])
			if (y0 > y) != (y1 > y) && x < x0+(y-y0)/(y1-y0)*(x1-x0) {
				bits[i] = !bits[i]
			}
		}
	}
	return bits
}

// Any bitmap comes back from its run lengths and from its polygons, pixel by pixel.
func TestFormsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 40).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height")
		b := &masks.Bitmap{Width: width, Height: height, Bits: rapid.SliceOfN(rapid.Bool(), width*height,
			width*height).Draw(t, "bits")}
		back, err := masks.ParseRLE(b.RLE(), width, height)
		if err != nil || !slices.Equal(back.Bits, b.Bits) {
			t.Fatalf("run lengths: %v: %v", err, back)
		}
		if !slices.Equal(fill(b.Polygons(), width, height), b.Bits) {
			t.Fatalf("polygons: %v", b.Polygons())
		}
	})
}

// A solid mask fills its box: its edges are those of the box, cut to whole pixels as the evaluator
// cuts them.
func TestSolidMaskFillsItsBox(t *testing.T) {
	solid := make([]float32, masks.Side*masks.Side)
	for i := range solid {
		solid[i] = 1
	}
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 300).Draw(t, "width"), rapid.IntRange(1, 300).Draw(t, "height")
		bins := rapid.SliceOfN(rapid.IntRange(0, 1023), 4, 4).Draw(t, "bins")
		loc := [4]int{min(bins[0], bins[2]), min(bins[1], bins[3]), max(bins[0], bins[2]), max(bins[1], bins[3])}
		b, _ := masks.Paste(solid, loc, 1023, width, height)
		for i, in := range b.Bits {
			x, y := i%width, i/width
			at := func(bin, side int) int { return bin * side / 1023 }
			inside := x >= at(loc[1], width) && x < at(loc[3], width) && y >= at(loc[0], height) &&
				y < at(loc[2], height)
			if in != inside {
				t.Fatalf("%v in %d x %d: (%d,%d) is %v", loc, width, height, x, y, in)
			}
		}
	})
}

func TestBitmapJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		want := noisy(r, 1+r.IntN(40), 1+r.IntN(40))
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var have masks.Bitmap
		if err := json.Unmarshal(text, &have); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, &have); d != "" {
			t.Fatalf("%s: %s", text, d)
		}
	}
	if b, err := drawn("#.", "##").MarshalJSON(); err != nil ||
		strings.TrimSpace(string(b)) != `{"size":[2,2],"counts":"021O"}` {
		t.Errorf("%s, %v", b, err)
	}
	if err := json.Unmarshal([]byte(`{"size":[2,2],"counts":"9"}`), new(masks.Bitmap)); err == nil {
		t.Error("run lengths of more pixels than there are")
	}
}
