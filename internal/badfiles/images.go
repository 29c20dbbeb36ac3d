package badfiles

// This file: images that try to crash the reader, to fill the memory or to take very long, and
// unusual ones that must be read. They are made for the limits imageproc.DefaultLimits.

import (
	"bytes"
	"image"
	"image/color"
	"slices"
	"strings"
)

// Images returns bad and unusual image files. A case whose Want is empty is unusual but good: it
// must be read.
func Images() []Case {
	return slices.Concat(notImages(), jpegs(), progressiveCuts(), jpegEXIFs(), pngs(), pngSizes(), gifs(), bmps(),
		webps())
}

// notImages returns files of other kinds, most of which people do try.
func notImages() []Case {
	const accepted = "want JPEG, PNG, GIF, BMP or WebP"
	text := func(name, data, want string) Case { return Case{name, []byte(data), want} }
	return []Case{
		text("empty file", "", "empty file, "+accepted),
		text("one byte", "\x89", accepted),
		text("plain text", "a cat on a mat\n", "not an image that is known here, "+accepted),
		text("zeros", strings.Repeat("\x00", 4096), accepted),
		text("svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`, "an SVG drawing, "+accepted),
		text("svg with declaration", `<?xml version="1.0"?><svg/>`, "an SVG drawing, "+accepted),
		text("html saved as an image", "\r\n <!DOCTYPE html><html></html>", "a web page, "+accepted),
		text("html after a byte order mark", "\xef\xbb\xbf<html></html>", "a web page, "+accepted),
		text("pdf", "%PDF-1.7\n", "a PDF document, "+accepted),
		text("tiff, little endian", "II*\x00\x08\x00\x00\x00", "TIFF file, "+accepted),
		text("tiff, big endian", "MM\x00*\x00\x00\x00\x08", "TIFF file, "+accepted),
		text("heic", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "a HEIC photo, "+accepted),
		text("avif", "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "an AVIF image, "+accepted),
		text("mp4", "\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "a video, "+accepted),
		text("jpeg xl", "\xff\x0a\x00", "a JPEG XL image, "+accepted),
		text("gguf", "GGUF\x03\x00\x00\x00", "GGUF file, "+accepted),
		text("npz", "PK\x03\x04", "a zip file, "+accepted),
		text("pnm", "P6 1 1 255\n\x00\x00\x00", accepted),
		text("png with its line end changed", "\x89PNG\n\x1a\n\x00\x00\x00\x0dIHDR", accepted),
		text("more bytes than the limit", "\xff\xd8\xff"+strings.Repeat("\x00", 20<<20), "file too large"),
	}
}

// drawing returns a small image with several colours, always the same.
func drawing(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(37 * x), uint8(11 * y), uint8(5 * x * y), 255})
		}
	}
	return m
}

// must returns what write, one of the standard library's encoders, writes; these fail only if their
// arguments are wrong.
func must(write func(*bytes.Buffer) error) []byte {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}
