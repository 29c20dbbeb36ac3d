package imageproc

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	stdjpeg "image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/image/bmp"
)

// Decode takes what CostOf says, and not much less, of every kind of file.
func TestCostOf(t *testing.T) {
	const side = 600
	frame := image.Rect(0, 0, side, side)
	encoded := func(encode func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	asPNG := func(m image.Image) []byte {
		return encoded(func(b *bytes.Buffer) error { return png.Encode(b, m) })
	}
	clear := image.NewNRGBA(frame)
	clear.SetNRGBA(1, 1, color.NRGBA{1, 2, 3, 4})
	deep := image.NewNRGBA64(frame)
	palette := image.NewPaletted(frame, color.Palette{color.Black, color.White})
	onSide := func(data []byte) []byte { // a JPEG with orientation 6
		tiff := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
		app1 := append([]byte{0xff, 0xe1, 0, byte(len(tiff) + 2)}, tiff...)
		return append(append(bytes.Clone(data[:2]), app1...), data[2:]...)
	}
	jpeg := encoded(func(b *bytes.Buffer) error { return stdjpeg.Encode(b, clear, nil) })
	cases := map[string][]byte{
		"PNG grey":       asPNG(image.NewGray(frame)),
		"PNG with alpha": asPNG(clear),
		"PNG opaque":     asPNG(image.NewRGBA(frame)),
		"PNG of 16 bits": asPNG(deep),
		"PNG palette":    asPNG(palette),
		"GIF":            encoded(func(b *bytes.Buffer) error { return gif.Encode(b, palette, nil) }),
		"BMP":            encoded(func(b *bytes.Buffer) error { return bmp.Encode(b, clear) }),
		"BMP palette":    encoded(func(b *bytes.Buffer) error { return bmp.Encode(b, palette) }),
		"JPEG":           jpeg,
		"JPEG grey": encoded(func(b *bytes.Buffer) error {
			return stdjpeg.Encode(b, image.NewGray(frame),
				nil)
		}),
		"JPEG on its side": onSide(jpeg),
	}
	files, _ := filepath.Glob("testdata/*/*")
	for _, path := range files {
		if data, err := os.ReadFile(path); err == nil {
			if _, err := CostOf(data, DefaultLimits); err == nil {
				cases[filepath.Base(path)] = data
			}
		}
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := CostOf(data, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := Decode(data, DefaultLimits)
			runtime.ReadMemStats(&after)
			if err != nil || int64(p.Width)*int64(p.Height) != c.Pixels {
				t.Fatalf("%v: %+v", err, c)
			}
			const little = 512 << 10 // whatever the size: tables, buffers
			if have := int64(after.TotalAlloc - before.TotalAlloc); have > c.Memory+c.Memory/20+little ||
				have < c.Memory/2-little {
				t.Errorf("%d pixels: takes %d bytes, CostOf says %d", c.Pixels, have, c.Memory)
			}
		})
	}
}
