package jpeg

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"os"
	"testing"
)

// encoded makes a JPEG with the standard library: colour (4:2:0) or grey.
func encoded(t testing.TB, width, height int, grey bool) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(5 * x), uint8(7 * y), uint8(x * y), 255})
		}
	}
	var picture image.Image = m
	if grey {
		g := image.NewGray(m.Rect)
		for i := range g.Pix {
			g.Pix[i] = uint8(3 * i)
		}
		picture = g
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, picture, &stdjpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Sizes and planes are the standard library's, and samples are near: its inverse transform is the more exact one.
func TestAgainstStandardLibrary(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {8, 8}, {17, 33}, {64, 48}} {
		for _, grey := range []bool{false, true} {
			data := encoded(t, size[0], size[1], grey)
			got, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			want, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds() != want.Bounds() || got.ColorModel() != want.ColorModel() {
				t.Fatalf("%v: %v %v", size, got.Bounds(), got.ColorModel())
			}
			for y := range size[1] {
				for x := range size[0] {
					a, b := luma(got, x, y), luma(want, x, y)
					if a-b > 12 || b-a > 12 {
						t.Fatalf("%v, %d,%d: %d, want about %d", size, x, y, a, b)
					}
				}
			}
		}
	}
}

func luma(m image.Image, x, y int) int {
	if g, ok := m.(*image.Gray); ok {
		return int(g.GrayAt(x, y).Y)
	}
	return int(m.(*image.YCbCr).YCbCrAt(x, y).Y)
}

func TestLeavesToOthers(t *testing.T) {
	for _, name := range []string{"decode-progressive.jpg", "decode-cmyk.jpg"} {
		data, err := os.ReadFile("../testdata/pillow/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(data); err != ErrUnsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Cut and damaged files give an error or a picture, never a panic.
func TestDamage(t *testing.T) {
	data := encoded(t, 40, 24, false)
	for n := range data {
		Decode(data[:n])
	}
	if _, err := Decode(data[:len(data)/2]); err == nil {
		t.Error("half a file is a picture")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		bad := bytes.Clone(data)
		for range 1 + r.IntN(3) {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		if w, h := headerSize(bad); w*h < 1<<20 { // mmproj checks the size before
			Decode(bad)
		}
	}
}

// headerSize returns the size the frame header claims, wherever damage put it.
func headerSize(data []byte) (width, height int) {
	at := bytes.Index(data, []byte{0xff, 0xc0})
	if at < 0 || at+9 > len(data) {
		return 1 << 12, 1 << 12
	}
	return int(data[at+7])<<8 | int(data[at+8]), int(data[at+5])<<8 | int(data[at+6])
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, 20, 20, false))
	f.Add(encoded(f, 9, 9, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := stdjpeg.DecodeConfig(bytes.NewReader(data))
		if err != nil || c.Width*c.Height > 1<<16 {
			return
		}
		if m, err := Decode(data); err == nil && (m.Bounds().Dx() != c.Width || m.Bounds().Dy() != c.Height) {
			t.Errorf("%v, the header says %dx%d", m.Bounds(), c.Width, c.Height)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := encoded(b, 1024, 1024, false)
	b.SetBytes(3 << 20)
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
