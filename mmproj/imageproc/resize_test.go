package imageproc

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/pali-gguf/pali/npz"
)

// referenceCase is a line of the reference's cases.jsonl.
type referenceCase struct {
	Out    string   `json:"out"`
	Images []string `json:"images"`
	Resize Resize   `json:"resize"`
}

const references = "../../testdata/reference/cases"

func referenceCases(t *testing.T) []referenceCase {
	t.Helper()
	f, err := os.Open(filepath.Join(references, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []referenceCase
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c referenceCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// TestTensorFlow compares with the pixels that TensorFlow gave the reference model. They are equal
// to the bit.
func TestTensorFlow(t *testing.T) {
	compared := map[Resize]int{}
	for _, c := range referenceCases(t) {
		a, err := npz.Open(filepath.Join(references, c.Out))
		if err != nil {
			t.Fatal(err)
		}
		pixels, ok := a.Tensor("pixels")
		if !ok || len(pixels.Shape) != 4 || pixels.Shape[0] != len(c.Images) {
			t.Fatalf("%s: pixels: have shape %v, want [%d,3,side,side]", c.Out, pixels.Shape, len(c.Images))
		}
		want, err := pixels.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		n := len(want) / len(c.Images)
		for i, name := range c.Images {
			have := Preprocess(decoded(t, references+"/"+name), pixels.Shape[3], c.Resize)
			if at := firstDifference(have, want[i*n:][:n]); at >= 0 {
				t.Errorf("%s, %s, %s: value %d: have %v, want %v", c.Out, name, c.Resize, at, have[at], want[i*n+at])
			}
			compared[c.Resize]++
		}
	}
	if compared[Antialias] < 5 || compared[Bilinear] < 2 {
		t.Errorf("compared %v, want at least 5 antialiased and 2 plain images", compared)
	}
}

func firstDifference(have, want []float32) int {
	if len(have) != len(want) {
		return 0
	}
	for i := range have {
		if have[i] != want[i] {
			return i
		}
	}
	return -1
}

// TestPillowBicubic compares with Pillow's resized images, to the bit.
func TestPillowBicubic(t *testing.T) {
	// larger, taller, smaller than what they become
	for _, name := range []string{"scene.png", "words.png", "tiny.png"} {
		p := decoded(t, "testdata/pillow/"+name)
		for _, side := range []int{24, 56} {
			want := decoded(t, fmt.Sprintf("testdata/pillow/bicubic-%d-%s", side, name))
			if have := levels(Preprocess(p, side, Bicubic), side); !slices.Equal(have.Pix, want.Pix) {
				maxDiff, mean := difference(t, have, want)
				t.Errorf("%s to %d: differs by %d, %.4f on average", name, side, maxDiff, mean)
			}
		}
	}
}

// levels turns pixels back into an image of 8-bit values.
func levels(pixels []float32, side int) *Image {
	p := &Image{Width: side, Height: side, Pix: make([]uint8, 3*side*side)}
	for c := range 3 {
		for i := range side * side {
			p.Pix[3*i+c] = uint8(math.Round((float64(pixels[c*side*side+i]) + 1) * 127.5))
		}
	}
	return p
}

// TestBilinearWeights is the example of tf.image.resize's documentation: the 5 x 5 identity as 3
// rows of 5.
func TestBilinearWeights(t *testing.T) {
	want := [3][5]float64{{2. / 3, 1. / 3}, {0, 0, 1}, {0, 0, 0, 1. / 3, 2. / 3}}
	rows, columns := lerps(5, 3), lerps(5, 5)
	identity := func(y, x int) float32 {
		if x == y {
			return 1
		}
		return 0
	}
	for y, r := range rows {
		for x, c := range columns {
			top := mix(identity(r.lower, c.lower), identity(r.lower, c.upper), c.t)
			bottom := mix(identity(r.upper, c.lower), identity(r.upper, c.upper), c.t)
			if have := float64(mix(top, bottom, r.t)); math.Abs(have-want[y][x]) > 1e-6 {
				t.Errorf("row %d, column %d: have %v, want %v", y, x, have, want[y][x])
			}
		}
	}
}

// TestIdentity checks that every method copies an image of the wanted size.
func TestIdentity(t *testing.T) {
	const side = 40
	p := noise(side, side)
	for _, how := range Resizes {
		if have := levels(Preprocess(p, side, how), side); !slices.Equal(have.Pix, p.Pix) {
			t.Errorf("%s: an image of %d x %d changed", how, side, side)
		}
	}
}

// TestRange checks odd shapes: one colour stays that colour, and nothing leaves [-1,1].
func TestRange(t *testing.T) {
	shapes := [][2]int{{1, 1}, {1, 2}, {2, 1}, {3, 500}, {500, 3}, {1, 30000}, {30000, 1}, {57, 55}, {223, 225}}
	for _, how := range Resizes {
		for _, s := range shapes {
			flat := &Image{Width: s[0], Height: s[1], Pix: make([]uint8, 3*s[0]*s[1])}
			for i := range flat.Pix {
				flat.Pix[i] = []uint8{0, 200, 255}[i%3]
			}
			for _, side := range []int{1, 14, 56} {
				have := Preprocess(flat, side, how)
				if len(have) != 3*side*side {
					t.Fatalf("%s, %v: have %d values, want %d", how, s, len(have), 3*side*side)
				}
				for i, v := range have {
					want := []float64{-1, 200/127.5 - 1, 1}[i/(side*side)]
					if d := math.Abs(float64(v) - want); d > 2e-6 { // weights are rounded to float32
						t.Fatalf("%s, %v to %d: value %d: have %v, want %v", how, s, side, i, v, want)
					}
				}
				for i, v := range Preprocess(noise(s[0], s[1]), side, how) {
					if !(v >= -1 && v <= 1.000001) {
						t.Fatalf("%s, %v to %d: value %d: have %v, want -1 to 1", how, s, side, i, v)
					}
				}
			}
		}
	}
}

// TestBands checks that the result does not depend on the number of processors, and that the input
// stays as it is.
func TestBands(t *testing.T) {
	p := noise(83, 61)
	before := slices.Clone(p.Pix)
	for _, how := range Resizes {
		alone := Preprocess(p, 1, how)
		if len(alone) != 3 {
			t.Fatalf("%s to one pixel: have %d values", how, len(alone))
		}
		first := Preprocess(p, 29, how)
		for range 20 {
			if at := firstDifference(Preprocess(p, 29, how), first); at >= 0 {
				t.Fatalf("%s: value %d differs between runs", how, at)
			}
		}
	}
	if !slices.Equal(before, p.Pix) {
		t.Error("Preprocess changed its input")
	}
	for _, n := range []int{1, 2, 3, 100} {
		done := make([]int, n)
		eachBand(n, func(from, to int) {
			for i := from; i < to; i++ {
				done[i]++
			}
		})
		if slices.Min(done) != 1 || slices.Max(done) != 1 {
			t.Errorf("%d rows: done %v times", n, done)
		}
	}
}

// TestPreprocessMemory checks that nothing of the image's size is allocated: 24 million samples
// here.
func TestPreprocessMemory(t *testing.T) {
	p := noise(4000, 2000)
	for _, how := range Resizes {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Preprocess(p, 56, how)
		runtime.ReadMemStats(&after)
		if have := after.TotalAlloc - before.TotalAlloc; have > 3<<20 {
			t.Errorf("%s: allocates %d bytes, want at most 3 MiB", how, have)
		}
	}
}

func TestParseResize(t *testing.T) {
	for _, how := range Resizes {
		if have, err := ParseResize(string(how)); err != nil || have != how {
			t.Errorf("%s: have %q, %v", how, have, err)
		}
	}
	for _, name := range []string{"", "Antialias", "nearest"} {
		if _, err := ParseResize(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
