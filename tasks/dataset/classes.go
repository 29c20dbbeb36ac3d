package dataset

// This file: reading the classes from a file.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// maxClasses bounds a file of classes, in bytes.
const maxClasses = 1 << 20

// ReadClasses reads the classes of the file at path, one per line. Duplicates are dropped.
func ReadClasses(path string) ([]string, error) {
	b, err := imageproc.ReadFile(path, maxClasses)
	if err != nil {
		return nil, err
	}
	all, err := parseClasses(b)
	if err == nil && len(all) == 0 {
		err = errors.New("no classes: want one per line")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// parseClasses returns the classes in b, each once, in their order.
func parseClasses(b []byte) (all []string, err error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxClasses)
	for n := 1; lines.Scan(); n++ {
		class := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if strings.Contains(class, ";") {
			return nil, fmt.Errorf("line %d: %q: a class cannot contain \";\", which separates labels in a prompt", n,
				class)
		}
		if class != "" && !slices.Contains(all, class) {
			all = append(all, class)
		}
	}
	return all, lines.Err()
}
