package imageproc

import (
	"bytes"
	"image"
	"testing"

	"github.com/disintegration/imaging"
)

// The eight orientations against the imaging library's transforms, which were written by others.
func TestUprightAgainstImaging(t *testing.T) {
	p := &Image{Width: 5, Height: 3}
	stored := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		rgb := []uint8{uint8(i), uint8(100 + i), uint8(200 + i)}
		p.Pix = append(p.Pix, rgb...)
		copy(stored.Pix[4*i:], append(rgb, 255))
	}
	for i, transform := range []func(image.Image) *image.NRGBA{
		imaging.Clone, imaging.FlipH, imaging.Rotate180, imaging.FlipV,
		imaging.Transpose, imaging.Rotate270, imaging.Transverse, imaging.Rotate90,
	} {
		want, got := transform(stored), upright(p, i+1)
		var rgb []uint8
		for at := 0; at < len(want.Pix); at += 4 {
			rgb = append(rgb, want.Pix[at:at+3]...)
		}
		if size := want.Bounds().Size(); got.Width != size.X || got.Height != size.Y || !bytes.Equal(got.Pix, rgb) {
			t.Errorf("orientation %d: %d x %d %v, imaging has %v %v", i+1, got.Width, got.Height, got.Pix, size, rgb)
		}
	}
}
