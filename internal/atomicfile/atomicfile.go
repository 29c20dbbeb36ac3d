// Package atomicfile writes a set of files that get their names together, when all are complete, or
// not at all.
//
// Before it: a program that knows the sizes of its files before it writes them. After it: files on
// disk. The work is done in PATH.partial beside each target: lock, set the size, write anywhere,
// sync, rename, sync the folder. This file: a set from Begin to Abort; commit.go: how it gets its
// names.
//
// # What is promised
//
// Whatever fails, and whenever the process is killed, no file under a final name is half written.
// Several renames are not one: the first target is the main file, which loses its name first and
// gets it last, so that it is there only with the others that belong to it. With Force the old
// files are moved to PATH.aside during the renames, and moved back if one of these fails.
//
// The next Begin for the same targets repairs what a killed process left. If the main file exists,
// the set was complete, and what is aside is removed. If not, what is aside is moved back, and
// another target that already had its name is removed: it is recognised by the main file's .partial
// being whole and its own missing. Until then nothing of the old set is lost; it may be under
// PATH.aside.
//
// A .partial file is locked, and its name with it, until it is renamed. Only from the last rename
// to the end of Commit can another run begin.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Suffixes of files in progress: the new file, and an old one while it is replaced. The second is
// not longer than the first, so that a name that Begin could make is not too long for Commit, and
// is not ".old", which users give to files of their own.
const (
	partialSuffix = ".partial"
	asideSuffix   = ".aside"
)

// Bounds: of one target, far above any model and far below overflow, and the free space asked for
// beyond the files, for folders and journals.
const (
	maxSize = 1 << 50
	slack   = 1 << 20
)

// Target is a file to be written: its final path and its size in bytes, at least 1.
type Target struct {
	Path string
	Size int64
}

// Options says how to write a set.
type Options struct {
	Force bool // replace targets that exist
	FS    FS   // nil: the real one
}

// Set is a set of files being written. WriterAt's writers may be used from several goroutines at
// once; the other methods may not.
type Set struct {
	fs    FS
	force bool
	files []*file
	moved [][2]string // renames that Commit made: from, to; in order
	keep  bool        // .partial files stay, not empty: the next Begin repairs by them
	done  bool
}

// file is one target in progress.
type file struct {
	Target
	partial, aside string
	f              File // nil: not ours: never opened, or locked by another run
}

// Begin locks the .partial files of targets, repairs what a killed process left, checks that the
// targets may be written and that there is enough space, and makes the .partial files, filled with
// zeros, of their sizes. If it fails, nothing of this set is left.
func Begin(targets []Target, o Options) (*Set, error) {
	if len(targets) == 0 {
		return nil, errors.New("atomicfile: no targets")
	}
	s := &Set{fs: o.FS, force: o.Force, keep: true}
	if s.fs == nil {
		s.fs = Real
	}
	for _, t := range targets {
		if err := checkPath(t.Path); err != nil {
			return nil, err
		}
		if t.Size < 1 || t.Size > maxSize {
			return nil, fmt.Errorf("atomicfile: %s: have size %d, want 1 to %d", t.Path, t.Size, int64(maxSize))
		}
		s.files = append(s.files, &file{Target: t, partial: t.Path + partialSuffix, aside: t.Path + asideSuffix})
	}
	for _, step := range []func() error{s.lock, s.recover, s.checkTargets, s.checkSpace, s.resize} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.Abort())
		}
	}
	return s, nil
}

// lock opens and locks all .partial files, the main one first: while that is locked no other run
// gets past it.
func (s *Set) lock() error {
	for _, f := range s.files {
		for _, path := range []string{f.Path, f.partial, f.aside} {
			if _, err := s.size(path); err != nil {
				return err
			}
		}
		if info, err := s.fs.Stat(f.partial); err == nil && linked(info) {
			return fmt.Errorf("%s is a hard link to another file", f.partial)
		}
		opened, err := s.fs.OpenLocked(f.partial)
		if errors.Is(err, ErrLocked) {
			return fmt.Errorf("another run is writing %s", f.Path)
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, cause(err))
		}
		f.f = opened
	}
	return nil
}

// ExistsError is a target that is there, and is not to be replaced.
type ExistsError struct{ Path string }

func (e ExistsError) Error() string { return e.Path + " exists" }

// checkTargets refuses targets that exist, unless s may replace them.
func (s *Set) checkTargets() error {
	for _, f := range s.files {
		n, err := s.size(f.Path)
		if err != nil {
			return err
		}
		if n >= 0 && !s.force {
			return ExistsError{f.Path}
		}
	}
	return nil
}

// checkSpace compares the sizes with the free space of their folders, counting stale .partial files
// as free.
func (s *Set) checkSpace() error {
	need := map[string]int64{}
	for _, f := range s.files {
		info, err := s.fs.Stat(f.partial)
		if err != nil {
			return fmt.Errorf("%s: %w", f.partial, cause(err))
		}
		need[filepath.Dir(f.Path)] += f.Size - min(allocated(info), f.Size)
	}
	for dir, n := range need {
		free, err := s.fs.Free(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, cause(err))
		}
		if missing := n + slack - free; free >= 0 && missing > 0 {
			return fmt.Errorf("no space: need %d more bytes on %s", missing, dir)
		}
	}
	return nil
}

// resize empties all .partial files, the main one first, and gives them their sizes, the main one
// last: if that is whole, so are the others.
func (s *Set) resize() error {
	for _, f := range s.files {
		if err := f.f.Truncate(0); err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, cause(err))
		}
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		if err := s.files[i].f.Truncate(s.files[i].Size); err != nil {
			return fmt.Errorf("writing %s: %w", s.files[i].Path, cause(err))
		}
	}
	return nil
}

// WriterAt returns the writer of target i. A write beyond the target's size fails.
func (s *Set) WriterAt(i int) io.WriterAt { return s.files[i] }

// WriteAt writes all of b at offset at, or fails with an error that names the path.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	if at < 0 || at > f.Size-int64(len(b)) {
		return 0, fmt.Errorf("writing %s: have %d bytes at %d, want them within %d", f.Path, len(b), at, f.Size)
	}
	n, err := f.f.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, fmt.Errorf("writing %s: %w", f.Path, cause(err))
	}
	return n, nil
}

// Abort removes the .partial files, the main one first, and closes them. After Commit it does
// nothing.
func (s *Set) Abort() error {
	if s.done {
		return nil
	}
	s.done = true
	var failed []error
	for _, f := range s.files {
		if f.f == nil {
			continue
		}
		if n, err := s.size(f.partial); err == nil && n == 0 || !s.keep {
			if err := s.fs.Remove(f.partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, fmt.Errorf("%s is left: %w", f.partial, cause(err)))
				s.keep = true // the main one without the others would mean that these have their names
			}
		}
		if err := f.f.Close(); err != nil {
			failed = append(failed, fmt.Errorf("closing %s: %w", f.partial, cause(err)))
		}
	}
	return errors.Join(failed...)
}

// size returns the size of the file at path, or -1 if it does not exist. It fails for what is not a
// regular file: folders, symbolic links, devices.
func (s *Set) size(path string) (int64, error) {
	info, err := s.fs.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return -1, nil
	case err != nil:
		return 0, fmt.Errorf("%s: %w", path, cause(err))
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("%s exists and is not a regular file", path)
	}
	return info.Size(), nil
}

// cause returns the operating system's part of err, without the operation and the paths, which the
// caller's sentence names.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
