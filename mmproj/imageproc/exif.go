package imageproc

// This file: which way up an image is. A camera stores the sensor's rows and, in EXIF, how to
// rotate or mirror them. Broken EXIF is never an error: it means "as stored".

import (
	"bytes"
	"encoding/binary"
	"image"

	"github.com/disintegration/imaging"
)

const exifHeader = "Exif\x00\x00"

// pngEXIF returns the TIFF structure in a PNG's eXIf chunk, or nil.
func pngEXIF(data []byte) []byte {
	for kind, body := range pngChunks(data) {
		if kind == "eXIf" {
			return body
		}
	}
	return nil
}

// webpEXIF returns the TIFF structure in a WebP's EXIF chunk, or nil.
func webpEXIF(data []byte) []byte {
	for at := 12; len(data)-at >= 8; {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if size > int64(len(data)-at-8) {
			return nil
		}
		body := data[at+8:][:size]
		if string(data[at:at+4]) == "EXIF" {
			return bytes.TrimPrefix(body, []byte(exifHeader)) // some writers keep JPEG's header
		}
		at += 8 + int(size+size&1)
	}
	return nil
}

// exifOrientation returns the orientation, 1 to 8, in the first directory of a TIFF structure, and
// 1 if it cannot be read. Only that directory is read, so a chain of directories that loops costs
// nothing.
func exifOrientation(tiff []byte) int {
	const (
		tagOrientation = 0x0112
		typeShort      = 3
	)
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == tagOrientation {
			v := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) == typeShort && order.Uint32(entries[4:]) == 1 && v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
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
