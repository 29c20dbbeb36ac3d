package imageproc

import (
	"slices"
	"strings"
	"testing"
)

// ftyp returns the box of brands that an MP4 file begins with: the major one first.
func ftyp(brands ...string) string {
	box := "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands[1:], "")
	return "\x00\x00\x00" + string(rune(len(box)+4)) + box
}

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		name, head, format string
		image              bool
		advice             string // part of what the error of Decode says
	}{
		{"iPhone", ftyp("heic", "mif1", "heic"), "HEIC", true, "Most Compatible"},
		{"HEIF of another maker", ftyp("mif1", "mif1", "heic", "hevc"), "HEIC", true, "convert it to JPEG or PNG"},
		{"HEIF sequence", ftyp("hevc"), "HEIC", true, "convert it"},
		{"HEIF with alpha", ftyp("heix"), "HEIC", true, "convert it"},
		{"HEIF burst", ftyp("msf1"), "HEIC", true, "convert it"},
		{"AVIF", ftyp("avif", "mif1"), "AVIF", true, "convert it"},
		{"AVIF under HEIF's brand", ftyp("mif1", "avif", "miaf"), "AVIF", true, "convert it"},
		{"AVIF sequence", ftyp("avis"), "AVIF", true, "convert it"},
		{"MP4", ftyp("isom", "iso2", "avc1"), "MP4", false, "a video"},
		{"QuickTime", ftyp("qt  "), "MP4", false, "a video"},
		{"QuickTime without brands", "\x00\x00\x01\x00moov", "MP4", false, "a video"},
		{"sound in MP4", ftyp("M4A ", "isom"), "sound", false, "sound"},
		{"Canon's raw in MP4", ftyp("crx ", "isom"), "camera raw", true, "stored beside"},
		{"Canon's raw in TIFF", "II*\x00\x10\x00\x00\x00CR\x02\x00", "camera raw", true, "stored beside"},
		{"TIFF", "II*\x00\x08\x00\x00\x00", "TIFF", true, "convert it"},
		{"TIFF, big endian, or Nikon's raw", "MM\x00*\x00\x00\x00\x08", "TIFF", true, "raw"},
		{"BigTIFF", "II+\x00\x08\x00", "TIFF", true, "convert it"},
		{"JPEG XL", "\xff\x0a\x00", "JPEG XL", true, "convert it"},
		{"JPEG XL in a container", "\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL", true, "convert it"},
		{"JPEG 2000", "\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000", true, "convert it"},
		{"Photoshop", "8BPS\x00\x01", "PSD", true, "save it"},
		{"SVG", "<svg xmlns='x'/>", "SVG", true, "PNG"},
		{"SVG after a comment", "<?xml version='1.0'?>\n<!-- made by -->\n<svg/>", "SVG", true, "PNG"},
		{"page with a drawing", "<!DOCTYPE html><html><svg/></html>", "a web page", false, "the image's own address"},
		{"page after a mark", "\xef\xbb\xbf\n<HTML>", "a web page", false, "the image's own address"},
		{"icon", "\x00\x00\x01\x00\x01\x00\x10\x10", "ICO", true, "convert it"},
		{"QOI", "qoif\x00", "QOI", true, "convert it"},
		{"OpenEXR", "\x76\x2f\x31\x01\x02", "OpenEXR", true, "convert it"},
		{"PPM", "P6\n2 2\n255\n", "Netpbm", true, "convert it"},
		{"PDF", "%PDF-1.7", "a PDF document", false, "pages"},
		{"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:00",
			"a Git LFS pointer, not the file itself", false, "git lfs pull"},
		{"answer of a server", "{\"error\":\"not found\"}", "a JSON file", false, "answer of a server"},
		{"base64", "iVBORw0KGgoAAAANSUhEUg", "base64", false, "base64"},
		{"data URI", "data:image/png;base64,iVBORw0KGgo", "base64", false, "base64"},
		{"PNG copied as text", "\x89PNG\n\x1a\n\x00\x00", "damaged image", true, "copy it again"},
		{"JPEG read as UTF-8", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x00\x10JFIF", "damaged image", true,
			"copy"},
		{"lost", strings.Repeat("\x00", 512), "a file of zeros, as an unfinished download leaves it", false,
			"download or copy it again"},
		{"nothing", "", "an empty file", false, "an empty file"},
		{"macOS's notes", "\x00\x05\x16\x07\x00\x02", "macOS metadata", false, "._"},
		{"bytes", "\x01\x02\x03\x80", "", false, "not an image that is known here"},
		{"text", "a cat on a mat", "", false, "not an image that is known here"},
		{"text with BMP's letters", "BMW and other cars, a list", "", false, "not an image that is known here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			format, readable := Sniff([]byte(c.head))
			if format != c.format || readable || IsImage(format) != c.image {
				t.Errorf("have %q, readable %v, an image %v", format, readable, IsImage(format))
			}
			_, err := Decode([]byte(c.head), DefaultLimits)
			if err == nil || !strings.Contains(err.Error(), c.advice) ||
				!strings.Contains(err.Error(), "want JPEG, PNG, GIF, BMP or WebP") {
				t.Errorf("error %v, want %q in it", err, c.advice)
			}
		})
	}
	for name, head := range map[string]string{
		"JPEG": "\xff\xd8\xff\xe0", "PNG": "\x89PNG\r\n\x1a\n", "GIF": "GIF89a", "WebP": "RIFF\x00\x00\x00\x00WEBPVP8L",
		"BMP": "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			if format, readable := Sniff([]byte(head)); format != name || !readable || !IsImage(format) {
				t.Errorf("have %q, readable %v", format, readable)
			}
		})
	}
}

// TestSniffMagics checks that each magic of the table leads to its own row.
func TestSniffMagics(t *testing.T) {
	for _, o := range otherFormats {
		heads := slices.Clone(o.texts)
		for _, magic := range o.magics {
			heads = append(heads, strings.ReplaceAll(magic, "?", "\x01"))
		}
		for _, head := range heads {
			if have, readable := Sniff([]byte(head)); have != o.name || readable {
				t.Errorf("%q: have %q, want %q", head, have, o.name)
			}
		}
	}
}
