package masks

// This file: bitmaps as an image of their own.

import (
	"fmt"
	"image"
	"image/color"
)

// Grey returns an image that is white inside any of the bitmaps and black elsewhere. They must have
// the given size.
func Grey(width, height int, all []*Bitmap) *image.Gray {
	p := image.NewGray(image.Rect(0, 0, width, height))
	for _, b := range all {
		for i, in := range b.Bits {
			if in {
				p.Pix[i] = 0xff
			}
		}
	}
	return p
}

// Paletted returns an image whose pixels have the value n inside bitmap n, counted from 1, and 0
// elsewhere; where bitmaps overlap, the last counts. They must have the given size. Value n is
// shown in colours[n-1], 0 in black. It fails on more than 255 bitmaps.
func Paletted(width, height int, all []*Bitmap, colours []color.RGBA) (*image.Paletted, error) {
	if len(all) > 255 {
		return nil, fmt.Errorf("masks: %d masks, and an image with a palette holds 255", len(all))
	}
	palette := color.Palette{color.RGBA{A: 0xff}}
	for _, c := range colours {
		palette = append(palette, c)
	}
	p := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for n, b := range all {
		for i, in := range b.Bits {
			if in {
				p.Pix[i] = uint8(n + 1)
			}
		}
	}
	return p, nil
}
