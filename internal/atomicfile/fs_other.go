//go:build !linux && !darwin && !freebsd && !dragonfly && !windows

package atomicfile

// This file: systems without the calls that locks and free space need. Here two runs with one
// output do not notice each other.

import (
	"errors"
	"os"
)

func openLocked(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
}

// Free returns -1: the free space is not known.
func (osFS) Free(string) (int64, error) { return -1, nil }

// SyncDir calls fsync on the folder.
func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// allocated returns 0: removing a file is taken to free nothing.
func allocated(os.FileInfo) int64 { return 0 }

// linked returns false: other names of a file are not known.
func linked(os.FileInfo) bool { return false }
