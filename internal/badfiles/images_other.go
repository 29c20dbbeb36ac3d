package badfiles

// This file: GIF, BMP and WebP files.

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// le returns v as little-endian bytes.
func le[T uint16 | uint32](v ...T) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, v) // a slice of a fixed-size type cannot fail
	return b
}

// gifHead returns a GIF's header with a palette of two colours.
func gifHead(w, h uint16) []byte {
	return slices.Concat([]byte("GIF89a"), le(w, h), []byte{0x80, 0, 0}, []byte{255, 0, 0, 0, 0, 255})
}

// gifFrame returns one frame with its LZW codes (2-bit samples: 4 clear, 5 end).
func gifFrame(x, y, w, h uint16, lzw ...byte) []byte {
	return slices.Concat([]byte{0x2c}, le(x, y, w, h), []byte{0, 2, byte(len(lzw))}, lzw, []byte{0})
}

// onePixel encodes the codes clear, colour 0 and end in three bits each: 4 | 0<<3 | 5<<6.
var onePixel = []byte{0x44, 0x01}

func gifs() []Case {
	end := []byte{0x3b}
	broken := "GIF: cannot be decoded"
	frame := gifFrame(0, 0, 1, 1, onePixel...)
	return []Case{
		{"gif: good", slices.Concat(gifHead(1, 1), frame, end), ""},
		{"gif: 10,000 frames", slices.Concat(gifHead(1, 1), bytes.Repeat(frame, 10_000), end), ""},
		{"gif: second frame broken", slices.Concat(gifHead(1, 1), frame, gifFrame(0, 0, 9, 9, 255, 255), end), ""},
		{"gif: frame in the middle of its canvas", slices.Concat(gifHead(5, 5), gifFrame(2, 2, 1, 1, onePixel...), end),
			""},
		{"gif: magic only", []byte("GIF89a"), broken},
		{"gif: unknown version", []byte("GIF88a"), "want JPEG"},
		{"gif: no frame", slices.Concat(gifHead(1, 1), end), broken},
		{"gif: empty canvas", slices.Concat(gifHead(0, 0), frame, end), "want at least one pixel"},
		{"gif: 65,535 x 65,535", slices.Concat(gifHead(65535, 65535), frame, end), "side too long"},
		{"gif: frame outside its canvas", slices.Concat(gifHead(1, 1), gifFrame(0, 0, 60000, 60000, onePixel...), end),
			broken},
		{"gif: frame beside its canvas", slices.Concat(gifHead(1, 1), gifFrame(65535, 65535, 1, 1, onePixel...), end),
			broken},
		{"gif: no palette", slices.Concat([]byte("GIF89a"), le[uint16](1, 1), []byte{0, 0, 0}, frame, end), broken},
		{"gif: index beyond the palette", slices.Concat(gifHead(1, 1), gifFrame(0, 0, 1, 1, 0x5c, 0x01), end), broken},
		{"gif: 12 bits for a sample", slices.Concat(gifHead(1, 1), []byte{0x2c}, le[uint16](0, 0, 1, 1),
			[]byte{0, 12, 0}, end), broken},
		{"gif: samples missing", slices.Concat(gifHead(9, 9), gifFrame(0, 0, 9, 9, onePixel...), end), broken},
		{"gif: cut", slices.Concat(gifHead(1, 1), frame[:8]), broken},
		{"gif: unknown block", slices.Concat(gifHead(1, 1), []byte{0x77}), broken},
	}
}

// bmpOf returns a BMP with a header of 40 bytes, colours used as given, then body (palette and
// rows).
func bmpOf(w, h uint32, bits uint16, compression, colours uint32, body ...byte) []byte {
	offset := 54 + 4*colours
	if bits > 8 {
		offset = 54
	}
	return slices.Concat([]byte("BM"), le(uint32(54+len(body)), 0, offset, 40, w, h), le(1, bits),
		le(compression, 0, 0, 0, colours, 0), body)
}

