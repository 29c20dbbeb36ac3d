package imageproc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/badfiles"
)

func ExamplePreprocess() {
	p, err := Open("testdata/pillow/upright.png", DefaultLimits)
	if err != nil {
		fmt.Println(err)
		return
	}
	pixels := Preprocess(p, 224, Antialias)
	fmt.Println(p.Width, p.Height, len(pixels))
	// Output: 48 32 150528
}

// TestAttacks decodes every bad image: each fails soon, with the right sentence, and allocates
// little memory.
func TestAttacks(t *testing.T) {
	cases := badfiles.Images()
	if len(cases) < 60 {
		t.Fatalf("have %d cases, want at least 60", len(cases))
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			p, err := Decode(c.Data, DefaultLimits)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			switch {
			case err == nil && c.Want != "":
				t.Errorf("read as %dx%d, want an error with %q", p.Width, p.Height, c.Want)
			case err != nil && strconv.IntSize == 32 && (c.Want == "side too long" || c.Want == "too many pixels"):
				// refused, if only by the decoder, which finds that the pixels do not fit an int
			case err != nil && (c.Want == "" || !strings.Contains(err.Error(), c.Want)):
				t.Errorf("have error %q, want %q", err, c.Want)
			case err != nil && !strings.HasPrefix(err.Error(), "image: "):
				t.Errorf("error %q does not begin with \"image: \"", err)
			}
			if took > time.Second {
				t.Errorf("took %v", took)
			}
			if have, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+4*len(c.Data)); have > limit {
				t.Errorf("allocated %d bytes for a file of %d", have, len(c.Data))
			}
		})
	}
}

