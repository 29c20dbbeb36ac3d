package server

// This file: text that arrives in another encoding than UTF-8, and text that is none at all.

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pali-gguf/pali/internal/textfile"
)

// The marks that a text may begin with.
const (
	markUTF8    = "\xef\xbb\xbf"
	markUTF16LE = "\xff\xfe"
	markUTF16BE = "\xfe\xff"
)

// charsets are the encodings that are read, by the names that clients give them. One that begins
// with a mark is what the mark says.
var charsets = map[string]func([]byte) ([]byte, error){
	"": checkUTF8, "utf-8": checkUTF8, "utf8": checkUTF8, "us-ascii": checkUTF8, "ascii": checkUTF8,
	"iso-8859-1": fromWindows1252, "iso8859-1": fromWindows1252, "iso_8859-1": fromWindows1252,
	"latin1":       fromWindows1252,
	"windows-1252": fromWindows1252, "cp1252": fromWindows1252,
	"utf-16": fromUTF16LE, "utf-16le": fromUTF16LE, "utf-16be": fromUTF16BE, "unicode": fromUTF16LE,
}

// toUTF8 returns text, which a client says is in charset, "" if it does not say, as UTF-8 without a
// mark. what names the text in errors: "the body".
func toUTF8(text []byte, charset, what string) ([]byte, error) {
	decode, ok := charsets[strings.ToLower(strings.TrimSpace(charset))]
	if !ok {
		return nil, failuref(http.StatusUnsupportedMediaType, "charset",
			"%s is in the charset %s, which is not read here: send UTF-8", what, quote(charset, maxQuoted))
	}
	for mark, marked := range map[string]func([]byte) ([]byte, error){
		markUTF8: checkUTF8, markUTF16LE: fromUTF16LE, markUTF16BE: fromUTF16BE} {
		if after, ok := bytes.CutPrefix(text, []byte(mark)); ok {
			text, decode = after, marked
			break
		}
	}
	text, err := decode(text)
	if err != nil {
		return nil, invalid("%s %s", what, err.Error())
	}
	return text, nil
}

// checkUTF8 returns text, or an error that says where it is not UTF-8.
func checkUTF8(text []byte) ([]byte, error) {
	at := textfile.InvalidUTF8(text)
	if at < 0 {
		return text, nil
	}
	return nil, invalid("is not UTF-8: byte %d is 0x%02x; send UTF-8, or say in Content-Type which charset it is",
		at+1, text[at])
}

// upper1252 are the characters of bytes 0x80 to 0x9f in Windows-1252, which clients mean by
// ISO-8859-1 too (encoding.spec.whatwg.org). The bytes from 0xa0 are Unicode's.
var upper1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

func fromWindows1252(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text)+len(text)/8)
	for _, c := range text {
		r := rune(c)
		if c >= 0x80 && c <= 0x9f {
			r = upper1252[c-0x80]
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

func fromUTF16LE(text []byte) ([]byte, error) { return fromUTF16(text, binary.LittleEndian) }
func fromUTF16BE(text []byte) ([]byte, error) { return fromUTF16(text, binary.BigEndian) }

func fromUTF16(text []byte, order binary.ByteOrder) ([]byte, error) {
	if len(text)%2 != 0 {
		return nil, invalid("has %d bytes, which are not UTF-16: send UTF-8", len(text))
	}
	out := make([]byte, 0, len(text))
	for at := 0; at < len(text); at += 2 {
		r := rune(order.Uint16(text[at:]))
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if at+4 <= len(text) {
				low = rune(order.Uint16(text[at+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, invalid("is not UTF-16: half a character at byte %d; send UTF-8", at+1)
			}
			at += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}
