package atomicfile

// This file: the operations that writing needs of the operating system. Tests inject faults here.

import (
	"errors"
	"io"
	"os"
)

// FS creates, renames and removes files.
type FS interface {
	// Stat does not follow symbolic links.
	Stat(path string) (os.FileInfo, error)
	// OpenLocked opens or creates the regular file at path and locks it until it is closed; it must
	// be possible to rename and remove it while it is open.
	OpenLocked(path string) (File, error)
	// Rename renames from to to, replacing a file of that name.
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir writes the renames in dir to disk.
	SyncDir(dir string) error
	// Free returns the free space for dir in bytes, or -1 if it is not known.
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

// ErrLocked is the error of OpenLocked for a file that is locked by another.
var ErrLocked = errors.New("in use")

// lockTries is the number of times that another run may rename or remove a file just before it is
// locked.
const lockTries = 10

// Real is the operating system's file system.
var Real FS = osFS{}

// osFS is the type of Real; openLocked, Free and SyncDir are in fs_*.go.
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
		f.Close() // it was renamed or removed after it was opened here and before it was locked
	}
	return nil, ErrLocked
}

// named reports whether path is the name of the open file f, a regular file.
func named(f *os.File, path string) bool {
	at, err := os.Lstat(path)
	if err != nil {
		return false
	}
	have, err := f.Stat()
	return err == nil && at.Mode().IsRegular() && os.SameFile(at, have)
}
