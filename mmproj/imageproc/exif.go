package imageproc

// This file: which way up an image is. A camera stores the sensor's rows and, in EXIF, how to
// rotate or mirror them; some programs write that into XMP alone. What is read, and what is not, is
// what Pillow's ImageOps.exif_transpose does. Broken EXIF is never an error: it means "as stored".

import (
	"bytes"
	"encoding/binary"
	"image"
	"regexp"

	"github.com/disintegration/imaging"

	"github.com/pali-gguf/pali/mmproj/imageproc/jpeg"
)

const exifHeader = "Exif\x00\x00"

// metadata is what a file says about its image besides the pixels.
type metadata struct {
	exif []byte // a TIFF structure
	xmp  []byte // XML
}

func jpegMetadata(data []byte) metadata { return metadata{jpeg.EXIF(data), jpeg.XMP(data)} }

// pngMetadata finds a PNG's, in the chunk eXIf and in a text.
func pngMetadata(data []byte) (m metadata) {
	for kind, body := range pngChunks(data) {
		switch text, isXMP := bytes.CutPrefix(body, []byte("XML:com.adobe.xmp\x00\x00")); {
		case kind == "eXIf":
			m.exif = body
		case kind == "iTXt" && isXMP: // not compressed, as XMP's specification wants it
			m.xmp = text
		}
	}
	return m
}

// webpMetadata finds a WebP's, in chunks of their own.
func webpMetadata(data []byte) (m metadata) {
	for kind, body := range webpChunks(data) {
		switch kind {
		case "EXIF":
			m.exif = body
		case "XMP ":
			m.xmp = body
		}
	}
	return m
}

// xmpOrientation finds an orientation in XMP, as an attribute or an element.
var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)

// orientation returns the orientation, 1 to 8, and 1 if there is none that can be read.
func (m metadata) orientation() int {
	exif := m.exif
	for range 2 { // some writers keep JPEG's header, or double it
		exif = bytes.TrimPrefix(exif, []byte(exifHeader))
	}
	n, found := exifOrientation(exif)
	if found {
		return n
	}
	if match := xmpOrientation.FindSubmatch(m.xmp); match != nil {
		return validOrientation(int64(match[1][0] - '0'))
	}
	return 1
}

// validOrientation returns v if it is an orientation, else 1.
func validOrientation(v int64) int {
	if v < 1 || v > 8 {
		return 1
	}
	return int(v)
}

// exifOrientation returns the orientation, 1 to 8, in the first directory of a TIFF structure, and
// whether there is one. Only that directory is read: the second is the thumbnail's, and a chain of
// directories that loops costs nothing.
func exifOrientation(tiff []byte) (n int, found bool) {
	const tagOrientation = 0x0112
	if len(tiff) < 8 {
		return 1, false
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00", "II\x00*": // the second is wrong and known from some cameras
		order = binary.LittleEndian
	case "MM\x00*", "MM*\x00":
		order = binary.BigEndian
	default:
		return 1, false
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1, false
	}
	n = 1
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == tagOrientation {
			n, found = validOrientation(tiffInteger(order, entries)), true
		}
		entries = entries[12:]
	}
	return n, found
}

// tiffInteger returns the value of a directory's entry that holds one whole number of any type that
// fits into the entry, else 0. The standard wants a SHORT; other types occur.
func tiffInteger(order binary.ByteOrder, entry []byte) int64 {
	const byteType, short, long, signedByte, signedShort, signedLong = 1, 3, 4, 6, 8, 9
	if order.Uint32(entry[4:]) != 1 {
		return 0
	}
	value := entry[8:]
	switch order.Uint16(entry[2:]) {
	case byteType, signedByte:
		return int64(value[0])
	case short, signedShort:
		return int64(order.Uint16(value))
	case long, signedLong:
		return int64(order.Uint32(value))
	}
	return 0
}

// orientations are the transforms that bring an image upright, by its EXIF orientation less 1: what
// TIFF 6.0 calls the place of row 0 and column 0. They move pixels and change none.
var orientations = [8]func(image.Image) *image.NRGBA{
	imaging.Clone, imaging.FlipH, imaging.Rotate180, imaging.FlipV,
	imaging.Transpose, imaging.Rotate270, imaging.Transverse, imaging.Rotate90,
}

// upright returns p as seen by an EXIF orientation, 1 to 8.
func upright(p *Image, orientation int) *Image {
	if orientation == 1 {
		return p
	}
	return fromNRGBA(orientations[orientation-1](p.nrgba(0, p.Height)))
}
