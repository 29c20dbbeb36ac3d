package badfiles

// This file: JPEG files.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"slices"
)

// segment returns one JPEG segment: marker, length, body.
func segment(marker byte, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

// sof returns the body of a frame header: precision in bits, size, then for each component its
// sampling factors (0x11, 0x22, ...).
func sof(bits byte, w, h int, sampling ...byte) []byte {
	b := []byte{bits, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(len(sampling))}
	for i, s := range sampling {
		b = append(b, byte(i+1), s, 0)
	}
	return b
}

var (
	soi, eoi = []byte{0xff, 0xd8}, []byte{0xff, 0xd9}
	flatDQT  = segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...) // all steps 1
	// Huffman tables with one code, the bit 0: DC "no difference", AC "end of block".
	zeroDHT = slices.Concat(segment(0xc4, append([]byte{0x00, 1}, make([]byte, 16)...)...),
		segment(0xc4, append([]byte{0x10, 1}, make([]byte, 16)...)...))
	// A scan of component 1, with enough bytes for the samples of 64 x 64 pixels.
	greyScan = append(segment(0xda, 1, 1, 0, 0, 63, 0), make([]byte, 64)...)
)

// jpegOf joins segments into a file.
func jpegOf(parts ...[]byte) []byte { return slices.Concat(append([][]byte{soi}, parts...)...) }

// jpegs returns broken and unusual JPEG files.
func jpegs() []Case {
	good := must(func(b *bytes.Buffer) error { return jpeg.Encode(b, drawing(33, 17), nil) })
	grey := func(frame []byte) []byte { return jpegOf(flatDQT, zeroDHT, frame, greyScan, eoi) }
	broken := "JPEG: cannot be decoded"
	progressive := func(scans ...[]byte) []byte {
		return jpegOf(flatDQT, zeroDHT, segment(0xc2, sof(8, 64, 64, 0x11)...), slices.Concat(scans...), eoi)
	}
	bandScan := func(from, to, bits byte) []byte {
		return append(segment(0xda, 1, 1, 0, from, to, bits), make([]byte, 8)...)
	}
	return []Case{
		{"jpeg: good", good, ""},
		{"jpeg: one colour, made by hand", grey(segment(0xc0, sof(8, 64, 64, 0x11)...)), ""},
		{"jpeg: bytes after its end", append(slices.Clone(good), bytes.Repeat([]byte{0xff, 0xda, 0, 3}, 1000)...), ""},
		{"jpeg: fill bytes between segments", jpegOf(flatDQT, []byte{0xff, 0xff, 0xff}, zeroDHT,
			segment(0xc0, sof(8, 8, 8, 0x11)...), greyScan, eoi), ""},
		{"jpeg: magic only", []byte{0xff, 0xd8, 0xff}, broken},
		{"jpeg: no components", grey(segment(0xc0, sof(8, 64, 64)...)), broken},
		{"jpeg: two components", grey(segment(0xc0, sof(8, 64, 64, 0x11, 0x11)...)), broken},
		{"jpeg: five components", grey(segment(0xc0, sof(8, 64, 64, 0x11, 0x11, 0x11, 0x11, 0x11)...)), broken},
		{"jpeg: four components, Adobe's segment missing",
			jpegOf(flatDQT, zeroDHT, segment(0xc0, sof(8, 8, 8, 0x11, 0x11, 0x11, 0x11)...), segment(0xda, 4, 1, 0, 2,
				0, 3, 0, 4, 0, 0, 63, 0), make([]byte, 8), eoi), ""},
		{"jpeg: 12 bits", grey(segment(0xc1, sof(12, 64, 64, 0x11)...)), "12 bits for a sample, want 8"},
		{"jpeg: lossless", grey(segment(0xc3, sof(8, 64, 64, 0x11)...)), "a lossless or hierarchical file"},
		{"jpeg: arithmetic coding", grey(segment(0xc9, sof(8, 64, 64, 0x11)...)),
			"arithmetic coding, want Huffman coding"},
		{"jpeg: width 0", grey(segment(0xc0, sof(8, 0, 64, 0x11)...)), "want at least one pixel"},
		{"jpeg: height 0", grey(segment(0xc0, sof(8, 64, 0, 0x11)...)), "want at least one pixel"},
		{"jpeg: sampling factor 0", grey(segment(0xc0, sof(8, 64, 64, 0x00)...)), broken},
		{"jpeg: sampling factor 15", grey(segment(0xc0, sof(8, 64, 64, 0xff)...)), broken},
		{"jpeg: one component number twice", grey(segment(0xc0, 8, 0, 8, 0, 8, 3, 1, 0x11, 0, 1, 0x11, 0, 1, 0x11, 0)),
			broken},
		{"jpeg: frame header cut", grey(segment(0xc0, 8, 0, 64, 0)), broken},
		{"jpeg: two frame headers", grey(slices.Concat(segment(0xc0, sof(8, 64, 64, 0x11)...),
			segment(0xc0, sof(8, 8, 8, 0x11)...))), broken},
		{"jpeg: scan before frame header", jpegOf(flatDQT, zeroDHT, greyScan, eoi), broken},
		{"jpeg: scan of an unknown component", jpegOf(flatDQT, zeroDHT, segment(0xc0, sof(8, 8, 8, 0x11)...),
			segment(0xda, 1, 9, 0, 0, 63, 0), eoi), broken},
		{"jpeg: no scan", jpegOf(flatDQT, zeroDHT, segment(0xc0, sof(8, 64, 64, 0x11)...), eoi), broken},
		{"jpeg: no Huffman tables", jpegOf(flatDQT, segment(0xc0, sof(8, 64, 64, 0x11)...), greyScan, eoi), broken},
		{"jpeg: Huffman table with too many codes",
			jpegOf(flatDQT, segment(0xc4, append([]byte{0}, bytes.Repeat([]byte{255}, 16)...)...), eoi), broken},
		{"jpeg: 200,000 Huffman tables", jpegOf(bytes.Repeat(zeroDHT, 100_000)), broken},
		{"jpeg: 5,000,000 fill bytes", jpegOf(bytes.Repeat([]byte{0xff}, 5_000_000)), broken},
		{"jpeg: segment length 0", jpegOf([]byte{0xff, 0xe0, 0, 0}), broken},
		{"jpeg: segment longer than the file", jpegOf([]byte{0xff, 0xe0, 0xff, 0xff}), broken},
		{"jpeg: 65500 x 65500 in 300 bytes", grey(segment(0xc0, sof(8, 65500, 65500, 0x11)...)), "side too long"},
		{"jpeg: 32768 x 32768 in 300 bytes", grey(segment(0xc0, sof(8, 32768, 32768, 0x11)...)), "too many pixels"},
		{"jpeg: 7000 x 7000 in 300 bytes", grey(segment(0xc0, sof(8, 7000, 7000, 0x11)...)), "file too short"},
		{"jpeg: 5,000 progressive scans", progressive(bytes.Repeat(bandScan(63, 63, 1), 5000)), "more than 200 scans"},
		{"jpeg: coefficients sent 100 times", progressive(bytes.Repeat(bandScan(1, 63, 1), 100)),
			"coefficients sent too often"},
		{"jpeg: DC after AC", progressive(bandScan(1, 63, 0), bandScan(0, 0, 0)), ""},
		{"jpeg: no DC", progressive(bandScan(1, 63, 0)), "scan missing for a component"},
		{"jpeg: AC of no coefficients", progressive(bandScan(9, 8, 0)), "bad progression"},
		{"jpeg: DC and AC in one scan", progressive(bandScan(0, 63, 0)), "bad progression"},
		{"jpeg: coefficient 64", progressive(bandScan(1, 64, 0)), "bad progression"},
		{"jpeg: two bits in one refinement", progressive(bandScan(1, 63, 0x31)), "bad progression"},
	}
}

