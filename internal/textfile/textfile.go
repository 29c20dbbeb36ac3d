// Package textfile reads lines of text as people's programs save them: in UTF-8 with or without a
// byte-order mark, or in UTF-16, as PowerShell's > writes it; ended by LF, CRLF or CR alone.
package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	encoding "golang.org/x/text/encoding/unicode"
)

// NewReader returns a reader of r's text in UTF-8 without a byte-order mark. Text in UTF-16 without
// a mark is recognised by its first character, if that is ASCII. Bytes of other encodings stay as
// they are; CheckLine finds them.
func NewReader(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	head, _ := b.Peek(3) // an error comes again when b is read
	order, wide := encoding.LittleEndian, false
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		wide = true
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		order, wide = encoding.BigEndian, true
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		b.Discard(len(head))
	case len(head) > 1 && head[0] != 0 && head[1] == 0 && (len(head) == 2 || head[2] != 0):
		wide = true
	case len(head) > 1 && head[0] == 0 && head[1] != 0:
		order, wide = encoding.BigEndian, true
	}
	if !wide {
		return b
	}
	return encoding.UTF16(order, encoding.UseBOM).NewDecoder().Reader(b)
}

// ScanLines is a bufio.SplitFunc of lines that end with LF, CRLF or CR, without their ends.
func ScanLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return len(data), data, nil
	case i < 0, data[i] == '\r' && i+1 == len(data) && !atEOF: // perhaps the first half of CRLF
		return 0, nil, nil
	case bytes.HasPrefix(data[i:], []byte("\r\n")):
		return i + 2, data[:i], nil
	}
	return i + 1, data[:i], nil
}

// CheckLine refuses a line that is not UTF-8, or has a control character.
func CheckLine(line string) error {
	if err := CheckUTF8(line); err != nil {
		return err
	}
	for _, r := range line {
		switch {
		case r == 0:
			return errors.New("has a NUL byte: want text, saved as UTF-8")
		case unicode.IsControl(r):
			return fmt.Errorf("has a control character (%U): remove it", r)
		}
	}
	return nil
}

// CheckUTF8 refuses a line that is not UTF-8.
func CheckUTF8(line string) error {
	if at := InvalidUTF8([]byte(line)); at >= 0 {
		return fmt.Errorf("byte %#02x is not UTF-8: save it as UTF-8", line[at])
	}
	return nil
}

// InvalidUTF8 returns the index of the first byte of text that is not part of UTF-8, or -1.
func InvalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; ; {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n <= 1 {
			return at
		}
		at += n
	}
}
