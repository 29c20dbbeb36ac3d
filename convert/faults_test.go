package convert

// This file: conversions that are killed, that run out of disk, and that run side by side.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/internal/tinymodel"
)

// Variables that make the test binary a converter which kills itself.
const (
	killDir = "PALI_TEST_KILL_DIR" // where to convert to
	killAt  = "PALI_TEST_KILL_AT"  // before which operation on the disk; "n/2": in the middle of it
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		convertAndDie(dir, os.Getenv(killAt))
	}
	os.Exit(m.Run())
}

// tiny converts the tiny model.
func tiny(t testing.TB, o Options) (*Result, error) {
	return Run(context.Background(), archive(t, tinymodel.Arrays(tinymodel.Options{})), vocab(t), o)
}

// convertAndDie is the child's whole life.
func convertAndDie(dir, at string) {
	_, err := tiny(&testing.T{}, Options{Name: "tiny", Text: oneType(gguf.F32), Vision: oneType(gguf.F32), OutDir: dir,
		Threads: 1, fs: faultfs.Killing(at)})
	panic(fmt.Sprint("survived: ", err))
}

// operations converts once and returns the number of operations it takes, and what the files should
// be.
func operations(t *testing.T) (n int64, want [2]string) {
	disk := &faultfs.Disk{}
	o := options(t, gguf.F32)
	o.Threads, o.fs = 1, disk
	r, err := tiny(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return disk.Count(), hashes(t, r)
}

// A converter killed anywhere leaves no wrong file under a final name, and the next run makes the
// right ones.
func TestKilled(t *testing.T) {
	all, want := operations(t)
	base := t.TempDir()
	var wg sync.WaitGroup
	next := make(chan string)
	for range 3 {
		wg.Go(func() {
			for at := range next {
				dir, err := os.MkdirTemp(base, "")
				if err != nil {
					t.Error(err)
					continue
				}
				killed(t, dir, at, want)
			}
		})
	}
	for _, at := range faultfs.Points(all, 200) {
		next <- at
	}
	close(next)
	wg.Wait()
}

// killed runs one child, looks at what it left, and converts again.
func killed(t *testing.T, dir, at string, want [2]string) {
	if err := faultfs.Killed(killDir+"="+dir, killAt+"="+at); err != nil {
		t.Errorf("at %s: %v", at, err)
		return
	}
	r := &Result{TextPath: filepath.Join(dir, "tiny-F32.gguf"), VisionPath: filepath.Join(dir, "mmproj-tiny-F32.gguf")}
	_, noText := os.Stat(r.TextPath)
	_, noVision := os.Stat(r.VisionPath)
	if noText == nil && noVision != nil {
		t.Errorf("at %s: there is a text file and no mmproj file", at)
	}
	for i, missing := range []error{noText, noVision} {
		if missing == nil && fileHash(t, []string{r.TextPath, r.VisionPath}[i]) != want[i] {
			t.Errorf("at %s: file %d has its name and the wrong bytes", at, i)
		}
	}
	if _, err := tiny(t, Options{Name: "tiny", Text: oneType(gguf.F32), Vision: oneType(gguf.F32), OutDir: dir,
		Force: noText == nil}); err != nil {
		t.Errorf("at %s: the next run: %v", at, err)
		return
	}
	if got := [2]string{fileHash(t, r.TextPath), fileHash(t, r.VisionPath)}; got != want {
		t.Errorf("at %s: the next run made other files", at)
	}
	if left, err := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("at %s: the next run left %v (%v)", at, left, err)
	}
}

// A disk that is full from some operation on: an error that says so, and nothing left.
func TestDiskFull(t *testing.T) {
	all, _ := operations(t)
	const points = 60
	for i := range int64(points) {
		at := 1 + i*all/points
		o := options(t, gguf.F32)
		o.fs = faultfs.Full(at)
		_, err := tiny(t, o)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("operation %d of %d: %v", at, all, err)
		}
		wantEmpty(t, o.OutDir)
	}
}

// Two converters with the same target: at least one succeeds, another says why not, and the files
// are right.
func TestSideBySide(t *testing.T) {
	_, want := operations(t)
	for range 10 {
		dir := t.TempDir()
		var wg sync.WaitGroup
		var results [3]*Result
		var failed [3]error
		for i := range results {
			wg.Go(func() {
				results[i], failed[i] = tiny(t, Options{Name: "tiny", Text: oneType(gguf.F32),
					Vision: oneType(gguf.F32), OutDir: dir})
			})
		}
		wg.Wait()
		done := 0
		for i, err := range failed {
			if err == nil {
				done++
				if got := hashes(t, results[i]); got != want {
					t.Error("wrong files")
				}
			} else if s := err.Error(); !strings.Contains(s, "another run is writing") &&
				!strings.Contains(s, " exists") {
				t.Error(err)
			}
		}
		if done == 0 {
			t.Error("none succeeded:", failed)
		}
		if left, err := os.ReadDir(dir); len(left) != 2 {
			t.Errorf("%d files left (%v)", len(left), err)
		}
	}
}
