package imageproc

// This file: which format a file has, by its first bytes. Names say little: phones, browsers and
// chat programs give photos the names of other formats.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/internal/input"
)

// SniffLen is the number of first bytes that suffice for Sniff.
const SniffLen = 1024

// Sniff names the format of a file by head, its first bytes, at most SniffLen of them: "JPEG",
// "HEIC", "MP4", "a PDF document"; "" if it is not known here. readable says that Decode reads it.
func Sniff(head []byte) (format string, readable bool) {
	if f := sniff(head); f != nil {
		return f.name, true
	}
	return sniffOther(head).name, false
}

// IsImage reports whether name, a format that Sniff returns, is an image's, whether or not Decode
// reads it.
func IsImage(name string) bool {
	for _, f := range formats {
		if f.name == name {
			return true
		}
	}
	return otherNamed(name).kind == stillImage
}

// HasExtension reports whether name ends as those of images that Decode reads do.
func HasExtension(name string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"},
		strings.ToLower(filepath.Ext(name)))
}

// ImageAmong returns the first of words that names an image file, whether or not Decode reads it, or
// is an address; "" if there is none.
func ImageAmong(words []string) string {
	for _, word := range words {
		path, err := input.Resolve(word)
		if err != nil {
			return word
		}
		if head, err := input.ReadHead(path, SniffLen); err == nil {
			if name, _ := Sniff(head); IsImage(name) {
				return word
			}
		}
	}
	return ""
}

// sniff returns the format of head if Decode reads it, else nil.
func sniff(head []byte) *format {
	for i, f := range formats {
		if hasMagic(head, f.magic) && (f.sure == nil || f.sure(head)) {
			return &formats[i]
		}
	}
	return nil
}

// hasMagic reports whether data begins with magic, in which "?" stands for any byte.
func hasMagic(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// isBMP tells a BMP from a text that begins with its two letters: its second header begins with a
// size of 12 to 255 bytes.
func isBMP(head []byte) bool {
	const headerSize = 14 // offset
	if len(head) < headerSize+4 {
		return bytes.IndexFunc(head[2:], func(r rune) bool { return r < ' ' }) >= 0 || len(head) == 2
	}
	n := binary.LittleEndian.Uint32(head[headerSize:])
	return n >= 12 && n <= 255
}

// errUnreadable says what a file that begins with head is, if not an image that Decode reads, and
// what to do.
func errUnreadable(head []byte) error {
	o := sniffOther(head)
	text := o.what + ", want JPEG, PNG, GIF, BMP or WebP"
	if o.advice != "" {
		text += ": " + o.advice
	}
	return errors.New(text)
}

// sniffOther returns the format of head, which is none that Decode reads, or one without a name.
func sniffOther(head []byte) otherFormat {
	head = head[:min(len(head), filekind.HeadBytes)]
	text := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")))
	switch {
	case hasMagic(head, "????ftyp"):
		return sniffBoxes(head)
	case isMPEGStream(head):
		return otherNamed("MPEG")
	case strings.HasPrefix(text, "<svg"), strings.HasPrefix(text, "<") && strings.Contains(text, "<svg") &&
		!strings.Contains(text, "<html"):
		return otherNamed("SVG")
	}
	for _, o := range otherFormats {
		for _, magic := range o.magics {
			if hasMagic(head, magic) {
				return o
			}
		}
		for _, begin := range o.texts {
			if strings.HasPrefix(text, begin) {
				return o
			}
		}
	}
	if other := (filekind.Error{}); errors.As(filekind.Of("", head, int64(len(head)), filekind.Image), &other) {
		return otherFormat{name: other.Is, what: other.Is, advice: other.Do}
	}
	return otherFormat{what: "not an image that is known here"}
}

// sniffBoxes returns the format of a file that begins with the box of MP4's brands.
func sniffBoxes(head []byte) otherFormat {
	end := min(int64(binary.BigEndian.Uint32(head)), int64(len(head)))
	brands := map[string]bool{}
	for at := int64(8); at+4 <= end || at == 8 && len(head) >= 12; at += 4 {
		if at != 12 { // there stands the version of the first
			brands[string(head[at:at+4])] = true
		}
	}
	for _, b := range brandsOf {
		for _, brand := range strings.Fields(b.brands) {
			if brands[(brand + " ")[:4]] {
				return otherNamed(b.format)
			}
		}
	}
	return otherNamed("MP4")
}

// packetMPEG is the length of a packet in an MPEG transport stream; each begins with a G.
const packetMPEG = 188

func isMPEGStream(head []byte) bool {
	return len(head) > packetMPEG && head[0] == 'G' && head[packetMPEG] == 'G' &&
		(len(head) <= 2*packetMPEG || head[2*packetMPEG] == 'G')
}
