package dataset

// This file: reading the classes from a file.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/textfile"
)

// maxClasses bounds a file of classes, in bytes.
const maxClasses = 1 << 20

// ErrNoClassesFile is wrapped by ReadClasses's error if there is no file of that name.
var ErrNoClassesFile = errors.New("no such file of classes: want a text file with one class on each line")

// ReadClasses reads the classes of the text file at path, one per line. Duplicates are dropped.
func ReadClasses(path string) ([]string, error) {
	f, err := openClasses(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := parseClasses(io.LimitReader(f, maxClasses+1))
	if err == nil && len(all) == 0 {
		err = errors.New("no classes: want one per line")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// openClasses opens the file at path, if it can be one of classes.
func openClasses(path string) (*os.File, error) {
	info, err := os.Stat(path) // before opening: opening a named pipe would wait for its writer
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, ErrNoClassesFile)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a folder, want a text file with one class on each line", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file, want a text file with one class on each line", path)
	case info.Size() > maxClasses:
		return nil, fmt.Errorf("%s: has %d bytes, want a text file with one class on each line, of at most %d bytes",
			path, info.Size(), maxClasses)
	}
	return os.Open(path)
}

// parseClasses returns the classes of r, each once, in their order.
func parseClasses(r io.Reader) (all []string, err error) {
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}
	if kind, _ := sniff(head[:n]); kind != "" {
		return nil, fmt.Errorf("is an image (%s), want a text file with one class on each line", kind)
	}
	lines := bufio.NewScanner(textfile.NewReader(io.MultiReader(strings.NewReader(string(head[:n])), r)))
	lines.Buffer(nil, maxClasses)
	lines.Split(textfile.ScanLines)
	for n := 1; lines.Scan(); n++ {
		class := strings.TrimSpace(lines.Text())
		err := textfile.CheckLine(class)
		if err == nil && strings.Contains(class, ";") {
			err = fmt.Errorf("%q: a class cannot contain \";\", which separates labels in a prompt", class)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if class != "" && !slices.Contains(all, class) {
			all = append(all, class)
		}
	}
	return all, lines.Err()
}
