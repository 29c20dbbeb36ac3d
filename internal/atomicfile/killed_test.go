package atomicfile

// This file: processes that are killed, once and twice, and processes side by side.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Variables that make the test binary a writer of the pair.
const (
	childDir    = "ATOMICFILE_TEST_DIR"
	childForce  = "ATOMICFILE_TEST_FORCE"  // "true" or "false"
	childKill   = "ATOMICFILE_TEST_KILL"   // before which operation it kills itself; "n/2": in the middle of it
	childLetter = "ATOMICFILE_TEST_LETTER" // instead: write pairs of this letter, again and again
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childKill) != "":
		writeAndDie()
	case os.Getenv(childLetter) != "":
		writeOften()
	default:
		os.Exit(m.Run())
	}
}

func writeAndDie() {
	at, half := strings.CutSuffix(os.Getenv(childKill), "/2")
	last, err := strconv.Atoi(at)
	if err != nil {
		panic(err)
	}
	disk := &faultyFS{fault: func(n int, op string) fault {
		switch {
		case n == last && half && strings.HasPrefix(op, "write "):
			return fault{half: true, err: errors.New("killed at the next operation")}
		case n < last:
			return fault{}
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
	err = write(disk, os.Getenv(childDir), os.Getenv(childForce) == "true", newLetter)
	panic(fmt.Sprint("survived: ", err))
}

// What a process leaves that is killed before any operation, or in the middle of a write, the next
// run repairs.
func TestKilled(t *testing.T) {
	base := t.TempDir()
	var group sync.WaitGroup
	slots := make(chan bool, runtime.GOMAXPROCS(0)+1)
	for _, b := range befores {
		for n, all := 1, n1(t, b); n <= 2*all; n++ {
			at := fmt.Sprint((n + 1) / 2)
			if n%2 == 0 {
				at += "/2"
			}
			dir := mkdir(t, base, b, n)
			b.make(t, dir)
			slots <- true
			group.Add(1)
			go func() {
				defer func() { <-slots; group.Done() }()
				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), childDir+"="+dir, childKill+"="+at,
					fmt.Sprint(childForce, "=", b.force()))
				out, err := child.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || runtime.GOOS != "windows" && exit.Exited() {
					t.Errorf("%s at %s: not killed: %v %s", b, at, err, out)
					return
				}
				wantRecovered(t, fmt.Sprint(b, " at ", at), dir, b, false)
			}()
		}
	}
	group.Wait()
}

// wantRecovered checks a folder in which a run was interrupted: no half file, no mixed pair,
// nothing old lost; then that Begin repairs it, and that the next run makes the new pair.
func wantRecovered(t *testing.T, what, dir string, b before, committed bool) {
	t.Helper()
	got := state(t, dir)
	if strings.Contains(string(got), "!") || committed && got != "nn" || got[0] == newLetter && got != "nn" ||
		got[0] == oldLetter && got != b {
		t.Errorf("%s: have %s under final names, began with %s", what, got, b)
	}
	for i, name := range names {
		aside := letter(t, filepath.Join(dir, name+asideSuffix), i)
		if b[i] == oldLetter && got[i] != oldLetter && aside != oldLetter && got != "nn" {
			t.Errorf("%s: the old %s is lost: have %s, and %c aside", what, name, got, aside)
		}
	}
	want := b // after the repair by Begin
	if got == "nn" {
		want = got
	}
	s, err := Begin(pair(dir), Options{Force: b.force(), FS: &faultyFS{}})
	if err == nil {
		err = s.Abort()
	} else if got == "nn" && strings.Contains(err.Error(), " exists") {
		err = nil
	}
	if err != nil {
		t.Errorf("%s: the next Begin: %v", what, err)
	}
	wantDir(t, what+": the next Begin", dir, want)
	if err := write(&faultyFS{}, dir, want.force(), newLetter); err != nil {
		t.Errorf("%s: the next run: %v", what, err)
	}
	wantDir(t, what+": the next run", dir, "nn")
}

// The run after a killed one is killed too, each at every operation that changes something. A disk
// that does nothing from then on simulates the kill.
func TestKilledTwice(t *testing.T) {
	base := t.TempDir()
	var group sync.WaitGroup
	for _, b := range befores {
		group.Add(1)
		go func() {
			defer group.Done()
			for n, whole := 1, false; !whole; n++ {
				for m, survived := 1, false; !survived; m++ {
					dir := mkdir(t, base, b, n, " ", m)
					b.make(t, dir)
					whole = write(dead(n), dir, b.force(), newLetter) == nil
					was := state(t, dir)
					survived = write(dead(m), dir, b.force() || was == "nn", newLetter) == nil
					// the old pair is what the first run made
					if what := fmt.Sprint(b, " at ", n, " and ", m); was == "nn" {
						wantRecovered(t, what, dir, "nn", survived)
					} else {
						wantRecovered(t, what, dir, b, survived)
					}
				}
			}
		}()
	}
	group.Wait()
}

// failing returns a disk that fails at those operations that change something for which at, given
// their number from 1 on, is true.
func failing(at func(change int) bool) *faultyFS {
	changes := 0
	return &faultyFS{fault: func(_ int, op string) fault {
		if strings.HasPrefix(op, "stat ") || strings.HasPrefix(op, "free ") || strings.HasPrefix(op, "sync ") {
			return fault{}
		}
		if changes++; at(changes) {
			return fault{err: errors.New("failed")}
		}
		return fault{}
	}}
}

// dead returns a disk that does nothing from change number from on.
func dead(from int) *faultyFS { return failing(func(change int) bool { return change >= from }) }

// The run after a killed one has one fault, at every operation that changes something, and the run
// after that one cleans up.
func TestFaultAfterKill(t *testing.T) {
	base := t.TempDir()
	for _, b := range befores {
		for n, whole := 1, false; !whole; n++ {
			for m, hit := 1, true; hit; m++ {
				dir := mkdir(t, base, b, n, " ", m)
				b.make(t, dir)
				whole = write(dead(n), dir, b.force(), newLetter) == nil
				was := state(t, dir)
				if was != "nn" {
					was = b
				}
				hit = false
				err := write(failing(func(change int) bool { hit = hit || change == m; return change == m }), dir,
					was.force(), newLetter)
				wantRecovered(t, fmt.Sprint(b, " killed at ", n, ", fault at ", m), dir, was, err == nil)
				os.RemoveAll(dir)
			}
		}
	}
}

const rounds = 60

// writeOften is the main function of a child that runs beside another.
func writeOften() {
	for range rounds {
		err := write(nil, os.Getenv(childDir), true, os.Getenv(childLetter)[0])
		switch {
		case err == nil:
			fmt.Println("ok")
		case !strings.Contains(err.Error(), "another run is writing"):
			fmt.Println("error:", err)
		}
	}
}

// Processes that write the same pair at once: each writes it whole or fails because another does,
// and the final pair is that of one process.
func TestSideBySide(t *testing.T) {
	dir := t.TempDir()
	var children []*exec.Cmd
	var out [3]strings.Builder
	for i := range out {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir, childLetter+"="+string(rune('a'+i)))
		child.Stdout, child.Stderr = &out[i], &out[i]
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	done := 0
	for i, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
		done += strings.Count(out[i].String(), "ok\n")
		if strings.Contains(out[i].String(), "error") {
			t.Error(out[i].String())
		}
	}
	got := state(t, dir)
	if done == 0 || got[0] != got[1] || got[0] < 'a' || got[0] > 'c' {
		t.Errorf("%d runs succeeded; have %s", done, got)
	}
	wantDir(t, "side by side", dir, got)
}
