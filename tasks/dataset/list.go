package dataset

// This file: a list of images, as find, dir, an editor or PowerShell write it.

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/pali-gguf/pali/internal/textfile"
)

// listHead is how far into a list a NUL byte is looked for, which no path has: find -print0 wrote
// it.
const listHead = 1 << 16

// maxListLine bounds a path of a list, in bytes.
const maxListLine = 1 << 16

// list adds the paths read from r, one per line, or with zero, and if there are NUL bytes,
// separated by NUL bytes. A path that does not exist is added too; reading it fails later.
func (c *collector) list(r io.Reader, zero bool) error {
	b := bufio.NewReaderSize(r, listHead)
	if !zero {
		head, _ := b.Peek(listHead) // an error comes again when b is read
		wide := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
		zero = !wide && bytes.IndexByte(head, 0) >= 0
	}
	lines := bufio.NewScanner(b)
	lines.Split(scanZeros)
	if !zero {
		lines = bufio.NewScanner(textfile.NewReader(b))
		lines.Split(textfile.ScanLines)
	}
	lines.Buffer(nil, maxListLine)
	n := 0
	for lines.Scan() {
		n++
		path := lines.Text()
		if !zero {
			path = listed(path)
		}
		if path == "" {
			continue
		}
		if err := c.path(path); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the list of images: after path %d: %w", n, err)
	}
	return nil
}

// listed returns the path that a line names: the line, or without the blanks and quotes around it
// if that exists instead.
func listed(line string) string {
	trimmed := strings.TrimSpace(line)
	if path, ok := existing(line, trimmed, strings.Trim(trimmed, `"`)); ok {
		return path
	}
	return trimmed
}

// scanZeros is a bufio.SplitFunc of texts that end with a NUL byte.
func scanZeros(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
