package atomicfile

// This file: how complete files get their names, how that is undone, and how the next run repairs
// what a killed one left.

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Commit syncs all files, gives them their names and syncs the folders. If it fails, the old files
// are back and the .partial files are gone; if even that fails, the error names the files
// concerned, and the next Begin tries again. An old file that cannot be removed at the end is not a
// failure: the next Begin removes it.
func (s *Set) Commit() error {
	if s.done {
		return errors.New("atomicfile: Commit after Commit or Abort")
	}
	if err := s.commit(); err != nil {
		undone := s.undo()
		s.keep = undone != nil
		return errors.Join(err, undone, s.Abort())
	}
	s.done = true
	for _, f := range s.files {
		if n, err := s.size(f.aside); err == nil && n >= 0 {
			s.fs.Remove(f.aside)
		}
	}
	for _, f := range s.files {
		f.f.Close() // synced: nothing is left to fail
	}
	return nil
}

func (s *Set) commit() error {
	for _, f := range s.files {
		if err := f.f.Sync(); err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, cause(err))
		}
	}
	for _, f := range s.files {
		if n, err := s.size(f.partial); err != nil || n != f.Size {
			return errors.Join(fmt.Errorf("%s changed while it was written", f.partial), err)
		}
	}
	if err := s.checkTargets(); err != nil { // one may have appeared meanwhile
		return err
	}
	for _, f := range s.files {
		n, err := s.size(f.Path)
		if err == nil && n >= 0 {
			err = s.move(f.Path, f.aside)
		}
		if err != nil {
			return err
		}
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		if err := s.move(s.files[i].partial, s.files[i].Path); err != nil {
			return err
		}
	}
	return s.syncFolders()
}

// move renames from to to and records it in s.moved. A rename may be made and still fail, as on a
// network disk that lost the answer.
func (s *Set) move(from, to string) error {
	err := s.fs.Rename(from, to)
	if err == nil || s.arrived(from, to) {
		s.moved = append(s.moved, [2]string{from, to})
	}
	if err != nil {
		return fmt.Errorf("renaming %s to %s: %w", from, to, cause(err))
	}
	return nil
}

func (s *Set) arrived(from, to string) bool {
	a, errA := s.size(from)
	b, errB := s.size(to)
	return errA == nil && errB == nil && a < 0 && b >= 0
}

// undo reverses the renames of s.moved, the last first. It stops at the first that fails: the next
// Begin understands every intermediate state.
func (s *Set) undo() error {
	for i := len(s.moved) - 1; i >= 0; i-- {
		from, to := s.moved[i][0], s.moved[i][1]
		if err := s.fs.Rename(to, from); err != nil && !s.arrived(to, from) {
			return fmt.Errorf("%s is still named %s: %w", from, to, cause(err))
		}
	}
	return nil
}

// syncFolders syncs the folders of all files, so that the renames survive a power cut.
func (s *Set) syncFolders() error {
	seen := map[string]bool{}
	for _, f := range s.files {
		dir := filepath.Dir(f.Path)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if err := s.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, cause(err))
		}
	}
	return nil
}

// recover brings the targets back to a state between two sets, as the package's comment says, at
// whatever step a Commit was killed.
func (s *Set) recover() error {
	main, err := s.size(s.files[0].Path)
	if err != nil {
		return err
	}
	if main >= 0 {
		err = s.dropOld()
	} else {
		err = s.restore()
	}
	s.keep = err != nil
	return err
}

func (s *Set) dropOld() error {
	for _, f := range s.files {
		n, err := s.size(f.aside)
		if err == nil && n >= 0 {
			err = s.fs.Remove(f.aside)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a run that is ending removes it too
			return fmt.Errorf("removing %s: %w", f.aside, cause(err))
		}
	}
	return nil
}

// restore first removes new files that replaced nothing, while the main .partial file still shows
// what they are; then it empties that, so that a restored old file is never taken for one of them;
// then it moves the old ones back, the main one last.
func (s *Set) restore() error {
	main := s.files[0]
	for _, f := range s.files[1:] {
		orphan, err := s.orphan(f)
		if err == nil && orphan {
			err = s.fs.Remove(f.Path)
		}
		if err != nil {
			return fmt.Errorf("removing %s: %w", f.Path, cause(err))
		}
	}
	if err := main.f.Truncate(0); err != nil {
		return fmt.Errorf("writing %s: %w", main.Path, cause(err))
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		f := s.files[i]
		n, err := s.size(f.aside)
		if err == nil && n >= 0 {
			err = s.fs.Rename(f.aside, f.Path)
		}
		if err != nil {
			return fmt.Errorf("the old %s is at %s: %w", f.Path, f.aside, cause(err))
		}
	}
	return nil
}

// orphan reports whether f got its name from a set that was interrupted before the main file got
// its own, and replaced nothing. A file of another size than this set's is not ours and stays.
func (s *Set) orphan(f *file) (bool, error) {
	want := []struct {
		path string
		size int64
	}{{s.files[0].partial, s.files[0].Size}, {f.partial, 0}, {f.Path, f.Size}, {f.aside, -1}}
	for _, w := range want {
		if n, err := s.size(w.path); err != nil || n != w.size {
			return false, err
		}
	}
	return true, nil
}
