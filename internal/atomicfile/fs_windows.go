package atomicfile

// This file: locks, free space and folders on Windows.

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// openLocked opens or creates the file at path, not through a link. The share mode is the lock:
// others may read, rename and remove the file while it is open, as Commit and Abort do, but not
// open it to write. (What os.OpenFile opens can be neither renamed nor removed.)
func openLocked(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// Free asks GetDiskFreeSpaceEx.
func (osFS) Free(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return int64(min(free, 1<<62)), nil
}

// SyncDir does nothing: Windows has no such call, and its renames are journalled.
func (osFS) SyncDir(string) error { return nil }

// allocated returns 0: removing a file is taken to free nothing.
func allocated(os.FileInfo) int64 { return 0 }

// linked returns false: other names of a file are not known.
func linked(os.FileInfo) bool { return false }
