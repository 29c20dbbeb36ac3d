package atomicfile

// This file: operations that fail. The old files are back, nothing else is left, and the next run
// works.

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

const anyWrite = "write model.gguf.partial"

var faults = []struct {
	name   string
	before before
	op     string // the operation and file that fails
	nth    int    // which of those, from 1 on
	fault  fault
	want   string // part of the error; "": none
	after  before // what must be there; "": the same as before
}{
	{"disk full at the first write", "--", anyWrite, 1, fault{err: syscall.ENOSPC}, "writing %/model.gguf: no space",
		""},
	{"disk full at the last write", "--", anyWrite, 3, fault{err: syscall.ENOSPC}, "no space", ""},
	{"disk full with old files", "oo", anyWrite, 2, fault{err: syscall.ENOSPC}, "no space", ""},
	{"disk full in the second file", "--", "write mmproj-model.gguf.partial", 2, fault{err: syscall.ENOSPC},
		"%/mmproj-model.gguf: no space", ""},
	{"disk full in half a write", "--", anyWrite, 1, fault{err: syscall.ENOSPC, half: true}, "no space", ""},
	{"input or output error", "oo", anyWrite, 2, fault{err: syscall.EIO}, "input/output error", ""},
	{"quota", "--", anyWrite, 1, fault{err: syscall.EDQUOT}, "quota", ""},
	{"file too large", "--", anyWrite, 1, fault{err: syscall.EFBIG}, "too large", ""},
	{"short write", "--", anyWrite, 1, fault{half: true}, "short write", ""},
	{"short write with old files", "oo", "write mmproj-model.gguf.partial", 3, fault{half: true}, "short write", ""},
	{"emptying the main file", "--", "truncate model.gguf.partial", 2, fault{err: syscall.EIO}, "input/output error",
		""},
	{"emptying the main file for recovery", "--", "truncate model.gguf.partial", 1, fault{err: syscall.EIO},
		"input/output error", ""},
	{"sizing the main file", "--", "truncate model.gguf.partial", 3, fault{err: syscall.ENOSPC}, "no space", ""},
	{"sizing the second file", "oo", "truncate mmproj-model.gguf.partial", 2, fault{err: syscall.EFBIG}, "too large",
		""},
	{"syncing the main file", "--", "sync model.gguf.partial", 1, fault{err: syscall.EIO},
		"writing %/model.gguf: input/output error", ""},
	{"syncing the second file", "oo", "sync mmproj-model.gguf.partial", 1, fault{err: syscall.ENOSPC}, "no space", ""},
	{"naming the second file", "--", "rename mmproj-model.gguf.partial", 1, fault{err: syscall.EIO}, "renaming", ""},
	{"naming the main file", "--", "rename model.gguf.partial", 1, fault{err: syscall.ENOSPC}, "no space", ""},
	{"naming the second file, old ones there", "oo", "rename mmproj-model.gguf.partial", 1, fault{err: syscall.EACCES},
		"permission denied", ""},
	{"naming the main file, old ones there", "oo", "rename model.gguf.partial", 1, fault{err: syscall.EIO},
		"input/output error", ""},
	{"naming the main file, main old", "o-", "rename model.gguf.partial", 1, fault{err: syscall.EIO},
		"input/output error", ""},
	{"naming the main file, second old", "-o", "rename model.gguf.partial", 1, fault{err: syscall.EIO},
		"input/output error", ""},
	{"named, but the answer is lost", "--", "rename model.gguf.partial", 1, fault{err: syscall.EIO, done: true},
		"input/output error", ""},
	{"named, answer lost, old ones there", "oo", "rename mmproj-model.gguf.partial", 1,
		fault{err: syscall.EIO, done: true}, "input/output error", ""},
	{"aside, but the answer is lost", "oo", "rename model.gguf", 1, fault{err: syscall.EIO, done: true},
		"input/output error", ""},
	{"moving the old main file", "oo", "rename model.gguf", 1, fault{err: syscall.EBUSY}, "busy", ""},
	{"moving the old second file", "oo", "rename mmproj-model.gguf", 1, fault{err: syscall.EPERM}, "not permitted", ""},
	{"syncing the folder", "--", "syncdir .", 1, fault{err: syscall.EIO}, "input/output error", ""},
	{"syncing the folder, old ones there", "oo", "syncdir .", 1, fault{err: syscall.EIO}, "input/output error", ""},
	{"asking for free space", "--", "free .", 1, fault{err: syscall.EIO}, "input/output error", ""},
	{"read-only disk", "--", "open model.gguf.partial", 1, fault{err: syscall.EROFS}, "read-only", ""},
	{"read-only folder", "oo", "open mmproj-model.gguf.partial", 1, fault{err: syscall.EACCES},
		"%/mmproj-model.gguf: permission denied", ""},
	{"locked main file", "oo", "open model.gguf.partial", 1, fault{err: ErrLocked},
		"another run is writing %/model.gguf", ""},
	{"locked second file", "--", "open mmproj-model.gguf.partial", 1, fault{err: ErrLocked}, "another run is writing",
		""},
	{"looking for the target", "oo", "stat model.gguf", 1, fault{err: syscall.EIO}, "input/output error", ""},
	{"looking at the .partial file at last", "oo", "stat model.gguf.partial", 3, fault{err: syscall.EIO},
		"input/output error", ""},
	{"removing an old main file", "oo", "remove model.gguf.aside", 1, fault{err: syscall.EIO}, "", "nn"},
	{"removing an old second file", "oo", "remove mmproj-model.gguf.aside", 1, fault{err: syscall.EIO}, "", "nn"},
	{"closing", "oo", "close model.gguf.partial", 1, fault{err: syscall.EIO}, "", "nn"},
}

