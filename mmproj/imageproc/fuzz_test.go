package imageproc

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pali-gguf/pali/internal/badfiles"
)

// FuzzDecode checks that what Decode accepts is within its limits and can be preprocessed.
func FuzzDecode(f *testing.F) {
	limits := Limits{Bytes: 1 << 16, Pixels: 4096, Side: 512}
	for _, c := range badfiles.Images() {
		if len(c.Data) <= 1<<13 {
			f.Add(c.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, limits)
		if (p == nil) != (err != nil) {
			t.Fatalf("have image %v and error %v", p, err)
		}
		if err != nil {
			return
		}
		if p.Width < 1 || p.Height < 1 || max(p.Width, p.Height) > limits.Side || p.Width*p.Height > limits.Pixels ||
			len(p.Pix) != 3*p.Width*p.Height {
			t.Fatalf("%d x %d pixels in %d bytes", p.Width, p.Height, len(p.Pix))
		}
		for _, how := range Resizes {
			for i, v := range Preprocess(p, 8, how) {
				if !(v >= -1 && v <= 1.000001) {
					t.Fatalf("%s: value %d is %v", how, i, v)
				}
			}
		}
	})
}

// FuzzEXIF checks that nothing in EXIF data, or in the containers around it, does harm.
func FuzzEXIF(f *testing.F) {
	for n := range uint16(10) {
		for _, order := range orders {
			f.Add(tiff(order, n))
		}
	}
	for _, c := range badfiles.Images() {
		if len(c.Data) <= 1<<13 {
			f.Add(c.Data)
		}
	}
	p := noise(3, 2)
	f.Fuzz(func(t *testing.T, data []byte) {
		n, _ := exifOrientation(data)
		if n < 1 || n > 8 {
			t.Fatalf("orientation %d", n)
		}
		if n != 1 && !bytes.Contains(data, binary.LittleEndian.AppendUint16(nil, 0x0112)) &&
			!bytes.Contains(data, binary.BigEndian.AppendUint16(nil, 0x0112)) {
			t.Fatalf("orientation %d without its tag", n)
		}
		if u := upright(p, n); len(u.Pix) != len(p.Pix) || u.Width*u.Height != 6 {
			t.Fatalf("orientation %d: %d x %d", n, u.Width, u.Height)
		}
		for _, find := range []func([]byte) metadata{jpegMetadata, pngMetadata, webpMetadata} {
			m := find(data)
			if len(m.exif)+len(m.xmp) > len(data) {
				t.Fatalf("%d and %d bytes of metadata in %d", len(m.exif), len(m.xmp), len(data))
			}
			if n := m.orientation(); n < 1 || n > 8 {
				t.Fatalf("orientation %d", n)
			}
		}
	})
}