// progressiveCuts returns one progressive file, whole and cut at each tenth.
func progressiveCuts() []Case {
	var scans [][]byte
	scans = append(scans, flatDQT, zeroDHT, segment(0xc2, sof(8, 64, 64, 0x11)...))
	scans = append(scans, segment(0xda, 1, 1, 0, 0, 0, 0), make([]byte, 8))
	for k := byte(1); k < 64; k += 9 {
		scans = append(scans, segment(0xda, 1, 1, 0, k, k+8, 0), make([]byte, 8))
	}
	whole := jpegOf(append(scans, eoi)...)
	cases := []Case{{"jpeg: progressive, whole", whole, ""}}
	for tenth := 1; tenth < 10; tenth++ {
		cases = append(cases, Case{fmt.Sprintf("jpeg: progressive, cut at %d0%%", tenth), whole[:len(whole)*tenth/10],
			"JPEG: cannot be decoded"})
	}
	return cases
}

// jpegEXIFs returns good images with hostile EXIF, which must be read as they are stored.
func jpegEXIFs() []Case {
	good := must(func(b *bytes.Buffer) error { return jpeg.Encode(b, drawing(9, 5), nil) })[2:]
	with := func(tiff string) []byte { return jpegOf(segment(0xe1, []byte("Exif\x00\x00"+tiff)...), good) }
	return []Case{
		{"exif: empty", with(""), ""},
		{"exif: no byte order", with("XX*\x00\x08\x00\x00\x00"), ""},
		{"exif: directory past the end", with("II*\x00\xff\xff\xff\xff"), ""},
		{"exif: directory on the last byte", with("II*\x00\x08\x00\x00\x00\x01"), ""},
		{"exif: directory over the header", with("MM\x00*\x00\x00\x00\x00"), ""},
		{"exif: 65,535 entries in a few bytes", with("II*\x00\x08\x00\x00\x00\xff\xff\x12\x01"), ""},
		{"exif: next directory is the same one", with("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"), ""},
		{"exif: orientation 0", with("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00"),
			""},
		{"exif: orientation 9", with("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00"),
			""},
		{"exif: orientation as text",
			with("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x01\x00\x00\x00\x06\x00\x00\x00"), ""},
		{"exif: four billion orientations",
			with("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\xff\xff\xff\xff\x06\x00\x00\x00"), ""},
	}
}
