package badfiles

// This file: PNG files.

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image/png"
	"slices"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// chunk returns one PNG chunk: length, kind, body, checksum.
func chunk(kind string, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// ihdr returns a PNG's first chunk. Colour types: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB
// and alpha.
func ihdr(w, h uint32, depth, colour, interlace byte) []byte {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return chunk("IHDR", append(b, depth, colour, 0, 0, interlace)...)
}

// idat returns a chunk of the given rows, each beginning with its filter byte, deflated.
func idat(rows ...byte) []byte { return chunk("IDAT", deflate(rows)...) }

func deflate(data []byte) []byte {
	return must(func(b *bytes.Buffer) error {
		z := zlib.NewWriter(b)
		z.Write(data) // into memory
		return z.Close()
	})
}

// pngOf joins chunks into a file.
func pngOf(chunks ...[]byte) []byte {
	return slices.Concat([]byte(pngMagic), slices.Concat(chunks...), chunk("IEND"))
}

// changed returns a copy of data with another byte at position i, which counts from the end if
// negative.
func changed(data []byte, i int) []byte {
	out := slices.Clone(data)
	if i < 0 {
		i += len(out)
	}
	out[i] ^= 0x55
	return out
}

// pngs returns broken and unusual PNG files.
func pngs() []Case {
	good := must(func(b *bytes.Buffer) error { return png.Encode(b, drawing(7, 5)) })
	bomb := deflate(make([]byte, 32<<20)) // 32 KiB
	palette := chunk("PLTE", 255, 0, 0)
	broken := "PNG: cannot be decoded"
	return []Case{
		{"png: good", good, ""},
		{"png: bytes after its end", append(slices.Clone(good), make([]byte, 1000)...), ""},
		{"png: 16-bit grey and alpha", pngOf(ihdr(1, 1, 16, 4, 0), idat(0, 0x12, 0x34, 0x00, 0x01)), ""},
		{"png: 16-bit grey", pngOf(ihdr(1, 1, 16, 0, 0), idat(0, 0x12, 0x34)), ""},
		{"png: 16-bit RGB", pngOf(ihdr(1, 1, 16, 2, 0), idat(0, 1, 2, 3, 4, 5, 6)), ""},
		{"png: 16-bit RGB and alpha", pngOf(ihdr(1, 1, 16, 6, 0), idat(0, 1, 2, 3, 4, 5, 6, 0, 0)), ""},
		{"png: 1-bit, interlaced", pngOf(ihdr(2, 2, 1, 0, 1), idat(0, 0x80, 0, 0x80, 0, 0xc0)), ""},
		{"png: one row of 30,000", pngOf(ihdr(30000, 1, 1, 0, 0), idat(make([]byte, 3751)...)), ""},
		{"png: one column of 30,000", pngOf(ihdr(1, 30000, 1, 0, 0), idat(make([]byte, 60000)...)), ""},
		{"png: index beyond the palette", pngOf(ihdr(2, 1, 8, 3, 0), palette, idat(0, 0, 200)), ""},
		{"png: a transparent colour", pngOf(ihdr(1, 1, 8, 0, 0), chunk("tRNS", 0, 7), idat(0, 7)), ""},
		{"png: a bomb in its colour profile", pngOf(ihdr(1, 1, 8, 0, 0),
			chunk("iCCP", append([]byte("x\x00\x00"), bomb...)...), idat(0, 1)), ""},
		{"png: a bomb in its text", pngOf(ihdr(1, 1, 8, 0, 0), chunk("zTXt", append([]byte("x\x00\x00"), bomb...)...),
			idat(0, 1)), ""},
		{"png: 100,000 empty texts", pngOf(ihdr(1, 1, 8, 0, 0), bytes.Repeat(chunk("tEXt"), 100_000), idat(0, 1)),
			"chunks besides IDAT: have 100002, want at most 16384"},
		{"png: 1,000 pieces of samples", pngOf(ihdr(1, 1, 8, 0, 0), bytes.Repeat(chunk("IDAT"), 1000), idat(0, 1)), ""},
		{"png: animated", pngOf(ihdr(1, 1, 8, 0, 0), chunk("acTL", 0, 0, 0, 9, 0, 0, 0, 0), idat(0, 1),
			chunk("fdAT", 0, 0, 0, 1)), ""},
		{"png: exif with a loop", pngOf(ihdr(1, 1, 8, 0, 0),
			chunk("eXIf", []byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00")...), idat(0, 1)), ""},
		{"png: magic only", []byte(pngMagic), broken},
		{"png: no samples", pngOf(ihdr(1, 1, 8, 0, 0)), broken},
		{"png: no end", good[:len(good)-12], broken},
		{"png: cut in its samples", good[:len(good)-30], broken},
		{"png: wrong checksum of its header", changed(good, 29), broken},
		{"png: wrong checksum of its samples", changed(good, -13), broken},
		{"png: samples changed", changed(good, -30), broken},
		{"png: samples that inflate to a bomb", pngOf(ihdr(1, 1, 8, 0, 0), chunk("IDAT", bomb...)), broken},
		{"png: samples end too early", pngOf(ihdr(4, 4, 8, 0, 0), idat(0, 1, 2, 3, 4)), broken},
		{"png: unknown filter", pngOf(ihdr(1, 1, 8, 0, 0), idat(9, 1)), broken},
		{"png: palette missing", pngOf(ihdr(1, 1, 8, 3, 0), idat(0, 0)), broken},
		{"png: palette of 257 colours", pngOf(ihdr(1, 1, 8, 3, 0), chunk("PLTE", make([]byte, 771)...), idat(0, 0)),
			broken},
		{"png: palette of one and a third colours", pngOf(ihdr(1, 1, 8, 3, 0), chunk("PLTE", 1, 2, 3, 4), idat(0, 0)),
			broken},
		{"png: more transparencies than colours", pngOf(ihdr(1, 1, 8, 3, 0), palette,
			chunk("tRNS", make([]byte, 300)...), idat(0, 0)), broken},
		{"png: two headers", pngOf(ihdr(1, 1, 8, 0, 0), ihdr(9000, 9000, 8, 0, 0), idat(0, 0)), broken},
		{"png: a chunk of 4 GiB", slices.Concat([]byte(pngMagic), ihdr(1, 1, 8, 0, 0), []byte("\xff\xff\xff\xffIDAT")),
			broken},
	}
}

// pngSizes returns PNG headers that claim too much or nonsense.
func pngSizes() []Case {
	claim := func(header []byte) []byte { return pngOf(header, idat(0, 0)) }
	return []Case{
		{"png: 60,000 x 60,000 in 70 bytes", claim(ihdr(60000, 60000, 8, 6, 0)), "side too long"},
		{"png: 4 billion x 4 billion", claim(ihdr(1<<32-1, 1<<32-1, 8, 6, 0)), "PNG: cannot be decoded"},
		{"png: 2 billion x 2 billion", claim(ihdr(1<<31-1, 1<<31-1, 1, 0, 0)), "PNG: cannot be decoded"},
		{"png: 2 billion x 1", claim(ihdr(1<<31-1, 1, 1, 0, 0)), "side too long"},
		{"png: 20,000 x 20,000", claim(ihdr(20000, 20000, 8, 2, 0)), "too many pixels"},
		{"png: 7,000 x 7,000 in 70 bytes", claim(ihdr(7000, 7000, 16, 6, 0)), "file too short"},
		{"png: 0 x 0", claim(ihdr(0, 0, 8, 0, 0)), "PNG: cannot be decoded"},
		{"png: 1 x 0", claim(ihdr(1, 0, 8, 0, 0)), "PNG: cannot be decoded"},
		{"png: 3 bits", claim(ihdr(1, 1, 3, 0, 0)), "PNG: cannot be decoded"},
		{"png: colour type 5", claim(ihdr(1, 1, 8, 5, 0)), "PNG: cannot be decoded"},
		{"png: interlace method 2", claim(ihdr(1, 1, 8, 0, 2)), "PNG: cannot be decoded"},
	}
}
