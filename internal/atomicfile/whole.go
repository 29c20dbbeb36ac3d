package atomicfile

// This file: a single file whose bytes are in memory.

import (
	"errors"
	"os"
	"path/filepath"
)

// MayWrite returns an error if the file at path could not be written, to be called before the work
// whose result it will hold. force allows that the file exists.
func MayWrite(path string, force bool) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	set, err := Begin([]Target{{Path: path, Size: 1}}, Options{Force: force})
	if err != nil {
		return err
	}
	return set.Abort()
}

// WriteFile writes b, at least a byte, to the file at path, which appears when it is complete.
// force allows that it is there.
func WriteFile(path string, b []byte, force bool) error {
	set, err := Begin([]Target{{Path: path, Size: int64(len(b))}}, Options{Force: force})
	if err != nil {
		return err
	}
	if _, err := set.WriterAt(0).WriteAt(b, 0); err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}
