package dataset_test

// This file: runs that are killed, that find the disk full, that go on, and those that may not.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Variables that make the test binary a labeller that kills itself.
const (
	killFolder = "DATASET_TEST_FOLDER"
	killAt     = "DATASET_TEST_KILL" // as faultfs.Killing takes it
)

func TestMain(m *testing.M) {
	if os.Getenv(killAt) == "" {
		os.Exit(m.Run())
	}
	d, err := masks.Open(filepath.Join(os.Getenv(killFolder), "masks-demo.gguf"))
	if err != nil {
		panic(err)
	}
	l := everything(os.Getenv(killFolder), d)
	l.fs = faultfs.Killing(os.Getenv(killAt))
	_, err = l.run()
	panic(fmt.Sprint("survived: ", err))
}

// everything labels the images of a folder in all formats.
func everything(folder string, d *masks.Decoder) labelling {
	l := labelling{out: filepath.Join(folder, "out"), formats: dataset.FormatNames(), decoder: d, least: 0.3}
	for _, name := range names {
		l.sources = append(l.sources, dataset.Source{Name: name, Path: filepath.Join(folder, "pictures",
			filepath.FromSlash(name))})
	}
	if err := os.MkdirAll(l.out, 0o700); err != nil {
		panic(err)
	}
	return l
}

