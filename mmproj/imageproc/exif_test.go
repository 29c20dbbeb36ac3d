package imageproc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"github.com/pali-gguf/pali/internal/badfiles"
)

// tiff returns a TIFF structure with one directory: a maker's name and an orientation.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.String() == "BigEndian" {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, entry := range []struct {
		tag, kind uint16
		value     uint16
	}{{0x010f, 2, 0}, {0x0112, 3, orientation}} {
		b = order.AppendUint16(order.AppendUint16(b, entry.tag), entry.kind)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(order.AppendUint16(b, entry.value), 0)
	}
	return order.AppendUint32(b, 0)
}

var orders = []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}

// TestPillowOrientation turns images that Pillow stored in each orientation.
func TestPillowOrientation(t *testing.T) {
	want := decoded(t, "testdata/pillow/upright.png")
	for n := 1; n <= 8; n++ {
		maxDiff, _ := difference(t, decoded(t, fmt.Sprintf("testdata/pillow/exif-%d.jpg", n)), want)
		if maxDiff > 3 {
			t.Errorf("orientation %d: differs by %d levels, want at most 3", n, maxDiff)
		}
	}
}

// TestOrientation puts every orientation in both byte orders into a JPEG, a PNG and a WebP.
func TestOrientation(t *testing.T) {
	// The 2 x 3 image with pixels 1 to 6, as it is seen for each orientation, row by row.
	seen := [9][]int{
		1: {1, 2, 3, 4, 5, 6}, 2: {2, 1, 4, 3, 6, 5}, 3: {6, 5, 4, 3, 2, 1}, 4: {5, 6, 3, 4, 1, 2},
		5: {1, 3, 5, 2, 4, 6}, 6: {5, 3, 1, 6, 4, 2}, 7: {6, 4, 2, 5, 3, 1}, 8: {2, 4, 6, 1, 3, 5},
	}
	for n := 1; n <= 8; n++ {
		for _, order := range orders {
			data := tiff(order, uint16(n))
			if have := exifOrientation(data); have != n {
				t.Errorf("orientation %d, %v: have %d", n, order, have)
			}
			p := &Image{Width: 2, Height: 3}
			for v := range uint8(6) {
				p.Pix = append(p.Pix, v+1, 10*(v+1), 20*(v+1))
			}
			have := upright(p, exifOrientation(pngEXIF(withPNGChunk(pngOf(t, p), "eXIf", data))))
			fromFile, err := Decode(withPNGChunk(pngOf(t, p), "eXIf", data), DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			var want []uint8
			for _, v := range seen[n] {
				want = append(want, uint8(v), uint8(10*v), uint8(20*v))
			}
			if !slices.Equal(have.Pix, want) || !slices.Equal(fromFile.Pix, want) || n >= 5 && have.Width != 3 {
				t.Errorf("orientation %d, %v: have %v, from a PNG %v, want %v", n, order, have.Pix, fromFile.Pix, want)
			}
			testContainers(t, data, n)
		}
	}
}

// testContainers checks that the orientation n, in JPEG and WebP files, is applied.
func testContainers(t *testing.T, data []byte, n int) {
	t.Helper()
	jpg, err := os.ReadFile("testdata/pillow/decode-444.jpg") // 61 x 47, without EXIF
	if err != nil {
		t.Fatal(err)
	}
	body := append([]byte(exifHeader), data...)
	app1 := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2)), body...)
	wp, err := os.ReadFile("testdata/pillow/decode-lossy.webp")
	if err != nil {
		t.Fatal(err)
	}
	wide := 61
	if n >= 5 {
		wide = 47
	}
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"JPEG", slices.Concat(jpg[:2], app1, jpg[2:])},
		{"WebP", extendedWebP(t, wp, data)},
		{"WebP with JPEG's header", extendedWebP(t, wp, body)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decode(c.file, DefaultLimits)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if p.Width != wide {
				t.Errorf("%s, orientation %d: have width %d, want %d", c.name, n, p.Width, wide)
			}
		})
	}
}

// pngOf encodes an image.
func pngOf(t *testing.T, p *Image) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(m.Pix[4*i:], append(slices.Clone(p.Pix[3*i:3*i+3]), 255))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withPNGChunk inserts a chunk after a PNG's header.
func withPNGChunk(file []byte, kind string, body []byte) []byte {
	chunk := append([]byte(kind), body...)
	size, sum := binary.BigEndian.AppendUint32(nil, uint32(len(body))), binary.BigEndian.AppendUint32(nil,
		crc32.ChecksumIEEE(chunk))
	return slices.Concat(file[:33], size, chunk, sum, file[33:])
}

// extendedWebP wraps the chunks of a simple WebP into an extended one with EXIF.
func extendedWebP(t *testing.T, file, exif []byte) []byte {
	t.Helper()
	c, err := webp.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	header := slices.Concat([]byte("VP8X"), le.AppendUint32(nil, 10), []byte{8, 0, 0, 0, byte(c.Width - 1), 0, 0,
		byte(c.Height - 1), 0, 0})
	chunk := append(le.AppendUint32([]byte("EXIF"), uint32(len(exif))), exif...)
	chunk = append(chunk, make([]byte, len(exif)%2)...)
	body := slices.Concat([]byte("WEBP"), header, file[12:], chunk)
	return slices.Concat([]byte("RIFF"), le.AppendUint32(nil, uint32(len(body))), body)
}

// TestHostileEXIF checks that EXIF data which cannot be right leaves an image as it is stored.
func TestHostileEXIF(t *testing.T) {
	n := 0
	for _, c := range badfiles.Images() {
		if !strings.HasPrefix(c.Name, "exif: ") {
			continue
		}
		n++
		if p, err := Decode(c.Data, DefaultLimits); err != nil || p.Width != 9 || p.Height != 5 {
			t.Errorf("%s: have %v, %v, want 9x5 pixels", c.Name, p, err)
		}
	}
	if n < 10 {
		t.Errorf("have %d cases, want at least 10", n)
	}
}

// TestOrientationTiles turns an image larger than a tile and back.
func TestOrientationTiles(t *testing.T) {
	p := noise(71, 39)
	back := [9]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for n := 1; n <= 8; n++ {
		if have := upright(upright(p, n), back[n]); have.Width != p.Width || !slices.Equal(have.Pix, p.Pix) {
			t.Errorf("orientation %d and back: not the same image", n)
		}
	}
}
