package atomicfile

// This file: what the tests share: a pair of files, and a file system with faults.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Names of the pair, and its contents: the old ones are as long as the new ones, which is the
// hardest case to distinguish.
var names = [2]string{"model.gguf", "mmproj-model.gguf"}

func content(i int, letter byte) []byte { return bytes.Repeat([]byte{letter}, 1000*(i+1)) }

const oldLetter, newLetter = 'o', 'n'

// fault says how an operation fails: the zero fault is none.
type fault struct {
	err  error
	done bool // it is made nevertheless, as by a network disk that loses the answer
	half bool // half of a write is made; without err it is a short write
}

// faultyFS is the real file system with faults. Syncs are only counted, for speed.
type faultyFS struct {
	// op: "rename model.gguf.partial", the operation and the first file's name; n counts from 1
	fault func(n int, op string) fault
	free  int64 // bytes; 0: plenty

	mu  sync.Mutex
	ops []string
}

func (d *faultyFS) step(op, path string) fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op+" "+filepath.Base(path))
	if d.fault == nil {
		return fault{}
	}
	return d.fault(len(d.ops), d.ops[len(d.ops)-1])
}

// do calls make for an operation, unless its fault prevents it.
func (d *faultyFS) do(op, path string, make func() error) error {
	f := d.step(op, path)
	if f.err == nil {
		return make()
	}
	if f.done {
		make()
	}
	return &os.PathError{Op: op, Path: path, Err: f.err}
}

func (d *faultyFS) Stat(path string) (info os.FileInfo, err error) {
	err = d.do("stat", path, func() (err error) { info, err = os.Lstat(path); return })
	return info, err
}
func (d *faultyFS) OpenLocked(path string) (f File, err error) {
	err = d.do("open", path, func() (err error) { f, err = osFS{}.OpenLocked(path); return })
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return &faultyFile{f, d, path}, err
}
func (d *faultyFS) Rename(from, to string) error {
	return d.do("rename", from, func() error { return os.Rename(from, to) })
}
func (d *faultyFS) Remove(path string) error {
	return d.do("remove", path, func() error { return os.Remove(path) })
}
func (d *faultyFS) SyncDir(dir string) error {
	return d.do("syncdir", "", func() error { return nil })
}
func (d *faultyFS) Free(dir string) (int64, error) {
	free := int64(1 << 40)
	if d.free != 0 {
		free = d.free
	}
	return free, d.do("free", "", func() error { return nil })
}

type faultyFile struct {
	File
	fs   *faultyFS
	path string
}

func (f *faultyFile) WriteAt(b []byte, at int64) (n int, err error) {
	fault := f.fs.step("write", f.path)
	if fault.half {
		f.File.WriteAt(b[:len(b)/2], at)
		return len(b) / 2, fault.err
	}
	if fault.err != nil {
		return 0, &os.PathError{Op: "write", Path: f.path, Err: fault.err}
	}
	return f.File.WriteAt(b, at)
}
func (f *faultyFile) Truncate(n int64) error {
	return f.fs.do("truncate", f.path, func() error { return f.File.Truncate(n) })
}
func (f *faultyFile) Sync() error { return f.fs.do("sync", f.path, func() error { return nil }) }
func (f *faultyFile) Close() error { // the kernel closes whatever happens
	return errors.Join(f.fs.do("close", f.path, func() error { return nil }), f.File.Close())
}

// write makes the pair in dir, in pieces.
func write(fs FS, dir string, force bool, letter byte) error {
	s, err := Begin(pair(dir), Options{Force: force, FS: fs})
	if err != nil {
		return err
	}
	for i := range names {
		b := content(i, letter)
		for _, at := range []int{500, 0} {
			if _, err := s.WriterAt(i).WriteAt(b[at:at+500], int64(at)); err != nil {
				return errors.Join(err, s.Abort())
			}
		}
		if _, err := s.WriterAt(i).WriteAt(b[1000:], 1000); err != nil {
			return errors.Join(err, s.Abort())
		}
	}
	return s.Commit()
}

// pair returns the targets in dir.
func pair(dir string) []Target {
	return []Target{{filepath.Join(dir, names[0]), 1000}, {filepath.Join(dir, names[1]), 2000}}
}

// before is the content of the folder before a run: for each file the letter that fills it, or '-'
// for no file; the main file's comes first.
type before string

var befores = []before{"--", "oo", "o-", "-o"}

func (b before) force() bool { return b != "--" }

func (b before) make(t testing.TB, dir string) {
	t.Helper()
	for i, name := range names {
		if b[i] == oldLetter {
			put(t, filepath.Join(dir, name), content(i, oldLetter))
		}
	}
}

func put(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Error(err)
	}
}

// state returns what is under the final names: '-', the letter of a whole file, or '!' for any
// other.
func state(t testing.TB, dir string) before {
	t.Helper()
	var all []byte
	for i, name := range names {
		all = append(all, letter(t, filepath.Join(dir, name), i))
	}
	return before(all)
}

func letter(t testing.TB, path string, i int) byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return '-'
	}
	if err != nil {
		t.Error(err)
	}
	if len(b) == 0 || !bytes.Equal(b, content(i, b[0])) {
		return '!'
	}
	return b[0]
}

// left returns what is in dir besides files under final names.
func left(t testing.TB, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	var out []string
	for _, e := range all {
		if e.Name() != names[0] && e.Name() != names[1] {
			out = append(out, e.Name())
		}
	}
	return strings.Join(out, " ")
}

// wantDir checks that dir holds the files of want and no others.
func wantDir(t testing.TB, what, dir string, want before) {
	t.Helper()
	if got, rest := state(t, dir), left(t, dir); got != want || rest != "" {
		t.Errorf("%s: have %s and %q, want %s alone", what, got, rest, want)
	}
}

// mkdir makes a folder of that name in base.
func mkdir(t testing.TB, base string, name ...any) string {
	t.Helper()
	dir := filepath.Join(base, fmt.Sprint(name...))
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Error(err)
	}
	return dir
}
