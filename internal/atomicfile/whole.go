package atomicfile

// This file: a single file whose bytes are in memory.

import (
	"errors"
	"os"
	"path/filepath"
)

// MayWrite tells, before the work whose result goes there is done, whether the file at path could
// be written. force allows that it is there.
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
