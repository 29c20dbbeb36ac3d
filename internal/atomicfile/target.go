package atomicfile

// This file: which paths are no targets.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// checkPath refuses a path that cannot be a file's.
func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("the name of the file to write is empty")
	case os.IsPathSeparator(path[len(path)-1]):
		return fmt.Errorf("%s: ends as a folder's name, want a file's", path)
	}
	return nil
}

// NotInput returns an error if the file at path, which is to be written, is one of inputs, by
// whatever name: these are to be read. Inputs that are not there, and empty ones, are none.
func NotInput(path string, inputs ...string) error {
	out, err := os.Stat(path)
	for _, input := range inputs {
		if input == "" {
			continue
		}
		in, err2 := os.Stat(input)
		if filepath.Clean(path) == filepath.Clean(input) || err == nil && err2 == nil && os.SameFile(in, out) {
			return fmt.Errorf("%s is the file to be read; write to another", path)
		}
	}
	return nil
}