func bmps() []Case {
	minus := func(n uint32) uint32 { return -n }
	broken := "BMP: cannot be decoded"
	return []Case{
		{"bmp: good", bmpOf(1, 1, 24, 0, 0, 1, 2, 3, 0), ""},
		{"bmp: top row first", bmpOf(1, minus(1), 24, 0, 0, 1, 2, 3, 0), ""},
		{"bmp: magic only", []byte("BM"), broken},
		{"bmp: index beyond the palette", bmpOf(1, 1, 8, 0, 1, 0, 0, 0, 0, 200, 0, 0, 0), broken},
		{"bmp: four billion colours", bmpOf(1, 1, 8, 0, 1<<32-1, 0, 0, 0, 0), broken},
		{"bmp: empty", bmpOf(0, 0, 24, 0, 0), "want at least one pixel"},
		{"bmp: width -1", bmpOf(minus(1), 1, 24, 0, 0, 1, 2, 3, 0), broken},
		{"bmp: height -2147483648", bmpOf(1, 1<<31, 24, 0, 0), "side too long"},
		{"bmp: 2 billion x 2 billion", bmpOf(1<<31-1, 1<<31-1, 24, 0, 0), "BMP"},
		{"bmp: 40,000 x 1", bmpOf(40000, 1, 24, 0, 0), "side too long"},
		{"bmp: 30,000 x 30,000", bmpOf(30000, 30000, 24, 0, 0), "too many pixels"},
		{"bmp: 7,000 x 7,000 in 54 bytes", bmpOf(7000, 7000, 32, 0, 0), "file too short"},
		{"bmp: cut in its rows", bmpOf(2, 2, 24, 0, 0, make([]byte, 9)...), "BMP"},
		{"bmp: run lengths", bmpOf(1, 1, 8, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1), broken},
		{"bmp: 16 bits", bmpOf(1, 1, 16, 0, 0, 0, 0, 0, 0), broken},
	}
}

// riff returns one RIFF chunk, padded to an even length.
func riff(kind string, body ...byte) []byte {
	b := append(append([]byte(kind), le(uint32(len(body)))...), body...)
	return append(b, make([]byte, len(body)%2)...)
}

// webpOf joins chunks into a file.
func webpOf(chunks ...[]byte) []byte {
	return riff("RIFF", append([]byte("WEBP"), slices.Concat(chunks...)...)...)
}

// vp8x returns the header of an extended WebP. Flags: 2 animation, 16 alpha.
func vp8x(flags byte, w, h int) []byte {
	return riff("VP8X", flags, 0, 0, 0, byte(w-1), byte((w-1)>>8), byte((w-1)>>16), byte(h-1), byte((h-1)>>8),
		byte((h-1)>>16))
}

// vp8l returns the header of a lossless image and one pixel's worth of codes: five Huffman trees,
// each of the one symbol 0.
func vp8l(w, h int) []byte {
	size := le(uint32(w-1) | uint32(h-1)<<14)
	return riff("VP8L", slices.Concat([]byte{0x2f}, size, simpleTrees)...)
}

// simpleTrees is, bit by bit from the lowest: no transform, no colour cache, no meta trees (0 0 0),
// then five times "simple code, one symbol, of one bit, which is 0" (1 0 0 0).
var simpleTrees = []byte{0x88, 0x88, 0x08, 0, 0}

// manyTrees is a lossless image of one pixel whose map of Huffman trees, itself one pixel, says
// 65,535: 65,536 sets of five trees.
var manyTrees = riff("VP8L", 0x2f, 0, 0, 0, 0, 0x84, 0xfe, 0xf7, 0xbf, 0x00, 0x05, 0x28, 0x40, 0x44, 0x44, 0x44, 0, 0,
	0, 0)

