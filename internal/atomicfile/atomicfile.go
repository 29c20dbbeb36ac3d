// Package atomicfile writes a set of files that appear under their names together, when all are complete, or not at all.
//
// Before it: package convert, which knows the sizes beforehand. After it: files on disk. The work is done in PATH.partial beside each target:
// lock, set the size, write anywhere, sync, rename, sync the folder.
//
// # What is promised
//
// Whatever fails, and whenever the process is killed, no file under a final name is half written. Several renames are not one: the first target is
// the main file and is renamed last, so that it is there only if all others are. A set that was cut off between its renames still has a
// .partial file; the next Begin takes that as leave to replace those that had their names already, and makes the same set anew.
// With Force the old files are moved to PATH.old for the time of the renames and moved back if one of these fails.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// Suffixes of files under way: the work, and an old file while it is replaced.
const (
	partialSuffix = ".partial"
	oldSuffix     = ".old"
)

// slack is room asked for beyond the files themselves, for folders and journals.
const slack = 1 << 20

// Target is a file to be written: its final path and its size in bytes.
type Target struct {
	Path string
	Size int64
}

// Options says how.
type Options struct {
	Force bool // replace targets that are there
	FS    FS   // nil: the real one
}

// Set is a set of files being written. WriterAt's writers may be used from several goroutines at once; the other methods may not.
type Set struct {
	fs    FS
	files []*file
	done  bool
}

// file is one target under way.
type file struct {
	Target
	partial string
	f       File
	hadOld  bool // moved aside by this Commit
	named   bool // renamed by this Commit
}

// Begin checks that the targets may be written and that there is room, and makes their .partial files, zero-filled to their sizes.
func Begin(targets []Target, o Options) (*Set, error) {
	s := &Set{fs: o.FS}
	if s.fs == nil {
		s.fs = osFS{}
	}
	for _, t := range targets {
		s.files = append(s.files, &file{Target: t, partial: t.Path + partialSuffix})
	}
	if err := s.checkTargets(o.Force); err != nil {
		return nil, err
	}
	if err := s.checkRoom(); err != nil {
		return nil, err
	}
	for _, f := range s.files {
		if err := s.open(f); err != nil {
			s.Abort()
			return nil, err
		}
	}
	return s, nil
}

// checkTargets refuses targets that are there, unless that is wanted or they are what an earlier set, cut off between its renames, left.
func (s *Set) checkTargets(force bool) error {
	cutOff := false
	for _, f := range s.files {
		if _, err := s.fs.Stat(f.partial); err == nil {
			cutOff = true
		}
	}
	for _, f := range s.files {
		info, err := s.fs.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return said(err)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is there and is no file", f.Path)
		case !force && !cutOff:
			return fmt.Errorf("%s exists; use --force to replace it", f.Path)
		}
	}
	return nil
}

// checkRoom compares the sizes with the free space of their folders, to which stale .partial files will come back.
func (s *Set) checkRoom() error {
	need := map[string]int64{}
	for _, f := range s.files {
		dir := filepath.Dir(f.Path)
		need[dir] += f.Size
		if info, err := s.fs.Stat(f.partial); err == nil {
			need[dir] -= min(allocated(info), f.Size)
		}
	}
	for dir, n := range need {
		free, err := s.fs.Free(dir)
		if err != nil {
			return said(err)
		}
		if missing := n + slack - free; free >= 0 && missing > 0 {
			return fmt.Errorf("no space: need %d more bytes on %s", missing, dir)
		}
	}
	return nil
}

// open makes one .partial file.
func (s *Set) open(f *file) error {
	var err error
	if f.f, err = s.fs.OpenLocked(f.partial); err != nil {
		if errors.Is(err, errLocked) {
			return fmt.Errorf("another run is writing %s", f.Path)
		}
		return said(err)
	}
	for _, size := range []int64{0, f.Size} {
		if err := f.f.Truncate(size); err != nil {
			return said(err)
		}
	}
	return nil
}

// WriterAt returns the writer of target i. Each write lies within the target's size, or fails.
func (s *Set) WriterAt(i int) io.WriterAt { return s.files[i] }

// WriteAt writes the whole of b, or fails with the path.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	if at < 0 || at > f.Size-int64(len(b)) {
		return 0, fmt.Errorf("writing %s: bytes %d to %d of %d", f.Path, at, at+int64(len(b)), f.Size)
	}
	n, err := f.f.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = fmt.Errorf("writing %s: %w", f.Path, said(err))
	}
	return n, err
}

// Commit syncs all files, gives them their names, the first target last, and syncs the folders. If it fails, what was there before is
// there again, and the .partial files are gone.
func (s *Set) Commit() error {
	err := s.commit()
	if err != nil {
		err = errors.Join(err, s.undo())
	}
	return errors.Join(err, s.Abort())
}

func (s *Set) commit() error {
	for _, f := range s.files {
		if err := f.f.Sync(); err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, said(err))
		}
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		f := s.files[i]
		if _, err := s.fs.Stat(f.Path); err == nil {
			if err := s.fs.Rename(f.Path, f.Path+oldSuffix); err != nil {
				return said(err)
			}
			f.hadOld = true
		}
		if err := s.fs.Rename(f.partial, f.Path); err != nil {
			return said(err)
		}
		f.named = true
	}
	if err := s.syncFolders(); err != nil {
		return err
	}
	for _, f := range s.files {
		if f.hadOld {
			if err := s.fs.Remove(f.Path + oldSuffix); err != nil {
				return said(err)
			}
			f.hadOld = false
		}
	}
	return nil
}

// syncFolders makes the renames last.
func (s *Set) syncFolders() error {
	seen := map[string]bool{}
	for _, f := range s.files {
		dir := filepath.Dir(f.Path)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if err := s.fs.SyncDir(dir); err != nil {
			return said(err)
		}
	}
	return nil
}

// undo takes the names back, in the reverse order. An old file that cannot be moved back is named in the error: it is at PATH.old.
func (s *Set) undo() error {
	var failed []error
	for _, f := range s.files {
		if f.named {
			if err := s.fs.Remove(f.Path); err != nil {
				failed = append(failed, said(err))
			}
		}
		if f.hadOld {
			if err := s.fs.Rename(f.Path+oldSuffix, f.Path); err != nil {
				failed = append(failed, fmt.Errorf("the old %s is at %s%s: %w", f.Path, f.Path, oldSuffix, said(err)))
			}
		}
	}
	return errors.Join(failed...)
}

// Abort closes all files and removes those that have no final name. After Commit it does nothing.
func (s *Set) Abort() error {
	if s.done {
		return nil
	}
	s.done = true
	var failed []error
	for _, f := range s.files {
		if f.f == nil {
			continue // not ours: never opened, or another run's
		}
		if !f.named {
			if err := s.fs.Remove(f.partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, said(err))
			}
		}
		if err := f.f.Close(); err != nil && !f.named {
			failed = append(failed, said(err))
		}
	}
	return errors.Join(failed...)
}

// said turns the operating system's error into one sentence: "no space left on device: PATH".
func said(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !strings.Contains(path.Path, partialSuffix+partialSuffix) {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(path.Path, partialSuffix), path.Err)
	}
	return err
}
