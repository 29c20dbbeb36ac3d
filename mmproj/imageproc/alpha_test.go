package imageproc

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"slices"
	"testing"
)

// encodePNG returns m as a PNG.
func encodePNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bmp5 returns a BMP of one row of pixels, blue, green, red, alpha, with a header of version 5 and
// this mask of its alpha.
func bmp5(mask uint32, pixels ...[4]byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("BM"), uint32(138+4*len(pixels)))
	for _, v := range []uint32{0, 138, 124, uint32(len(pixels)), 1, 1 | 32<<16} {
		b = le.AppendUint32(b, v)
	}
	b = append(b, make([]byte, 138-len(b))...)
	if mask != 0 {
		le.PutUint32(b[30:], 3) // masks are used
	}
	for i, m := range []uint32{0xff0000, 0xff00, 0xff, mask} {
		le.PutUint32(b[54+4*i:], m)
	}
	for _, p := range pixels {
		b = append(b, p[:]...)
	}
	return b
}

// TestTransparency checks which alpha counts, and what shows through it.
func TestTransparency(t *testing.T) {
	red, halfBlue, hidden := color.NRGBA{200, 10, 20, 255}, color.NRGBA{0, 0, 200, 128}, color.NRGBA{9, 9, 9, 0}
	row := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	deep := image.NewNRGBA64(row.Rect)
	palette := image.NewPaletted(row.Rect, color.Palette{red, halfBlue, hidden})
	for x, c := range []color.NRGBA{red, halfBlue, hidden} {
		row.SetNRGBA(x, 0, c)
		deep.SetNRGBA64(x, 0, color.NRGBA64{uint16(c.R) * 257, uint16(c.G) * 257, uint16(c.B) * 257, uint16(c.A) * 257})
		palette.SetColorIndex(x, 0, uint8(x))
	}
	cut := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.RGBA{200, 10, 20, 255}, color.RGBA{}})
	cut.Pix[1] = 1
	var animated bytes.Buffer
	if err := gif.EncodeAll(&animated, &gif.GIF{Image: []*image.Paletted{cut}, Delay: []int{0},
		Config: image.Config{Width: 3, Height: 1}}); err != nil {
		t.Fatal(err)
	}
	shown := []uint8{200, 10, 20, 127, 127, 227, 255, 255, 255} // blue: 255*127/255 + 200*128/255
	lossless := func(alpha byte) []byte {
		body := []byte{0x2f, 0, 0, 0, alpha << 4, 0x88, 0x88, 0x08, 0, 0} // one pixel, all samples 0
		return slices.Concat([]byte("RIFF\x16\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00"), body)
	}
	for _, c := range []struct {
		name string
		file []byte
		want []uint8
	}{
		{"PNG", encodePNG(t, row), shown},
		{"PNG of 16 bits", encodePNG(t, deep), shown},
		{"PNG with a palette", encodePNG(t, palette), shown},
		{"GIF, a frame smaller than its canvas", animated.Bytes(), []uint8{200, 10, 20, 255, 255, 255, 255, 255, 255}},
		{"BMP", bmp5(0xff000000, [4]byte{20, 10, 200, 255}, [4]byte{200, 0, 0, 128}, [4]byte{9, 9, 9, 0}), shown},
		{"BMP whose alpha is zero everywhere", bmp5(0xff000000, [4]byte{20, 10, 200, 0}, [4]byte{200, 0, 0, 0}),
			[]uint8{200, 10, 20, 0, 0, 200}},
		{"BMP without a mask for alpha", bmp5(0, [4]byte{20, 10, 200, 7}, [4]byte{200, 0, 0, 0}),
			[]uint8{200, 10, 20, 0, 0, 200}},
		{"WebP that says it is opaque", lossless(0), []uint8{0, 0, 0}},
		{"WebP that says it is not", lossless(1), []uint8{255, 255, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decode(c.file, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.Pix, c.want) {
				t.Errorf("have %v, want %v", p.Pix, c.want)
			}
		})
	}
	if p := FromImage(row); !slices.Equal(p.Pix, shown) {
		t.Errorf("FromImage: have %v, want %v", p.Pix, shown)
	}
}

// TestOpaque checks that an alpha channel that hides nothing changes no sample, in 8 and 16 bits.
func TestOpaque(t *testing.T) {
	want := noise(31, 17)
	m, deep := want.nrgba(0, 17), image.NewNRGBA64(image.Rect(0, 0, 31, 17))
	for i, v := range m.Pix {
		deep.Pix[2*i], deep.Pix[2*i+1] = v, 0xff
	}
	m.Pix[3], deep.Pix[6] = 254, 254 // else the encoder leaves the channel out: all but the first pixel are compared
	for _, file := range [][]byte{encodePNG(t, m), encodePNG(t, deep)} {
		p, err := Decode(file, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Pix[3:], want.Pix[3:]) {
			t.Error("opaque pixels changed")
		}
	}
}