// undisturbed makes the images and the mask file in a folder, and returns what a run leaves and how
// many operations on the disk it takes.
func undisturbed(t *testing.T, folder string) (l labelling, want map[string]string, operations int64) {
	t.Helper()
	pictures(t, filepath.Join(folder, "pictures"))
	maskFile(t, folder)
	d, err := masks.Open(filepath.Join(folder, "masks-demo.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	disk := &faultfs.Disk{}
	l = everything(folder, d)
	l.fs = disk
	if _, err := l.run(); err != nil {
		t.Fatal(err)
	}
	l.fs = nil
	want = faultfs.Files(t, l.out)
	if len(want) < 5*len(names) {
		t.Fatalf("%d files", len(want))
	}
	return l, want, disk.Count() - 2*int64(len(names)) // how many rows go to the disk at once is not always the same
}

// Killed at 100 points, some twice, a run ends with the bytes of one that nobody disturbed.
func TestKilled(t *testing.T) {
	folder := t.TempDir()
	l, want, operations := undisturbed(t, folder)
	some := 80
	if testing.Short() {
		some = 10
	}
	points := faultfs.Points(operations, some)
	points = append(points, faultfs.Points(20, 20)...) // the journal's
	for i, at := range points {
		if err := os.RemoveAll(l.out); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(l.out, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := faultfs.Killed(killFolder+"="+folder, killAt+"="+at); err != nil {
			t.Fatalf("at %s: %v", at, err)
		}
		if i%3 == 0 { // and again, when it had gone on for a while; it may be done by then
			faultfs.Killed(killFolder+"="+folder, killAt+"="+points[(i*7)%len(points)])
		}
		l.fs = &faultfs.Disk{} // does not sync, for speed
		if _, err := l.run(); err != nil {
			t.Fatalf("after a kill at %s: %v", at, err)
		}
		if d := cmp.Diff(want, faultfs.Files(t, l.out)); d != "" {
			t.Fatalf("after a kill at %s (-want +got)\n%.2000s", at, d)
		}
	}
}

// On a full disk a run fails, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	l, want, operations := undisturbed(t, folder)
	const points = 40
	for i := range int64(points) {
		if err := os.RemoveAll(l.out); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(l.out, 0o700); err != nil {
			t.Fatal(err)
		}
		l.fs = faultfs.Full(1 + i*operations/points)
		if _, err := l.run(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("at %d of %d: %v", i, points, err)
		}
		l.fs = nil
		if _, err := l.run(); err != nil {
			t.Fatalf("after %d of %d: %v", i, points, err)
		}
		if d := cmp.Diff(want, faultfs.Files(t, l.out)); d != "" {
			t.Fatalf("after %d of %d (-want +got)\n%.2000s", i, points, d)
		}
	}
}

// A run asks for nothing that the journal has: not after an error of the model, not about an image
// that is there twice, not for another format.
func TestGoesOn(t *testing.T) {
	folder := t.TempDir()
	l := labelling{out: t.TempDir(), formats: []string{"jsonl"}, sources: pictures(t, folder)}
	twin := filepath.Join(folder, "twin.png")
	b, err := os.ReadFile(l.sources[3].Path)
	if err == nil {
		err = os.WriteFile(twin, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.sources = append(l.sources, dataset.Source{Name: "twin.png", Path: twin})
	broken := errors.New("the model broke")
	l.asked = func(n int) error {
		if n == 5 {
			return broken
		}
		return nil
	}
	if _, err := l.run(); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if all := faultfs.Files(t, l.out); len(all) != 1 || strings.Count(all[dataset.JournalName], "\n") != 4 {
		t.Fatalf("%v", all)
	}
	l.asked = nil
	if _, err := l.run(); err != nil || l.outcome.Answered != len(names)-4 || l.outcome.Known != 5 ||
		l.outcome.Busy > l.outcome.Took {
		t.Fatalf("%v: %+v", err, l.outcome)
	}
	if rows := strings.Count(faultfs.Files(t, l.out)["labels.jsonl"], "\n"); rows != 3*(len(names)+1) {
		t.Errorf("%d rows", rows)
	}
	l.asked = func(int) error { return errors.New("asked again") }
	l.formats = []string{"jsonl", "voc"}
	if s, err := l.run(); err != nil || len(s.Files) != 2 || len(faultfs.Files(t, l.out)) != 2+len(names)+1 {
		t.Errorf("%v: %+v", err, s)
	}
}

// An image that cannot be read is left out, until it can.
func TestBadImages(t *testing.T) {
	folder := t.TempDir()
	l := labelling{out: t.TempDir(), formats: []string{"voc", "csv"}, sources: pictures(t, folder)}
	var said []string
	l.said = func(s dataset.Source) { said = append(said, s.Name) }
	write := func(b string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "one/a.png"), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := faultfs.Files(t, folder)["one/a.png"]
	for _, bad := range []bool{true, false, true} {
		said = nil
		if write(whole); bad {
			write("no image")
		}
		s, err := l.run()
		if err != nil {
			t.Fatal(err)
		}
		_, there := faultfs.Files(t, l.out)["voc/one/a.xml"]
		inTable := strings.Contains(faultfs.Files(t, l.out)["labels.csv"], "\none/a.png")
		if there == bad || inTable == bad || (len(said) == 1) != bad || (s.Images == len(names)) == bad ||
			(l.outcome.Sums[1] == dataset.Digest{}) != bad {
			t.Errorf("bad %v: %v, there %v, in the table %v, %+v", bad, said, there, inTable, s)
		}
	}
}

// What trainers and people put beside the files of images is no hindrance.
func TestOthersFiles(t *testing.T) {
	l := labelling{out: t.TempDir(), formats: dataset.FormatNames(), sources: pictures(t, t.TempDir()),
		decoder: decoder(t)}
	for range 2 {
		if _, err := l.run(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"yolo/labels.cache", "yolo/train.txt", "yolo-seg/labels/two/notes.md",
			"voc/README", "masks/legend.svg", "mine.json"} {
			if err := os.WriteFile(filepath.Join(l.out, filepath.FromSlash(name)), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What is not this run's is refused, and nothing is changed.
func TestRefuses(t *testing.T) {
	folder, d := t.TempDir(), decoder(t)
	sources := pictures(t, folder)
	for want, prepare := range map[string]func(l *labelling, file func(name, text string)){
		"another model": func(l *labelling, _ func(string, string)) { l.name = "2" },
		"coco.json exists": func(l *labelling,
			file func(string, string)) {
			os.Remove(filepath.Join(l.out, dataset.JournalName))
		},
		"not a row of labels": func(l *labelling, file func(string, string)) {
			file(dataset.JournalName,
				"notes\n")
		},
		"belongs to none of these images": func(l *labelling, file func(string, string)) {
			file("yolo/labels/other.txt",
				"0 0 0 1 1\n")
		},
		"one/a.png belongs to none": func(l *labelling,
			_ func(string, string)) {
			l.sources = append(sources[:1:1], sources[2:]...)
		},
		"not what voc is written to": func(l *labelling, file func(string, string)) {
			os.RemoveAll(filepath.Join(l.out, "voc"))
			file("voc", "x")
		},
		"an image of 0 x 5": func(l *labelling, file func(string, string)) {
			file(dataset.JournalName,
				row(0, 5, 0))
		},
		"an image of 100000000 x 100000000": func(l *labelling, file func(string, string)) {
			file(dataset.JournalName,
				row(1e8, 1e8, 0))
		},
		"1 objects with 2 scores": func(l *labelling, file func(string, string)) {
			file(dataset.JournalName,
				row(5, 5, 2))
		},
		"changed after it was labelled": nil,
	} {
		l := labelling{out: t.TempDir(), formats: dataset.FormatNames(), sources: sources, decoder: d}
		if prepare == nil {
			l.asked = func(n int) error {
				if n == len(names) {
					return os.WriteFile(sources[0].Path, []byte("another"), 0o600)
				}
				return nil
			}
		} else if _, err := l.run(); err != nil {
			t.Fatal(err)
		} else {
			prepare(&l, func(name, text string) {
				if err := os.WriteFile(filepath.Join(l.out, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			})
		}
		before := faultfs.Files(t, l.out)
		_, err := l.run()
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.HasSuffix(want, "exists") != errors.As(err, new(atomicfile.ExistsError)) ||
			want == "another model" != errors.Is(err, dataset.ErrOtherRun) {
			t.Errorf("want %q: %v", want, err)
		}
		if d := cmp.Diff(before, faultfs.Files(t, l.out)); d != "" && prepare != nil {
			t.Errorf("%q: %.1000s", want, d)
		}
		write(t, sources[0].Path, 10, 90, 0)
	}
}

// row is a line of a journal with one object.
func row(width, height, scores int) string {
	all := strings.TrimSuffix(strings.Repeat(`{"score":1,"score_box":1,"score_label":1},`, scores), ",")
	return fmt.Sprintf(
		`{"run":"run ","sha256":"%064d","image":"a","width":%d,"height":%d,"answers":[{"prompt":"detect a","text":"<loc0000><loc0000><loc0001><loc0001>","tokens":5,"scores":[%s]}]}`+"\n", 0, width, height, all)
}

// The memory that a run holds does not grow with the number of images, but for their names and
// sums.
func TestMemory(t *testing.T) {
	folder := t.TempDir()
	const n = 10_000
	l := labelling{out: t.TempDir(), formats: []string{"coco", "csv", "jsonl"}}
	for i := range n {
		path := filepath.Join(folder, fmt.Sprintf("%05d.png", i))
		write(t, path, 4+i%5, 4+i%7, uint64(i))
		l.sources = append(l.sources, dataset.Source{Name: filepath.Base(path), Path: path})
	}
	var early, late uint64
	l.asked = func(i int) error {
		if i != n/10 && i != n {
			return nil
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if early == 0 {
			early = m.HeapAlloc
		}
		late = m.HeapAlloc
		return nil
	}
	if s, err := l.run(); err != nil || s.Images < n*9/10 {
		t.Fatalf("%v: %+v", err, s)
	}
	t.Logf("%d kB at %d images, %d kB at %d", early>>10, n/10, late>>10, n)
	if late > early+3<<20 {
		t.Errorf("%d kB at %d images, %d kB at %d", early>>10, n/10, late>>10, n)
	}
}