// decoded reads an image of testdata.
func decoded(t *testing.T, name string) *Image {
	t.Helper()
	p, err := Open(filepath.FromSlash(name), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// difference returns the largest and the mean difference of two images' samples.
func difference(t *testing.T, a, b *Image) (maxDiff int, mean float64) {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height || len(a.Pix) != len(b.Pix) || len(a.Pix) != 3*a.Width*a.Height {
		t.Fatalf("have %dx%d, want %dx%d", a.Width, a.Height, b.Width, b.Height)
	}
	sum := 0
	for i := range a.Pix {
		d := max(int(a.Pix[i])-int(b.Pix[i]), int(b.Pix[i])-int(a.Pix[i]))
		maxDiff, sum = max(maxDiff, d), sum+d
	}
	return maxDiff, float64(sum) / float64(len(a.Pix))
}

// TestDecodePillow compares decoded pixels with Pillow's: equal but for JPEG, whose inverse
// transform there is the accurate one. Ours is TensorFlow's, which is off by a level on average;
// TestDecodeTensorFlow wants the pixels of every kind of file equal to TensorFlow's, which drops
// alpha (scripts/reference made the files, images.py, and the sums, decode.py).
func TestDecodeTensorFlow(t *testing.T) {
	transparent := map[string]string{}
	for path := range sumsOf(t, "testdata/pillow/white.txt") {
		transparent[path] = path
	}
	for path, want := range sumsOf(t, "testdata/tensorflow.txt") {
		p := decoded(t, "../../"+path)
		if transparent[filepath.Base(path)] != "" {
			p = withoutAlpha(t, "../../"+path)
		}
		if have := fmt.Sprintf("%x", sha256.Sum256(p.Pix)); have != want {
			t.Errorf("%s: %dx%d pixels with sum %s, want %s", path, p.Width, p.Height, have, want)
		}
	}
}

// TestDecodeOnWhite wants the pixels of transparent files equal to those that Pillow lays on white
// (scripts/pillow_goldens.py).
func TestDecodeOnWhite(t *testing.T) {
	for name, want := range sumsOf(t, "testdata/pillow/white.txt") {
		p := decoded(t, "testdata/tensorflow/"+name)
		if have := fmt.Sprintf("%x", sha256.Sum256(p.Pix)); have != want {
			t.Errorf("%s: %dx%d pixels with sum %s, want %s", name, p.Width, p.Height, have, want)
		}
	}
}

// sumsOf reads a list of SHA-256 sums by the files' names; there are as many as the tests know of.
func sumsOf(t *testing.T, list string) map[string]string {
	t.Helper()
	sums, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		all[name] = sum
	}
	if want := map[string]int{"tensorflow.txt": 51, "white.txt": 9}[filepath.Base(list)]; len(all) != want {
		t.Fatalf("%s: have %d sums, want %d", list, len(all), want)
	}
	return all
}

// withoutAlpha reads a PNG, WebP or GIF as it is stored, without its alpha.
func withoutAlpha(t *testing.T, path string) *Image {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := image.Decode(bytes.NewReader(data)) // the decoders that formats calls, registered
	if err != nil {
		t.Fatal(err)
	}
	p, err := toRGB(m, image.Config{Width: m.Bounds().Dx(), Height: m.Bounds().Dy()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSamples checks single pixels whose values distinguish one way to convert from another.
func TestSamples(t *testing.T) {
	cases := badfiles.Images()
	for _, c := range []struct {
		name string
		want []uint8
	}{
		{"png: 16-bit grey and alpha", []uint8{255, 255, 255}}, // nearly transparent
		{"png: 16-bit grey", []uint8{0x12, 0x12, 0x12}},
		{"png: 16-bit RGB", []uint8{1, 3, 5}},
		{"png: 16-bit RGB and alpha", []uint8{255, 255, 255}},
		{"png: index beyond the palette", []uint8{255, 0, 0, 0, 0, 0}},
		{"png: a transparent colour", []uint8{255, 255, 255}},
		{"png: 1-bit, interlaced", []uint8{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
		{"gif: good", []uint8{255, 0, 0}},
		{"gif: second frame broken", []uint8{255, 0, 0}},
		{"bmp: good", []uint8{3, 2, 1}},
		{"bmp: top row first", []uint8{3, 2, 1}},
		{"webp: lossless", []uint8{0, 0, 0}},
	} {
		i := slices.IndexFunc(cases, func(a badfiles.Case) bool { return a.Name == c.name })
		if i < 0 {
			t.Fatalf("no case %q", c.name)
		}
		p, err := Decode(cases[i].Data, DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !slices.Equal(p.Pix, c.want) {
			t.Errorf("%s: have %v, want %v", c.name, p.Pix, c.want)
		}
	}
	p, err := Decode(slices.Concat([]byte("GIF89a\x02\x00\x02\x00\x80\x00\x00\xff\x00\x00\x00\x00\xff"),
		[]byte{0x2c, 1, 0, 1, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 0x01, 0, 0x3b}), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if want := append(bytes.Repeat([]byte{255}, 9), 255, 0, 0); !slices.Equal(p.Pix, want) {
		t.Errorf("frame at (1,1) of a 2x2 canvas: have %v, want %v", p.Pix, want)
	}
}

// TestLimits checks each limit at its edge, through a file and through bytes.
func TestLimits(t *testing.T) {
	const path = "testdata/pillow/decode-palette.gif" // 61 x 47
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	exact := Limits{Bytes: int64(len(data)), Pixels: 61 * 47, Side: 61}
	less := func(change func(*Limits)) Limits { l := exact; change(&l); return l }
	for _, c := range []struct {
		name string
		l    Limits
		want string
	}{
		{"exact", exact, ""},
		{"bytes", less(func(l *Limits) { l.Bytes-- }), "file too large"},
		{"pixels", less(func(l *Limits) { l.Pixels-- }), "too many pixels: have 61x47, want at most 2866"},
		{"side", less(func(l *Limits) { l.Side-- }), "side too long: have 61x47, want at most 60"},
	} {
		_, fromFile := Open(path, c.l)
		_, fromBytes := Decode(data, c.l)
		for _, err := range []error{fromFile, fromBytes} {
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: have error %v, want %q", c.name, err, c.want)
			}
		}
		if fromFile != nil && !strings.HasPrefix(fromFile.Error(), "image: "+path) {
			t.Errorf("%s: %q does not name the file", c.name, fromFile)
		}
	}
}

func TestOpenImageErrors(t *testing.T) {
	dir := t.TempDir()
	sparse := filepath.Join(dir, "sparse.png") // a terabyte that takes no room
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want string
	}{
		{sparse, "have 1099511627776 bytes, want at most 20971520"},
		{dir, "is a folder"},
		{filepath.Join(dir, "none"), "none"},
		{filepath.Join(dir, "a\x00"), "image:"},
		{"", "image:"},
	} {
		t.Run(c.path, func(t *testing.T) {
			if _, err := Open(c.path, DefaultLimits); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: have error %v, want %q", c.path, err, c.want)
			}
		})
	}
}

// TestDecoderPanic checks that a decoder's panic becomes an error.
func TestDecoderPanic(t *testing.T) {
	_, err := decodeGuarded("XYZ", func() (int, error) { var empty []int; return empty[len(os.Args)], nil })
	if err == nil || !strings.HasPrefix(err.Error(), "XYZ: cannot be decoded: runtime error: index out of range") {
		t.Errorf("have error %v", err)
	}
}
