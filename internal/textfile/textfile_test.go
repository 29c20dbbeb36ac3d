package textfile

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// wide returns text in UTF-16.
func wide(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"LF", "a\n\nb", []string{"a", "", "b"}},
		{"CRLF", "a\r\n\r\nb\r\n", []string{"a", "", "b"}},
		{"CR", "a\r\rb\r", []string{"a", "", "b"}},
		{"a mark", "\ufeffa\nb", []string{"a", "b"}},
		{"only a mark", "\ufeff", nil},
		{"UTF-16, little", wide(binary.LittleEndian, "\ufeff猫\r\ncafé\r\n🐱"), []string{"猫", "café", "🐱"}},
		{"UTF-16, big", wide(binary.BigEndian, "\ufeff猫\r\ncafé"), []string{"猫", "café"}},
		{"UTF-16 without a mark", wide(binary.LittleEndian, "cat\ncafé"), []string{"cat", "café"}},
		{"UTF-16, big, without a mark", wide(binary.BigEndian, "cat\ncafé"), []string{"cat", "café"}},
		{"one letter in UTF-16", wide(binary.LittleEndian, "a"), []string{"a"}},
		{"Latin-1 stays", "caf\xe9\nb", []string{"caf\xe9", "b"}},
		{"NUL-separated stays", "a.png\x00b.png\x00", []string{"a.png\x00b.png\x00"}},
	} {
		for name, r := range map[string]io.Reader{
			c.name: strings.NewReader(c.text), c.name +
				", byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
		} {
			t.Run(name, func(t *testing.T) {
				var have []string
				lines := bufio.NewScanner(NewReader(r))
				lines.Split(ScanLines)
				for lines.Scan() {
					have = append(have, lines.Text())
				}
				if d := cmp.Diff(c.want, have); d != "" || lines.Err() != nil {
					t.Errorf("%v (-want +got)\n%s", lines.Err(), d)
				}
			})
		}
	}
	if _, err := io.ReadAll(NewReader(iotest.ErrReader(io.ErrNoProgress))); err != io.ErrNoProgress {
		t.Errorf("an error of the reader: %v", err)
	}
}

func TestCheckLine(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"text", "café 猫 \ufffd", ""},
		{"Latin-1", "caf\xe9", "byte 0xe9 is not UTF-8"},
		{"NUL", "a\x00", "NUL byte"},
		{"ESC", "\x1b[31mcat", "control character (U+001B)"},
		{"C1", "a\u009bb", "control character (U+009B)"},
		{"a tab inside", "a\tb", "control character (U+0009)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckLine(c.line)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
