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

// tiff returns a TIFF structure with a directory of a maker's name and an orientation, a SHORT, and
// a second one, the thumbnail's, with another orientation.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	return tiffOf(order, 3, 1, order.AppendUint16(nil, orientation))
}

// tiffOf returns tiff's structure with an orientation of the type kind, count values in up to four
// bytes.
func tiffOf(order binary.AppendByteOrder, kind uint16, count uint32, value []byte) []byte {
	b := []byte("II*\x00")
	if order.String() == "BigEndian" {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	entry := func(tag, kind uint16, count uint32, value []byte) {
		b = order.AppendUint16(order.AppendUint16(b, tag), kind)
		b = append(order.AppendUint32(b, count), value...)
		b = append(b, make([]byte, 4-len(value))...)
	}
	entry(0x010f, 2, 1, nil)
	entry(0x0112, kind, count, value)
	b = order.AppendUint32(b, uint32(len(b)+4))
	b = order.AppendUint16(b, 1)
	entry(0x0112, 3, 1, order.AppendUint16(nil, 3))
	return order.AppendUint32(b, 0)
}

// integerTypes are TIFF's types of whole numbers that fit into a directory's entry, with how each
// stores one.
var integerTypes = []struct {
	name  string
	kind  uint16
	store func(order binary.AppendByteOrder, v int) []byte
}{
	{"BYTE", 1, func(_ binary.AppendByteOrder, v int) []byte { return []byte{byte(v)} }},
	{"SHORT", 3, func(o binary.AppendByteOrder, v int) []byte { return o.AppendUint16(nil, uint16(v)) }},
	{"LONG", 4, func(o binary.AppendByteOrder, v int) []byte { return o.AppendUint32(nil, uint32(v)) }},
	{"SBYTE", 6, func(_ binary.AppendByteOrder, v int) []byte { return []byte{byte(v)} }},
	{"SSHORT", 8, func(o binary.AppendByteOrder, v int) []byte { return o.AppendUint16(nil, uint16(v)) }},
	{"SLONG", 9, func(o binary.AppendByteOrder, v int) []byte { return o.AppendUint32(nil, uint32(v)) }},
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

// The 2 x 3 image with pixels 1 to 6, as it is seen for each orientation, row by row.
var seenAs = [9][]int{
	1: {1, 2, 3, 4, 5, 6}, 2: {2, 1, 4, 3, 6, 5}, 3: {6, 5, 4, 3, 2, 1}, 4: {5, 6, 3, 4, 1, 2},
	5: {1, 3, 5, 2, 4, 6}, 6: {5, 3, 1, 6, 4, 2}, 7: {6, 4, 2, 5, 3, 1}, 8: {2, 4, 6, 1, 3, 5},
}

// TestOrientation reads every orientation as every type of whole number in both byte orders.
func TestOrientation(t *testing.T) {
	p := &Image{Width: 2, Height: 3}
	for v := range uint8(6) {
		p.Pix = append(p.Pix, v+1, 10*(v+1), 20*(v+1))
	}
	for _, kind := range integerTypes {
		t.Run(kind.name, func(t *testing.T) {
			for n := 1; n <= 8; n++ {
				for _, order := range orders {
					file := withPNGChunk(pngOf(t, p), "eXIf", tiffOf(order, kind.kind, 1, kind.store(order, n)))
					have, err := Decode(file, DefaultLimits)
					if err != nil {
						t.Fatal(err)
					}
					var want []uint8
					for _, v := range seenAs[n] {
						want = append(want, uint8(v), uint8(10*v), uint8(20*v))
					}
					if !slices.Equal(have.Pix, want) || n >= 5 && have.Width != 3 {
						t.Errorf("orientation %d, %v: have %v, want %v", n, order, have.Pix, want)
					}
				}
			}
		})
	}
}

// TestNoOrientation leaves images as they are stored whose orientation is none.
func TestNoOrientation(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		name  string
		kind  uint16
		count uint32
		value []byte
	}{
		{"zero", 3, 1, []byte{0, 0}}, {"nine", 3, 1, []byte{9, 0}}, {"a LONG above", 4, 1, le.AppendUint32(nil, 6<<16)},
		{"minus one", 8, 1, []byte{0xff, 0xff}}, {"two values", 3, 2, []byte{6, 0, 6, 0}},
		{"no value", 3, 0, []byte{6}},
		{"text", 2, 2, []byte("6\x00")}, {"a fraction elsewhere", 5, 1, []byte{6, 0, 0, 0}},
		{"a type that is none", 99, 1, []byte{6}}, {"a float", 11, 1, []byte{0, 0, 0xc0, 0x40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, found := exifOrientation(tiffOf(le, c.kind, c.count, c.value)); n != 1 || !found {
				t.Errorf("have %d, found %v", n, found)
			}
		})
	}
}

// xmp returns XMP with an orientation, as an attribute or, if element, as an element.
func xmp(n int, element bool) []byte {
	if element {
		return fmt.Appendf(nil, "<x:xmpmeta><tiff:Orientation>%d</tiff:Orientation></x:xmpmeta>", n)
	}
	return fmt.Appendf(nil, "<x:xmpmeta><rdf:Description tiff:Orientation=\"%d\"/></x:xmpmeta>", n)
}

// app1 returns a JPEG's segment.
func app1(header string, body []byte) []byte {
	body = append([]byte(header), body...)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2)), body...)
}