// vp8 returns a lossy key frame of the given size with 32 bytes of modes and 32 of samples, all
// zero.
func vp8(w, h uint16) []byte {
	return riff("VP8 ", slices.Concat([]byte{0x10, 0x04, 0, 0x9d, 0x01, 0x2a}, le(w, h), make([]byte, 64))...)
}

func webps() []Case {
	broken := "WebP: cannot be decoded"
	return []Case{
		{"webp: lossless", webpOf(vp8l(1, 1)), ""},
		{"webp: lossy", webpOf(vp8(1, 1)), ""},
		{"webp: lossless, extended", webpOf(vp8x(0, 1, 1), vp8l(1, 1)), ""},
		{"webp: exif with a loop", webpOf(vp8x(8, 1, 1), vp8l(1, 1),
			riff("EXIF", []byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00")...)), ""},
		{"webp: magic only", []byte("RIFF\x04\x00\x00\x00WEBP"), broken},
		{"webp: sound", []byte("RIFF\x04\x00\x00\x00WAVE"), "want JPEG"},
		{"webp: no size", []byte("RIFF\x00\x00\x00\x00WEBP"), broken},
		{"webp: chunk of 4 GiB", []byte("RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff"), broken},
		{"webp: animated", webpOf(vp8x(2, 1, 1), riff("ANIM", 0, 0, 0, 0, 0, 0), riff("ANMF", make([]byte, 24)...)),
			"an animation, want a still image"},
		{"webp: canvas smaller than its lossy frame", webpOf(vp8x(0, 1, 1), vp8(4000, 4000)), broken},
		{"webp: canvas smaller than its lossless frame", webpOf(vp8x(0, 1, 1), vp8l(16384, 16384)), broken},
		{"webp: alpha of a smaller image", webpOf(vp8x(16, 2, 2), riff("ALPH", 0, 1, 2, 3, 4), vp8(16, 16)), broken},
		{"webp: alpha announced and missing", webpOf(vp8x(16, 1, 1), vp8(1, 1)), broken},
		{"webp: alpha not announced", webpOf(vp8x(0, 1, 1), riff("ALPH", 0, 1), vp8(1, 1)), broken},
		{"webp: alpha cut", webpOf(vp8x(16, 900, 900), riff("ALPH", 0, 1), vp8(900, 900)), broken},
		{"webp: alpha of unknown compression", webpOf(vp8x(16, 1, 1), riff("ALPH", 2, 1), vp8(1, 1)), broken},
		{"webp: two extended headers", webpOf(vp8x(0, 1, 1), vp8x(0, 9000, 9000), vp8l(1, 1)), broken},
		{"webp: 16,777,216 x 16,777,216", webpOf(vp8x(0, 1<<24, 1<<24)), broken},
		{"webp: 16,777,216 x 1", webpOf(vp8x(0, 1<<24, 1)), "side too long"},
		{"webp: 16,384 x 16,384", webpOf(vp8l(16384, 16384)), "too many pixels"},
		{"webp: lossy, 16,383 x 16,383", webpOf(vp8(16383, 16383)), "too many pixels"},
		{"webp: lossy, 0 x 0", webpOf(vp8(0, 0)), "want at least one pixel"},
		{"webp: lossless, 65,536 sets of Huffman trees", webpOf(manyTrees), "too many Huffman trees"},
		{"webp: lossless, wrong mark", webpOf(riff("VP8L", 0x2e, 0, 0, 0, 0)), broken},
		{"webp: lossless, cut", webpOf(riff("VP8L", 0x2f, 0, 0, 0, 0)), broken},
		{"webp: lossy, not a key frame", webpOf(riff("VP8 ", 0x11, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0)),
			"want at least one pixel"},
		{"webp: lossy, first partition longer than its chunk", webpOf(riff("VP8 ", 0xf0, 0xff, 0xff, 0x9d, 0x01, 0x2a,
			1, 0, 1, 0)), broken},
	}
}
