package imageproc

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

// photo is a 12-megapixel image, the size that phones take.
func photo() *Image { return noise(4032, 3024) }

// noise is an image without any regularity.
func noise(w, h int) *Image {
	p := &Image{Width: w, Height: h, Pix: make([]uint8, 3*w*h)}
	state := uint32(1)
	for i := range p.Pix {
		state = state*1664525 + 1013904223
		p.Pix[i] = uint8(state >> 24)
	}
	return p
}

func BenchmarkPreprocess(b *testing.B) {
	p := photo()
	for _, how := range Resizes {
		b.Run(string(how), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p.Pix)))
			for b.Loop() {
				Preprocess(p, 448, how)
			}
		})
	}
}

func BenchmarkDecodeImage(b *testing.B) {
	p := photo()
	m := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height { // smooth, as photos are
		x, y := i%p.Width, i/p.Width
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = uint8(x/16), uint8(y/12), uint8((x^y)/64), 255
	}
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(p.Pix)))
	for b.Loop() {
		if _, err := Decode(jpg.Bytes(), DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpright(b *testing.B) {
	p := photo()
	b.SetBytes(int64(len(p.Pix)))
	for b.Loop() {
		upright(p, 6)
	}
}