func TestFaults(t *testing.T) {
	base := t.TempDir()
	for _, c := range faults {
		dir := mkdir(t, base, c.name)
		c.before.make(t, dir)
		hit := 0
		disk := &faultyFS{fault: func(_ int, op string) fault {
			if op == c.op {
				if hit++; hit == c.nth {
					return c.fault
				}
			}
			return fault{}
		}}
		err := write(disk, dir, c.before.force(), newLetter)
		if hit < c.nth {
			t.Errorf("%s: no such operation: %q", c.name, disk.ops)
		}
		want := strings.ReplaceAll(c.want, "%", dir)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have error %v, want %q", c.name, err, want)
		}
		if c.after == "" {
			wantDir(t, c.name, dir, c.before)
		} else if got := state(t, dir); got != c.after {
			t.Errorf("%s: have %s, want %s", c.name, got, c.after)
		}
		if err := write(&faultyFS{}, dir, c.before.force(), newLetter); err != nil {
			t.Errorf("%s: the next run: %v", c.name, err)
		}
		wantDir(t, c.name+": the next run", dir, "nn")
	}
}

// Whichever operation fails, made or not: an error means that all is as before, and none that all
// is new.
func TestEveryFault(t *testing.T) {
	base := t.TempDir()
	for _, b := range befores {
		for _, done := range []bool{false, true} {
			for n, all := 1, n1(t, b); n <= all; n++ {
				dir := mkdir(t, base, b, done, n)
				b.make(t, dir)
				var op string
				disk := &faultyFS{fault: func(i int, name string) fault {
					if i != n {
						return fault{}
					}
					op = name
					return fault{err: syscall.ENOSPC, done: done}
				}}
				err := write(disk, dir, b.force(), newLetter)
				want := before("nn")
				if err != nil {
					want = b
					if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space") {
						t.Errorf("%s %s: have error %v, want one of no space", b, op, err)
					}
				}
				if got := state(t, dir); got != want {
					t.Errorf("%s %s done=%v: have %s, want %s (%v)", b, op, done, got, want, err)
				}
				if err := write(&faultyFS{}, dir, true, newLetter); err != nil {
					t.Errorf("%s %s: the next run: %v", b, op, err)
				}
				wantDir(t, op+": the next run", dir, "nn")
			}
		}
	}
}

// n1 returns the number of operations of a run without faults.
func n1(t *testing.T, b before) int {
	t.Helper()
	dir := t.TempDir()
	b.make(t, dir)
	disk := &faultyFS{}
	if err := write(disk, dir, b.force(), newLetter); err != nil {
		t.Fatal(err)
	}
	wantDir(t, "undisturbed", dir, "nn")
	return len(disk.ops)
}

// Two faults: of the work, and then of undoing it from some operation on. The next run repairs what
// is left, and nothing old is lost.
func TestFailingUndo(t *testing.T) {
	base := t.TempDir()
	for _, b := range befores {
		for n, all := 1, n1(t, b); n <= all; n++ {
			dir := mkdir(t, base, b, n)
			b.make(t, dir)
			disk := &faultyFS{fault: func(i int, op string) fault {
				if i < n {
					return fault{}
				}
				return fault{err: syscall.EIO}
			}}
			err := write(disk, dir, b.force(), newLetter)
			wantRecovered(t, disk.ops[min(n, len(disk.ops))-1], dir, b, err == nil)
		}
	}
}

// Exactly two faults: of the work, and of one step of undoing it.
func TestTwoFaults(t *testing.T) {
	base := t.TempDir()
	for _, b := range befores {
		for n, all := 1, n1(t, b); n <= all; n++ { // more than those that change something
			for m := n + 1; m <= n+8; m++ {
				dir := mkdir(t, base, b, n, " ", m)
				b.make(t, dir)
				err := write(failing(func(change int) bool { return change == n || change == m }), dir, b.force(),
					newLetter)
				if err == nil {
					all = n // only what Commit removes at the end follows
				}
				wantRecovered(t, fmt.Sprint(b, " faults at ", n, " and ", m), dir, b, err == nil)
				os.RemoveAll(dir)
			}
		}
	}
}

func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	before("oo").make(t, dir)
	err := write(&faultyFS{free: slack + 2900}, dir, true, newLetter)
	if err == nil || err.Error() != "no space: need 100 more bytes on "+dir {
		t.Errorf("have %v", err)
	}
	wantDir(t, "no room", dir, "oo")
	put(t, dir+"/model.gguf.partial", make([]byte, 1<<20)) // counts as free: it will be written over
	if err := write(&faultyFS{free: slack + 2000}, dir, true, newLetter); err != nil {
		t.Error(err)
	}
	if err := write(&faultyFS{free: -1}, dir, true, newLetter); err != nil {
		t.Error("unknown free space:", err)
	}
}
