package atomicfile

// This file: the part of the operating system that writing needs. Tests put faults between.

import (
	"errors"
	"io"
	"os"
)

// FS makes, names and removes files.
type FS interface {
	// Stat does not follow symbolic links.
	Stat(path string) (os.FileInfo, error)
	// OpenLocked opens or makes a regular file, for this holder alone until it is closed; renaming and removing it while open must work.
	OpenLocked(path string) (File, error)
	// Rename replaces a file that is there.
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes renames in a folder last.
	SyncDir(dir string) error
	// Free returns the bytes that may be written to a folder, or -1 if that is not known.
	Free(dir string) (int64, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// ErrLocked is what OpenLocked returns for a file that another holder has open.
var ErrLocked = errors.New("in use")

// lockTries is how often a file may be renamed or removed by another run just before it is locked.
const lockTries = 10

// Real is the operating system's own.
var Real FS = osFS{}

// osFS is the real one; openLocked, Free and SyncDir are in fs_*.go.
type osFS struct{}

func (osFS) Stat(path string) (os.FileInfo, error) { return os.Lstat(path) }
func (osFS) Rename(from, to string) error          { return os.Rename(from, to) }
func (osFS) Remove(path string) error              { return os.Remove(path) }

func (osFS) OpenLocked(path string) (File, error) {
	for range lockTries {
		f, err := openLocked(path)
		if err != nil {
			return nil, err
		}
		if named(f, path) {
			return f, nil
		}
		f.Close() // the last holder renamed or removed it after it was opened here and before it was locked
	}
	return nil, ErrLocked
}

// named tells whether path is the name of the open file f, a regular file.
func named(f *os.File, path string) bool {
	at, err := os.Lstat(path)
	if err != nil {
		return false
	}
	have, err := f.Stat()
	return err == nil && at.Mode().IsRegular() && os.SameFile(at, have)
}