// orientedFile makes files with an orientation at one place.
type orientedFile struct {
	name  string
	plain []byte                          // without an orientation
	file  func(data []byte, n int) []byte // with the EXIF data, or XMP with orientation n
}

// orientedFiles returns files with their orientations wherever JPEG, PNG and WebP may have them.
func orientedFiles(t *testing.T) []orientedFile {
	jpg, png, wp := fileOf(t, "decode-444.jpg"), fileOf(t, "tiny.png"), fileOf(t, "decode-lossy.webp")
	inJPEG := func(at int, segments ...[]byte) []byte {
		return slices.Concat(jpg[:at], slices.Concat(segments...), jpg[at:])
	}
	afterJFIF := 4 + int(binary.BigEndian.Uint16(jpg[4:])) - 2 + 2
	beforeScan := bytes.Index(jpg, []byte{0xff, 0xda})
	const xmpHeader, xmpKey = "http://ns.adobe.com/xap/1.0/\x00", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"
	return []orientedFile{
		{"JPEG", jpg, func(data []byte, _ int) []byte { return inJPEG(2, app1(exifHeader, data)) }},
		{"JPEG, after JFIF", jpg, func(data []byte, _ int) []byte { return inJPEG(afterJFIF, app1(exifHeader, data)) }},
		{"JPEG, after the frame header", jpg, func(data []byte, _ int) []byte {
			return inJPEG(beforeScan, app1(exifHeader, data))
		}},
		{"JPEG, after XMP", jpg, func(data []byte, n int) []byte {
			return inJPEG(2, app1(xmpHeader, xmp(9-n, false)), app1(exifHeader, data))
		}},
		{"JPEG, in two segments", jpg, func(data []byte, _ int) []byte {
			return inJPEG(2, app1(exifHeader, data[:20]), app1(exifHeader, data[20:]))
		}},
		{"JPEG, the header doubled", jpg, func(data []byte, _ int) []byte {
			return inJPEG(2, app1(exifHeader+exifHeader, data))
		}},
		{"JPEG, XMP alone", jpg, func(_ []byte, n int) []byte { return inJPEG(2, app1(xmpHeader, xmp(n, false))) }},
		{"JPEG, XMP and broken EXIF", jpg, func(_ []byte, n int) []byte {
			return inJPEG(2, app1(exifHeader, []byte("II*\x00\xff\xff\xff\xff")), app1(xmpHeader, xmp(n, true)))
		}},
		{"PNG", png, func(data []byte, _ int) []byte { return withPNGChunk(png, "eXIf", data) }},
		{"PNG, after its samples", png, func(data []byte, _ int) []byte {
			end := len(png) - 12
			return slices.Concat(png[:end], withPNGChunk(make([]byte, 33), "eXIf", data)[33:], png[end:])
		}},
		{"PNG with JPEG's header", png, func(data []byte, _ int) []byte {
			return withPNGChunk(png, "eXIf", append([]byte(exifHeader), data...))
		}},
		{"PNG, XMP alone", png, func(_ []byte, n int) []byte {
			return withPNGChunk(png, "iTXt", append([]byte(xmpKey), xmp(n, true)...))
		}},
		{"WebP", wp, func(data []byte, _ int) []byte { return extendedWebP(t, wp, "EXIF", data) }},
		{"WebP with JPEG's header", wp, func(data []byte, _ int) []byte {
			return extendedWebP(t, wp, "EXIF", append([]byte(exifHeader), data...))
		}},
		{"WebP, XMP alone", wp, func(_ []byte, n int) []byte { return extendedWebP(t, wp, "XMP ", xmp(n, false)) }},
	}
}

// TestOrientationPlaces finds every orientation at each of these places.
func TestOrientationPlaces(t *testing.T) {
	for _, c := range orientedFiles(t) {
		t.Run(c.name, func(t *testing.T) {
			plain, err := Decode(c.plain, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 8; n++ {
				for _, order := range orders {
					want := upright(plain, n)
					have, err := Decode(c.file(tiffOf(order, 4, 1, order.AppendUint32(nil, uint32(n))), n),
						DefaultLimits)
					if err != nil {
						t.Fatal(err)
					}
					if have.Width != want.Width || !slices.Equal(have.Pix, want.Pix) {
						t.Errorf("orientation %d, %v: not the image as it is seen", n, order)
					}
				}
			}
		})
	}
}

// fileOf returns a file of testdata/pillow.
func fileOf(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/pillow/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
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

// extendedWebP wraps the chunks of a simple WebP into an extended one with a chunk of metadata.
func extendedWebP(t *testing.T, file []byte, kind string, exif []byte) []byte {
	t.Helper()
	c, err := webp.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	le, flags := binary.LittleEndian, map[string]byte{"EXIF": 8, "XMP ": 4}
	header := slices.Concat([]byte("VP8X"), le.AppendUint32(nil, 10),
		[]byte{flags[kind], 0, 0, 0, byte(c.Width - 1), 0, 0,
			byte(c.Height - 1), 0, 0})
	chunk := append(le.AppendUint32([]byte(kind), uint32(len(exif))), exif...)
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
