// Package checkpoint opens a checkpoint of any format that Pali reads.
//
// Before it: paths. After it: a convert.Source, for packages convert, internal/inspect and
// internal/estimate.
package checkpoint

import (
	"strings"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/npz"
)

// File is an open checkpoint.
type File interface {
	convert.Source
	Close() error
}

// format is a format of checkpoints.
type format struct {
	name  string
	magic string // the first bytes of its files
	open  func(paths ...string) (File, error)
}

var formats = []format{{"npz", "PK", opener(npz.Open)}}

// opener returns open with its result as a File.
func opener[T File](open func(paths ...string) (T, error)) func(paths ...string) (File, error) {
	return func(paths ...string) (File, error) {
		f, err := open(paths...)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
}

// Format returns the format of the regular file at path by its first bytes, "" if it is none of
// those that Open reads.
func Format(path string) string {
	if f := formatOf(path); f != nil {
		return f.name
	}
	return ""
}

func formatOf(path string) *format {
	head, _ := input.ReadHead(path, 16) // what cannot be read has no format
	for i := range formats {
		if strings.HasPrefix(string(head), formats[i].magic) {
			return &formats[i]
		}
	}
	return nil
}

// Open opens the checkpoint whose parts are at paths, in order. The first part says which format it
// has; a file of no format is opened as the first one, whose reader says what is wrong with it.
func Open(paths ...string) (File, error) {
	if len(paths) > 0 {
		if f := formatOf(paths[0]); f != nil {
			return f.open(paths...)
		}
	}
	return formats[0].open(paths...)
}
