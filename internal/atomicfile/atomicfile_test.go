package atomicfile

// This file: names, folders, locks and files that exist already.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func fails(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: have error %v, want %q", what, err, want)
	}
}

func TestNames(t *testing.T) {
	base := t.TempDir()
	all := []string{"with space", "🙂 émoji", "new\nline", "-f", "%d%s", strings.Repeat("x", 255-len(partialSuffix)),
		strings.Repeat("é", 123)}
	for _, name := range all {
		path := filepath.Join(base, name)
		for _, text := range []string{"first", "again"} {
			s, err := Begin([]Target{{path, 5}}, Options{Force: text == "again"})
			if err != nil {
				t.Errorf("%.20q: %v", name, err)
				continue
			}
			if _, err := s.WriterAt(0).WriteAt([]byte(text), 0); err != nil {
				t.Error(err)
			}
			if err := s.Commit(); err != nil {
				t.Errorf("%.20q: %v", name, err)
			}
			if b, err := os.ReadFile(path); string(b) != text {
				t.Errorf("%.20q: have %q (%v), want %q", name, b, err, text)
			}
		}
		_, err := Begin([]Target{{path, 5}}, Options{})
		fails(t, name, err, path+" exists")
	}
	if got, err := os.ReadDir(base); len(got) != len(all) {
		t.Errorf("have %v (%v), want %d files", got, err, len(all))
	}
}

func TestRefused(t *testing.T) {
	base := t.TempDir()
	under := filepath.Join(base, "file")
	put(t, under, []byte("x"))
	for _, c := range []struct {
		name    string
		targets []Target
		want    string
	}{
		{"none", nil, "no targets"},
		{"empty", []Target{{base + "/a", 0}}, "have size 0, want 1 to"},
		{"negative", []Target{{base + "/a", -1}}, "have size -1"},
		{"huge", []Target{{base + "/a", 1 << 62}}, "want 1 to"},
		{"more than the disk", []Target{{base + "/a", 1 << 50}}, "no space: need"},
		{"name too long", []Target{{filepath.Join(base, strings.Repeat("x", 255)), 5}}, "too long"},
		{"second name too long", []Target{{base + "/a", 5}, {filepath.Join(base, strings.Repeat("x", 248)), 5}},
			"too long"},
		{"below a file", []Target{{under + "/a", 5}}, "not a directory"},
		{"no folder", []Target{{base + "/b/a", 5}}, "no such file or directory"},
		{"the same twice", []Target{{base + "/a", 5}, {base + "/./a", 5}}, "another run is writing"},
		{"a folder", []Target{{base, 5}}, "exists and is not a regular file"},
	} {
		_, err := Begin(c.targets, Options{})
		fails(t, c.name, err, c.want)
		if got := left(t, base); got != "file" {
			t.Errorf("%s: left %q", c.name, got)
		}
	}
}

// Folders and links under any of the names are refused, and neither followed nor removed.
func TestNoFile(t *testing.T) {
	base := t.TempDir()
	victim := filepath.Join(base, "victim")
	put(t, victim, []byte("mine"))
	kinds := map[string]func(path string) error{
		"folder":        func(path string) error { return os.Mkdir(path, 0o777) },
		"link":          func(path string) error { return os.Symlink(victim, path) },
		"dangling link": func(path string) error { return os.Symlink(victim+"2", path) },
	}
	for kind, make := range kinds {
		for _, suffix := range []string{"", partialSuffix, asideSuffix} {
			for i := range names {
				dir := mkdir(t, base, kind, suffix, i)
				path := filepath.Join(dir, names[i]+suffix)
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				_, err := Begin(pair(dir), Options{Force: true})
				fails(t, kind+suffix, err, path+" exists and is not a regular file")
				if all, _ := os.ReadDir(dir); len(all) != 1 {
					t.Errorf("%s%s: have %v, want it alone", kind, suffix, all)
				}
			}
		}
	}
	// The check comes before the opening; a link put there in between is not followed either.
	for i, target := range []string{victim, victim + "2"} {
		link := filepath.Join(base, fmt.Sprint("late", i))
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if _, err := (osFS{}).OpenLocked(link); err == nil || errors.Is(err, ErrLocked) {
			t.Errorf("a late link: have %v, want it refused", err)
		}
	}
	if _, err := (osFS{}).OpenLocked("/dev/null"); err == nil {
		t.Error("opened a device")
	}
	if _, err := os.Lstat(victim + "2"); err == nil {
		t.Error("a link's target was made")
	}
	if b, err := os.ReadFile(victim); string(b) != "mine" {
		t.Errorf("the link's target is %q (%v)", b, err)
	}
}

