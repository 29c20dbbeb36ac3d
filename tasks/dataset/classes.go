package dataset

// This file: reading the classes from a file.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/internal/textfile"
	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// maxClasses bounds a file of classes, in bytes.
const maxClasses = 1 << 20

// wantClasses is what a file of classes is.
const wantClasses = "want a text file with one class on each line"

// ReadClasses reads the classes of the text file at path, one per line. Duplicates are dropped. It
// waits for the writer of a FIFO, and of the standard input ("-"), until ctx is done.
func ReadClasses(ctx context.Context, path string) ([]string, error) {
	b, err := input.ReadStream(ctx, path, maxClasses)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%q: no such file: %s", path, wantClasses)
	case errors.As(err, new(input.KindError)), errors.As(err, new(input.SizeError)):
		return nil, fmt.Errorf("%w: %s", err, wantClasses)
	case err != nil:
		return nil, err
	}
	all, err := parseClasses(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", input.Name(path), err)
	}
	return all, nil
}

// parseClasses returns the classes in b, each once, in their order.
func parseClasses(b []byte) (all []string, err error) {
	head := b[:min(len(b), imageproc.SniffLen)]
	if format, _ := imageproc.Sniff(head); imageproc.IsImage(format) {
		return nil, fmt.Errorf("is an image (%s): %s", format, wantClasses)
	}
	if err := refuseOther(b); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(textfile.NewReader(bytes.NewReader(b)))
	lines.Buffer(nil, 2*maxClasses) // Latin letters in UTF-16 are shorter, others longer
	lines.Split(textfile.ScanLines)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		class := strings.TrimFunc(lines.Text(), invisible)
		err := textfile.CheckLine(class)
		if err == nil && strings.Contains(class, ";") {
			err = fmt.Errorf("%q: a class cannot contain \";\", which separates labels in a prompt", class)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		class = strings.Map(plainSpace, class)
		if class != "" && !seen[class] {
			all, seen[class] = append(all, class), true
		}
	}
	if len(all) == 0 && lines.Err() == nil {
		return nil, errors.New("no classes: want one per line")
	}
	return all, lines.Err()
}

// invisible reports whether r is a blank, or a character that shows nothing: files that were joined
// have marks of the byte order within, and texts of web pages spaces without width.
func invisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// plainSpace replaces other spaces by a blank.
func plainSpace(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}

// yamlNames is the key of the classes in YOLO's data.yaml.
var yamlNames = regexp.MustCompile(`(?m)^names:`)

// refuseOther refuses b if it is a file of another form, whose lines are no classes.
func refuseOther(b []byte) error {
	text := bytes.TrimSpace(b)
	has := func(begin string) bool { return bytes.HasPrefix(text, []byte(begin)) }
	form := ""
	switch {
	case (has("{") || has("[")) && json.Valid(text):
		form = "JSON"
	case has("<?xml"), has("<annotation"), has("<!DOCTYPE"), has("<html"):
		form = "XML or HTML"
	case has("---\n"), has("%YAML"), yamlNames.Match(text):
		form = "YAML"
	default:
		return nil
	}
	return fmt.Errorf("is %s: %s", form, wantClasses)
}
