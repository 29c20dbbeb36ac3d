package atomicfile

// This file: locks, free space and folders on Windows.

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for this process.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// Free asks GetDiskFreeSpaceEx.
func (osFS) Free(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return int64(free), nil
}

// SyncDir does nothing: Windows has no such call, and its renames are journalled.
func (osFS) SyncDir(string) error { return nil }

// allocated counts nothing as given back.
func allocated(os.FileInfo) int64 { return 0 }
