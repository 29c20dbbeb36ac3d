package atomicfile

// This file: the part of the operating system that writing needs. Tests put faults between.

import (
	"errors"
	"io"
	"os"
)

// FS makes, names and removes files.
type FS interface {
	Stat(path string) (os.FileInfo, error)
	// OpenLocked opens or makes a file, for this process alone.
	OpenLocked(path string) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes renames in a folder last.
	SyncDir(dir string) error
	// Free returns the bytes that may be written to a folder, or -1 if that is not known.
	Free(dir string) (int64, error)
}

// File is an open file.
type File interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// errLocked is what OpenLocked returns for a file that another process has open.
var errLocked = errors.New("in use")

// osFS is the real one; Free and the lock are in fs_*.go.
type osFS struct{}

func (osFS) Stat(path string) (os.FileInfo, error) { return os.Lstat(path) }
func (osFS) Rename(from, to string) error          { return os.Rename(from, to) }
func (osFS) Remove(path string) error              { return os.Remove(path) }

func (osFS) OpenLocked(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
