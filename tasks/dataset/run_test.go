package dataset_test

// This file: runs that are killed, that find the disk full, that are resumed, and that are refused.

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

// everything returns a run that labels the images of folder in all formats.
func everything(folder string, d *masks.Decoder) labelling {
	l := labelling{out: filepath.Join(folder, "out"), formats: dataset.FormatNames(), decoder: d, minScore: 0.3}
	for _, name := range names {
		path := filepath.Join(folder, "pictures", filepath.FromSlash(name))
		l.sources = append(l.sources, dataset.Source{Name: name, Path: path})
	}
	if err := os.MkdirAll(l.out, 0o700); err != nil {
		panic(err)
	}
	return l
}

// undisturbed writes the images and the mask file to folder, and returns a run, the files that it
// writes and the number of disk operations that it takes.
func undisturbed(t *testing.T, folder string) (l labelling, want map[string]string, operations int64) {
	t.Helper()
	writeImages(t, filepath.Join(folder, "pictures"))
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
	// The number of records that are synced at once varies.
	return l, want, disk.Count() - 2*int64(len(names))
}

// TestKilled checks that a run that was killed at each of 100 points, at some twice, and then
// resumed writes the same bytes as an undisturbed one.
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
		if i%3 == 0 { // and again while it is resumed; it may be done by then
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

// TestFullDisk checks that a run fails on a full disk, and can be resumed when there is room.
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

// TestResumes checks that the model is not asked about images that the journal has: after an error
// of the model, about two equal images, for another format.
func TestResumes(t *testing.T) {
	folder := t.TempDir()
	l := labelling{out: t.TempDir(), formats: []string{"jsonl"}, sources: writeImages(t, folder)}
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
	if n := strings.Count(faultfs.Files(t, l.out)["labels.jsonl"], "\n"); n != 3*(len(names)+1) {
		t.Errorf("%d lines", n)
	}
	l.asked = func(int) error { return errors.New("asked again") }
	l.formats = []string{"jsonl", "voc"}
	if s, err := l.run(); err != nil || len(s.Files) != 2 || len(faultfs.Files(t, l.out)) != 2+len(names)+1 {
		t.Errorf("%v: %+v", err, s)
	}
}

// TestBadImages checks that an image is left out as long as it cannot be read.
func TestBadImages(t *testing.T) {
	folder := t.TempDir()
	l := labelling{out: t.TempDir(), formats: []string{"voc", "csv"}, sources: writeImages(t, folder)}
	var bad []string
	l.onError = func(s dataset.Source) { bad = append(bad, s.Name) }
	write := func(b string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "one/a.png"), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := faultfs.Files(t, folder)["one/a.png"]
	for _, broken := range []bool{true, false, true} {
		bad = nil
		if write(whole); broken {
			write("no image")
		}
		s, err := l.run()
		if err != nil {
			t.Fatal(err)
		}
		_, there := faultfs.Files(t, l.out)["voc/one/a.xml"]
		inTable := strings.Contains(faultfs.Files(t, l.out)["labels.csv"], "\none/a.png")
		if there == broken || inTable == broken || (len(bad) == 1) != broken || (s.Images == len(names)) == broken ||
			(l.outcome.Digests[1] == dataset.Digest{}) != broken {
			t.Errorf("broken %v: bad %v, there %v, in the table %v, %+v", broken, bad, there, inTable, s)
		}
	}
}

// TestOtherFiles checks that files of trainers and users beside those of the images are accepted.
func TestOtherFiles(t *testing.T) {
	l := labelling{out: t.TempDir(), formats: dataset.FormatNames(), sources: writeImages(t, t.TempDir()),
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

// TestRefuses checks that files of other runs and programs are refused, and nothing is changed.
func TestRefuses(t *testing.T) {
	folder, d := t.TempDir(), decoder(t)
	sources := writeImages(t, folder)
	put := func(t *testing.T, l *labelling, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(l.out, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, l *labelling) // after a run
		is     error                            // errors.Is or, for an ExistsError, errors.As; nil: neither
		want   string
	}{
		{"another run", func(_ *testing.T, l *labelling) { l.name = "2" }, dataset.ErrOtherRun, "another model"},
		{"no journal", func(_ *testing.T, l *labelling) { os.Remove(filepath.Join(l.out, dataset.JournalName)) },
			atomicfile.ExistsError{}, "coco.json exists"},
		{"another file", func(t *testing.T, l *labelling) { put(t, l, dataset.JournalName, "notes\n") },
			nil, "not a record of labels"},
		{"labels of another image", func(t *testing.T, l *labelling) {
			put(t, l, "yolo/labels/other.txt", "0 0 0 1 1\n")
		}, nil, "belongs to none of these images"},
		{"a removed image", func(_ *testing.T, l *labelling) { l.sources = append(sources[:1:1], sources[2:]...) },
			nil, "one/a.png and 1 other file in "},
		{"a file in place of a folder", func(t *testing.T, l *labelling) {
			os.RemoveAll(filepath.Join(l.out, "voc"))
			put(t, l, "voc", "x")
		}, nil, "not what voc is written to"},
		{"an empty image", func(t *testing.T, l *labelling) { put(t, l, dataset.JournalName, record(0, 5, 0)) },
			nil, "an image of 0 x 5"},
		{"a huge image", func(t *testing.T, l *labelling) { put(t, l, dataset.JournalName, record(1e8, 1e8, 0)) },
			nil, "an image of 100000000 x 100000000"},
		{"too many scores", func(t *testing.T, l *labelling) { put(t, l, dataset.JournalName, record(5, 5, 2)) },
			nil, "1 objects with 2 scores"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labelling{out: t.TempDir(), formats: dataset.FormatNames(), sources: sources, decoder: d}
			if _, err := l.run(); err != nil {
				t.Fatal(err)
			}
			c.change(t, &l)
			before := faultfs.Files(t, l.out)
			_, err := l.run()
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				errors.As(c.is, new(atomicfile.ExistsError)) != errors.As(err, new(atomicfile.ExistsError)) ||
				(c.is == dataset.ErrOtherRun) != errors.Is(err, dataset.ErrOtherRun) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if d := cmp.Diff(before, faultfs.Files(t, l.out)); d != "" {
				t.Errorf("files changed: %.1000s", d)
			}
		})
	}
}

// record returns a line of a journal with one object of the given number of scores.
func record(width, height, scores int) string {
	all := strings.TrimSuffix(strings.Repeat(`{"score":1,"score_box":1,"score_label":1},`, scores), ",")
	answer := `{"prompt":"detect a","text":"<loc0000><loc0000><loc0001><loc0001>","tokens":5,"scores":[` + all + `]}`
	return fmt.Sprintf(`{"run":"run ","sha256":"%064d","image":"a","width":%d,"height":%d,"answers":[%s]}`+"\n",
		0, width, height, answer)
}

// TestMemory checks that the memory of a run does not grow with the number of images, except for
// their names and digests.
func TestMemory(t *testing.T) {
	folder := t.TempDir()
	const n = 10_000
	l := labelling{out: t.TempDir(), formats: []string{"coco", "csv", "jsonl"}}
	for i := range n {
		path := filepath.Join(folder, fmt.Sprintf("%05d.png", i))
		writeImage(t, path, 4+i%5, 4+i%7, uint64(i))
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
