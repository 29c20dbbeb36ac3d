package imageproc

// This file: what decoding an image costs, known from its header.

import (
	"fmt"
	"image"
	"image/color"

	"github.com/pali-gguf/pali/mmproj/imageproc/jpeg"
)

// Cost is what Decode takes for an image.
type Cost struct {
	Pixels int64
	Memory int64 // bytes, those included that are free again before Decode returns
}

// CostOf returns what Decode takes for data within l, by its header. Its errors are those of Decode
// that need no pixel.
func CostOf(data []byte, l Limits) (Cost, error) {
	f, c, err := header(data, l)
	if err != nil {
		return Cost{}, fmt.Errorf("image: %w", err)
	}
	pixels := int64(c.Width) * int64(c.Height)
	cost := Cost{Pixels: pixels, Memory: f.memory(data, c)}
	if f.metadata != nil && f.metadata(data).orientation() != 1 {
		cost.Memory += 11 * pixels // upright: twice the image with alpha, then without
	}
	return cost, nil
}

// header reads the header of data and checks all that decode checks before it makes pixels.
func header(data []byte, l Limits) (*format, image.Config, error) {
	if int64(len(data)) > l.Bytes {
		return nil, image.Config{}, errTooManyBytes(int64(len(data)), l.Bytes)
	}
	f := sniff(data)
	if f == nil {
		return nil, image.Config{}, errUnreadable(data[:min(len(data), SniffLen)])
	}
	c, err := decodeGuarded(f.name, func() (image.Config, error) { return f.config(data) })
	if err == nil {
		err = checkSize(c, l)
	}
	if err != nil {
		return nil, c, err
	}
	if f.check != nil {
		if err := f.check(data, c); err != nil {
			return nil, c, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return f, c, nil
}

// memoryJPEG is a format's memory, of JPEG.
func memoryJPEG(data []byte, _ image.Config) int64 {
	n, _ := jpeg.Memory(data) // an error: header has read the same and found none
	return n
}

// memoryPNG is that of PNG: the samples, of an interlaced file those of its passes too, and RGB.
func memoryPNG(data []byte, c image.Config) int64 {
	const bitDepth, interlace = 24, 28 // offsets in the file
	sample := int64(4)                 // grey may turn out to have a transparent level
	if _, palette := c.ColorModel.(color.Palette); palette {
		sample = 1
	} else if data[bitDepth] == 16 {
		sample = 8
	}
	if data[interlace] != 0 {
		sample *= 2
	}
	return int64(c.Width) * int64(c.Height) * (sample + 3)
}

// memoryGIF is that of GIF: a byte for each pixel, and RGB.
func memoryGIF(_ []byte, c image.Config) int64 { return int64(c.Width) * int64(c.Height) * (1 + 3) }

// memoryBMP is that of BMP: the samples, and RGB.
func memoryBMP(_ []byte, c image.Config) int64 {
	sample := int64(4)
	if _, palette := c.ColorModel.(color.Palette); palette {
		sample = 1
	}
	return int64(c.Width) * int64(c.Height) * (sample + 3)
}

// memoryWebP is that of WebP: colours and filtered alpha, or pixels and what they are transformed
// from, and RGB.
func memoryWebP(_ []byte, c image.Config) int64 { return int64(c.Width) * int64(c.Height) * (9 + 3) }