// Files that look like ours but may not be are left alone without Force.
func TestOthersFiles(t *testing.T) {
	base := t.TempDir()
	for _, c := range []struct {
		name   string
		sizes  map[string]int
		begins bool
	}{
		{"a stale run beside a pair", map[string]int{"model.gguf": 1000, "mmproj-model.gguf": 2000,
			"model.gguf.partial": 1000, "mmproj-model.gguf.partial": 2000}, false},
		{"a stale run, second file there", map[string]int{"mmproj-model.gguf": 2000, "model.gguf.partial": 1000,
			"mmproj-model.gguf.partial": 2000}, false},
		{"a stale run of other sizes", map[string]int{"mmproj-model.gguf": 2000, "model.gguf.partial": 999}, false},
		{"another second file", map[string]int{"mmproj-model.gguf": 1999, "model.gguf.partial": 1000}, false},
		{"a run cut off before it had sizes", map[string]int{"mmproj-model.gguf": 2000, "model.gguf.partial": 0},
			false},
		{"a user's own old files", map[string]int{"model.gguf.old": 7, "mmproj-model.gguf.old": 7, "model.gguf.bak": 7},
			true},
		{"a run cut off between its names", map[string]int{"mmproj-model.gguf": 2000, "model.gguf.partial": 1000},
			true},
	} {
		dir := mkdir(t, base, c.name)
		for name, size := range c.sizes {
			put(t, filepath.Join(dir, name), make([]byte, size))
		}
		s, err := Begin(pair(dir), Options{})
		if c.begins && err == nil {
			err = s.Abort()
		}
		if c.begins && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !c.begins {
			fails(t, c.name, err, " exists")
		}
		for name, size := range c.sizes {
			info, err := os.Stat(filepath.Join(dir, name))
			ours := strings.HasSuffix(name, partialSuffix) || c.begins && name == names[1]
			if gone := err != nil; gone != ours || !gone && info.Size() != int64(size) {
				t.Errorf("%s: %s: %v", c.name, name, err)
			}
		}
	}
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, names[1]+partialSuffix), content(1, oldLetter))
	s, err := Begin(pair(dir), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ n, at int64 }{{1, 1000}, {1001, 0}, {1, -1}, {2, 999}, {0, 1001}, {1, 1<<63 - 1},
		{1, -1 << 63}} {
		_, err := s.WriterAt(0).WriteAt(make([]byte, c.n), c.at)
		fails(t, "outside", err, "want them within 1000")
	}
	_, err = Begin(pair(dir), Options{Force: true})
	fails(t, "a second run", err, "another run is writing")
	_, err = Begin(pair(dir)[1:], Options{Force: true})
	fails(t, "a second run of one", err, "another run is writing")
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, names[1])); string(b) != string(make([]byte, 2000)) {
		t.Errorf("unwritten bytes are not zero: %v", err)
	}
	if err := s.Abort(); err != nil {
		t.Error(err)
	}
	fails(t, "again", s.Commit(), "Commit after Commit")
	_, err = s.WriterAt(0).WriteAt([]byte("late"), 0)
	fails(t, "late", err, "closed")
	if s, err = Begin(pair(dir), Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Abort(); err != nil {
		t.Error(err)
	}
	if got := left(t, dir); got != "" {
		t.Errorf("left %q", got)
	}
}

// What other processes may do to the files between Begin and Commit.
func TestMeanwhile(t *testing.T) {
	base := t.TempDir()
	for _, c := range []struct {
		name, want string
		do         func(dir string) error
		after      before
	}{
		{"a target comes", " exists", func(dir string) error {
			return os.WriteFile(dir+"/mmproj-model.gguf", content(1, oldLetter), 0o666)
		}, "-o"},
		{"the work is removed", "changed while it was written",
			func(dir string) error { return os.Remove(dir + "/model.gguf.partial") }, "--"},
		{"the work is cut", "changed while it was written",
			func(dir string) error { return os.Truncate(dir+"/mmproj-model.gguf.partial", 5) }, "--"},
		{"the work is a link", "is not a regular file", func(dir string) error {
			return errors.Join(os.Remove(dir+"/model.gguf.partial"),
				os.Symlink("mmproj-model.gguf.partial", dir+"/model.gguf.partial"))
		}, "--"},
	} {
		dir := mkdir(t, base, c.name)
		s, err := Begin(pair(dir), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.do(dir); err != nil {
			t.Fatal(err)
		}
		fails(t, c.name, s.Commit(), c.want)
		wantDir(t, c.name, dir, c.after)
	}
}

// A file that another run renamed or removed between opening and locking is not the one to write.
func TestNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	put(t, path, nil)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		name string
		do   func() error
		want bool
	}{
		{"as opened", func() error { return nil }, true},
		{"renamed", func() error { return os.Rename(path, path+"2") }, false},
		{"another", func() error { return os.WriteFile(path, nil, 0o666) }, false},
		{"a link to it", func() error { return errors.Join(os.Remove(path), os.Symlink(path+"2", path)) }, false},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if got := named(f, path); got != c.want {
			t.Errorf("%s: have %v, want %v", c.name, got, c.want)
		}
	}
}

// Several goroutines lock one name and remove it: the one that holds the lock holds the name.
func TestLockRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 2000 {
				f, err := osFS{}.OpenLocked(path)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !named(f.(*os.File), path) {
					t.Error("locked a file that has lost its name")
				}
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
				f.Close()
			}
		}()
	}
	group.Wait()
}
