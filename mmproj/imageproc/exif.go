package imageproc

// This file: which way up an image is. Before it: the file's bytes and the decoded image. After it: the image upright.
// A camera stores the sensor's rows and, in EXIF, how to turn them. Broken EXIF is never an error: it means "as stored".

import (
	"bytes"
	"encoding/binary"
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

// exifOrientation returns the orientation, 1 to 8, in the first directory of a TIFF structure, and 1 if it cannot be read.
// Only that directory is looked at, so a chain of directories that loops costs nothing.
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

// upright applies an EXIF orientation, 1 to 8: what TIFF 6.0 calls the place of row 0 and column 0.
func upright(p *Image, orientation int) *Image {
	if orientation == 1 {
		return p
	}
	w, h := p.Width, p.Height
	out := &Image{Width: w, Height: h, Pix: make([]uint8, len(p.Pix))}
	if orientation >= 5 {
		out.Width, out.Height = h, w
	}
	// The pixel at (x, y) of the result is stored at index start + x*right + y*down.
	var start, right, down int
	switch orientation {
	case 2: // mirrored
		start, right, down = w-1, -1, w
	case 3: // turned by 180 degrees
		start, right, down = w*h-1, -1, -w
	case 4: // upside down in a mirror
		start, right, down = w*(h-1), 1, -w
	case 5: // rows and columns exchanged
		start, right, down = 0, w, 1
	case 6: // to be turned right by 90 degrees
		start, right, down = w*(h-1), -w, 1
	case 7: // rows and columns exchanged, turned by 180 degrees
		start, right, down = w*h-1, -w, -1
	case 8: // to be turned left by 90 degrees
		start, right, down = w-1, w, -1
	}
	const tile = 32 // pixels: both images are walked in small squares, which stay in the cache
	for y0 := 0; y0 < out.Height; y0 += tile {
		for x0 := 0; x0 < out.Width; x0 += tile {
			x1 := min(x0+tile, out.Width)
			for y := y0; y < min(y0+tile, out.Height); y++ {
				to, from := 3*(y*out.Width+x0), 3*(start+x0*right+y*down)
				for range x1 - x0 {
					out.Pix[to], out.Pix[to+1], out.Pix[to+2] = p.Pix[from], p.Pix[from+1], p.Pix[from+2]
					to, from = to+3, from+3*right
				}
			}
		}
	}
	return out
}
