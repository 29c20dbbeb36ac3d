package imageproc

// This file: what a header claims against what a file can hold, checked before the decoders
// allocate the whole image: only then would they find that its samples are missing.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"iter"
)

// pngChunks walks the chunks of a PNG (kind and body) up to where the file ends or breaks.
func pngChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for at := 8; len(data)-at >= 12; {
			size := int64(binary.BigEndian.Uint32(data[at:]))
			if size > int64(len(data)-at-12) || !yield(string(data[at+4:at+8]), data[at+8:][:size]) {
				return
			}
			at += 12 + int(size)
		}
	}
}

// webpChunks walks the chunks of a WebP (kind and body) up to where the file ends or breaks.
func webpChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for at := 12; len(data)-at >= 8; {
			size := int64(binary.LittleEndian.Uint32(data[at+4:]))
			if size > int64(len(data)-at-8) || !yield(string(data[at:at+4]), data[at+8:][:size]) {
				return
			}
			at += 8 + int(size+size&1)
		}
	}
}

// checkPNG refuses a PNG whose bytes cannot be inflated to the pixels of c (deflate gives at most
// 1032 bytes for one), and one of many small chunks, for each of which the decoder allocates 4 KiB.
func checkPNG(data []byte, c image.Config) error {
	const bitDepth, colourType = 24, 25 // offsets in the file; IHDR comes first and DecodeConfig has checked it
	const maxRatio, maxChunks = 1032, 1 << 14
	samples := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[data[colourType]]
	if err := checkBytes(data, int64(c.Width)*int64(c.Height)*samples*int64(data[bitDepth])/8/maxRatio); err != nil {
		return err
	}
	chunks := 0
	for kind := range pngChunks(data) {
		if kind == "IDAT" { // costs nothing
			continue
		}
		chunks++
	}
	if chunks > maxChunks {
		return fmt.Errorf("chunks besides IDAT: have %d, want at most %d", chunks, maxChunks)
	}
	return nil
}

// checkBMP refuses a BMP that is shorter than the rows of c: compressed ones are not read.
func checkBMP(data []byte, c image.Config) error {
	const bitsPerPixel = 28 // offset; DecodeConfig has read the header
	return checkBytes(data, int64(c.Width)*int64(c.Height)*int64(binary.LittleEndian.Uint16(data[bitsPerPixel:]))/8)
}

// checkBytes refuses data of less than minimum bytes.
func checkBytes(data []byte, minimum int64) error {
	if int64(len(data)) < minimum {
		return fmt.Errorf("file too short: have %d bytes, want at least %d for the pixels its header claims", len(data),
			minimum)
	}
	return nil
}

// checkWebP refuses animations, which the decoder takes for broken files.
func checkWebP(data []byte, _ image.Config) error {
	const flags, animation = 20, 1 << 1 // of the VP8X chunk, which comes first
	if hasMagic(data[12:], "VP8X") && len(data) > flags && data[flags]&animation != 0 {
		return errors.New("an animation, want a still image (GIF animations give their first frame)")
	}
	return nil
}
