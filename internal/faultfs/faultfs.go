// Package faultfs is a file system with faults, for tests of packages that write files through
// internal/atomicfile: a disk that is full at some operation, or a process that is killed at one.
package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pali-gguf/pali/internal/atomicfile"
)

// Disk is the real file system with a fault before some operation. Syncs are only counted, for
// speed. The zero Disk has no faults.
type Disk struct {
	count atomic.Int64
	// Fault is called with the operation's number, from 1 on; half does the first half of it, if it
	// is a write.
	Fault func(n int64, half func()) error
}

// Count returns the number of operations so far.
func (d *Disk) Count() int64 { return d.count.Load() }

// Full returns a disk on which operation number at fails half-way, because the disk is full.
func Full(at int64) *Disk {
	return &Disk{Fault: func(n int64, half func()) error {
		if n != at {
			return nil
		}
		half()
		return &os.PathError{Op: "write", Err: syscall.ENOSPC}
	}}
}

// Killing returns a disk that kills the process at the operation that at names: before it, "12", or
// in the middle of it, "12/2".
func Killing(at string) *Disk {
	number, inside := strings.CutSuffix(at, "/2")
	last, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic(err)
	}
	return &Disk{Fault: func(n int64, half func()) error {
		if n < last {
			return nil
		}
		if inside {
			half()
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(err)
		}
		select {}
	}}
}

// Killed runs the test binary again with the variables of environment added, and fails if that was
// not killed.
func Killed(environment ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), environment...)
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		return fmt.Errorf("the child was not killed: %v %s", err, out)
	}
	return nil
}

// Points returns points operations out of all, evenly spread, in the form that Killing takes:
// alternately before one and in the middle of one.
func Points(all int64, points int) []string {
	var at []string
	for i := range int64(points) {
		s := strconv.FormatInt(1+i*all/int64(points), 10)
		if i%2 == 1 {
			s += "/2"
		}
		at = append(at, s)
	}
	return at
}

// Files returns the contents of all files below folder, by their slash-separated paths in it.
func Files(t testing.TB, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path) // it lies below
		all[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (d *Disk) step(half func()) error {
	n := d.count.Add(1)
	if d.Fault == nil {
		return nil
	}
	return d.Fault(n, half)
}

func nothing() {}

// Stat is not counted: it changes nothing.
func (d *Disk) Stat(path string) (os.FileInfo, error) { return os.Lstat(path) }

// Free returns -1: the free space is not known.
func (d *Disk) Free(string) (int64, error) { return -1, nil }

// OpenLocked opens or creates the file at path, without a lock.
func (d *Disk) OpenLocked(path string) (atomicfile.File, error) {
	if err := d.step(nothing); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	return &file{f, d}, err
}

// Rename is counted as one operation.
func (d *Disk) Rename(from, to string) error {
	if err := d.step(nothing); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// Remove is not counted, so that what an error leaves can be removed.
func (d *Disk) Remove(path string) error { return os.Remove(path) }

// SyncDir only counts the operation.
func (d *Disk) SyncDir(string) error { return d.step(nothing) }

type file struct {
	*os.File
	disk *Disk
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	if err := f.disk.step(func() { f.File.WriteAt(b[:len(b)/2], at) }); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f *file) Truncate(n int64) error {
	if err := f.disk.step(nothing); err != nil {
		return err
	}
	return f.File.Truncate(n)
}

func (f *file) Sync() error { return f.disk.step(nothing) }
