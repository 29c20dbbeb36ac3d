//go:build unix

package dataset_test

// This file: what one image, one name or one label costs: never another image, and never silence.

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// TestImageChangesMeanwhile checks that an image that changes or vanishes after it was labelled is
// left out of all formats, and named, and that the others are written as if it had never been.
func TestImageChangesMeanwhile(t *testing.T) {
	d := decoder(t)
	const box = "<loc0100><loc0100><loc0500><loc0600>"
	texts := []string{box + " cat ; " + box + " dog",
		box + tokens("seg", 3, make([]int, masks.PerMask)...) + " A/C unit (white)", "x"}
	for _, c := range []struct {
		name, want string
		change     func(path string) error
	}{
		{"changes", "changed after it was labelled", func(path string) error {
			return os.WriteFile(path, []byte("other"), 0o600)
		}},
		{"grows", "changed after it was labelled", func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, append(b, 0), 0o600))
		}},
		{"is emptied", "changed after it was labelled", func(path string) error { return os.Truncate(path, 0) }},
		{"vanishes", "no such file or directory", os.Remove},
		{"becomes a folder", "is a folder, not a regular file", func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}},
		{"becomes a FIFO", "is a pipe (FIFO), not a regular file", func(path string) error {
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			l := labelling{out: t.TempDir(), formats: dataset.FormatNames(), decoder: d, fs: &faultfs.Disk{},
				sources: writeImages(t, folder), texts: texts}
			l.sources = append(l.sources[1:2:2], l.sources[4:]...) // none is renamed for another
			if _, err := l.run(); err != nil {                     // an earlier run wrote its files
				t.Fatal(err)
			}
			for _, name := range []string{"yolo/images/one/a.png", "yolo-seg/images/one/a.png"} {
				if err := os.Remove(filepath.Join(l.out, name)); err != nil {
					t.Fatal(err)
				}
			}
			os.Remove(filepath.Join(l.out, dataset.JournalName))
			l.asked = func(n int) error {
				if n == len(l.sources) {
					return c.change(l.sources[0].Path)
				}
				return nil
			}
			l.again = true
			s, err := l.run()
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Bad) != 1 || s.Bad[0].Name != "one/a.png" || !strings.Contains(s.Bad[0].Err.Error(), c.want) ||
				s.Images != len(l.sources)-1 {
				t.Errorf("%+v, want one image, %q", s, c.want)
			}
			rest := labelling{out: t.TempDir(), formats: l.formats, decoder: d, fs: l.fs, sources: l.sources[1:],
				texts: texts}
			if _, err := rest.run(); err != nil {
				t.Fatal(err)
			}
			want, have := faultfs.Files(t, rest.out), faultfs.Files(t, l.out)
			delete(want, dataset.JournalName)
			delete(have, dataset.JournalName)
			if d := cmp.Diff(want, have); d != "" {
				t.Errorf("files (-want +got)\n%.2000s", d)
			}
		})
	}
}

// TestLongNames checks that no name of an image keeps its files, or those of others, from being
// written: each format has all images, and COCO their whole names.
func TestLongNames(t *testing.T) {
	deep := strings.Repeat(strings.Repeat("d", 200)+"/", 6)
	all := []string{"ok.png", strings.Repeat("x", 251) + ".png", strings.Repeat("x", 250) + "y.png",
		strings.Repeat("x", 239) + ".png", strings.Repeat("x", 240) + ".png", strings.Repeat("猫", 83) + ".png",
		"a" + strings.Repeat("猫", 82) + ".jpg", strings.Repeat("X", 251) + ".png", deep + "a.png", deep + "b.png",
		strings.Repeat("z", 255), "con.png", "aux.x.png", "d/NUL", "a.png/b.png", "a.txt/c.png", "a.gif", "a.jpg",
		"A.png",
		"e\u0301.png", "é.png", "é.jpg"}
	folder := t.TempDir()
	l := labelling{out: filepath.Join(t.TempDir(), "out"), formats: dataset.FormatNames(), decoder: decoder(t),
		fs: &faultfs.Disk{}}
	for i, name := range all {
		path := filepath.Join(folder, filepath.FromSlash(name))
		writeFile(t, path, pngBytes(t, 20, 30, i))
		l.sources = append(l.sources, dataset.Source{Name: name, Path: path})
	}
	if err := os.MkdirAll(l.out, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := l.run()
	if err != nil {
		t.Fatal(err)
	}
	if s.Images != len(all) || len(s.Bad) > 0 || len(s.Notes) != 1 ||
		s.Notes[0] != "9 images' names are too long for files, and cut there" {
		t.Errorf("%d images, %v, %q", s.Images, s.Bad, s.Notes)
	}
	files := faultfs.Files(t, l.out)
	for _, name := range all {
		if !strings.Contains(files["coco.json"], fmt.Sprintf("%q", name)) {
			t.Errorf("coco.json has no %q", name)
		}
	}
	folded := map[string]bool{}
	for name := range files {
		if base := filepath.Base(name); len(base)+len(".partial") > 255 || !utf8.ValidString(base) {
			t.Errorf("the file name %q of %d bytes", base, len(base))
		}
		for _, part := range strings.Split(name, "/") {
			switch stem, _, _ := strings.Cut(strings.ToLower(part), "."); stem {
			case "con", "aux", "nul":
				t.Errorf("%q is a device of Windows", name)
			}
		}
		if key := strings.ToLower(norm.NFC.String(name)); folded[key] {
			t.Errorf("two files %q on some file systems", name)
		} else {
			folded[key] = true
		}
	}
	for _, c := range []struct{ folder, ext string }{{"yolo/images", ""}, {"voc", ".xml"}, {"labelme", ".json"},
		{"masks", ".png"}} {
		n := 0
		for name := range files {
			if strings.HasPrefix(name, c.folder+"/") && strings.HasSuffix(name, c.ext) {
				n++
			}
		}
		if n != len(all) {
			t.Errorf("%s: %d files, want %d", c.folder, n, len(all))
		}
	}
	before := files
	if s, err = l.run(); err != nil || s.Images != len(all) { // the same names again
		t.Fatalf("%v: %+v", err, s)
	}
	if d := cmp.Diff(before, faultfs.Files(t, l.out)); d != "" {
		t.Errorf("again: %.1000s", d)
	}
}

// nameLimit is a disk that refuses names longer than 60 bytes, as some encrypted ones do.
type nameLimit struct{ faultfs.Disk }

func (d *nameLimit) Stat(path string) (os.FileInfo, error) {
	if len(filepath.Base(path)) > 60 {
		return nil, &fs.PathError{Op: "lstat", Path: path, Err: syscall.ENAMETOOLONG}
	}
	return d.Disk.Stat(path)
}

// TestShorterNames checks that on a disk that takes shorter names only the image is left out.
func TestShorterNames(t *testing.T) {
	folder, long := t.TempDir(), strings.Repeat("x", 100)+".png"
	l := labelling{out: t.TempDir(), formats: []string{"coco", "yolo", "voc"}, fs: &nameLimit{}}
	for i, name := range []string{"a.png", long, "b.png"} {
		path := filepath.Join(folder, name)
		writeFile(t, path, pngBytes(t, 20, 30, i))
		l.sources = append(l.sources, dataset.Source{Name: name, Path: path})
	}
	s, err := l.run()
	if err != nil || s.Images != 2 || len(s.Bad) != 1 || s.Bad[0].Name != long ||
		!errors.Is(s.Bad[0].Err, syscall.ENAMETOOLONG) {
		t.Fatalf("%v: %+v", err, s)
	}
	for name, text := range faultfs.Files(t, l.out) {
		if name != dataset.JournalName && (strings.Contains(name, "xxx") || strings.Contains(text, "xxx")) {
			t.Errorf("%s has the image", name)
		}
	}
}

// TestSpoolsAreRemoved checks that what a killed run left is removed, and no other file.
func TestSpoolsAreRemoved(t *testing.T) {
	l := labelling{out: t.TempDir(), formats: []string{"coco", "csv"}, sources: writeImages(t, t.TempDir())[:1]}
	for _, name := range []string{".spool-123", ".spool-4567890", ".spool-", ".spool-mine", "x.spool-1"} {
		writeFile(t, filepath.Join(l.out, name), []byte("x"))
	}
	if err := os.Symlink("x.spool-1", filepath.Join(l.out, ".spool-9")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.run(); err != nil {
		t.Fatal(err)
	}
	want := []string{".spool-", ".spool-9", ".spool-mine", "coco.json", "journal.jsonl", "labels.csv", "x.spool-1"}
	if have := namesOf(faultfs.Files(t, l.out)); !slices.Equal(have, want) {
		t.Errorf("%q, want %q", have, want)
	}
}

// TestFormulas checks that no cell of the CSV file is a formula for a spreadsheet, and that other
// texts, and numbers, are as they were.
func TestFormulas(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a cat", "a cat"},
		{"=1+1", "'=1+1"},
		{"+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"},
		{"-2+3", "'-2+3"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"\t=1", "'\t=1"},
		{"\r=1", "'\r=1"},
		{"\n=1", "'\n=1"},
		{"＝1", "'＝1"},
		{"-12.5", "-12.5"},
		{"+3", "+3"},
		{"1e9", "1e9"},
		{"'quoted'", "'quoted'"},
		{"a = b", "a = b"},
		{"\x1b[31mred\x00", "[31mred"},
		{"", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "=a.png")
			writeFile(t, path, pngBytes(t, 20, 30, 1))
			l := labelling{out: t.TempDir(), formats: []string{"csv", "jsonl"},
				texts:   []string{"nothing", "nothing", c.text},
				sources: []dataset.Source{{Name: "=a.png", Path: path}}}
			if _, err := l.run(); err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(strings.NewReader(faultfs.Files(t, l.out)["labels.csv"])).ReadAll()
			if err != nil || len(rows) != 4 || rows[3][4] != strings.ReplaceAll(c.want, "\r\n", "\n") {
				t.Errorf("%v: %q, want %q", err, rows, c.want)
			}
			if rows[1][0] != "'=a.png" || rows[1][1] != "20" {
				t.Errorf("%q", rows[1])
			}
		})
	}
}

// TestLabelsOfTheModel checks that labels with control characters are cleaned, and that what the
// answers lost is counted, once.
func TestLabelsOfTheModel(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.png")
	writeFile(t, path, pngBytes(t, 5, 30, 1))
	const box = "<loc0100><loc0100><loc0500><loc0600>"
	l := labelling{out: t.TempDir(), formats: []string{"coco", "yolo", "yolo-seg", "voc", "labelme", "csv", "masks"},
		decoder: decoder(t), sources: []dataset.Source{{Name: "a.png", Path: path}}, texts: []string{
			box + " cat ; " + box + " \x1b[31mcat\u2028\x00s ; <loc0100><loc0100><loc0100><loc0600> cat ; nothing",
			box + " A/C unit (white)", "a caption"}}
	for range 2 {
		s, err := l.run()
		if err != nil {
			t.Fatal(err)
		}
		if have := s.Losses.Unasked; len(have) != 1 || have["[31mcat s"] != 1 || s.Losses.NoArea != 1 ||
			s.Losses.Unparsed != 1 || s.Losses.NoMask != 3 || s.Objects != 3 || s.Dropped != 1 || s.Unparsed != 1 {
			t.Errorf("%+v", s)
		}
		want := []string{"1 image has less than 10 pixels on a side", "1 image has less than 10 pixels on a side"}
		for i, n := range s.Notes {
			if i >= len(want) || !strings.Contains(n, want[i]) {
				t.Errorf("notes %q", s.Notes)
			}
		}
		for name, text := range faultfs.Files(t, l.out) {
			if name != dataset.JournalName && strings.ContainsAny(text, "\x1b\u2028") &&
				!strings.HasSuffix(name, ".png") {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
	if have := faultfs.Files(t, l.out)["yolo/classes.txt"]; have != "cat\nperson's hat\nA/C unit (white)\n[31mcat s\n" {
		t.Errorf("%q", have)
	}
}

// TestTooManyClasses checks that a format which cannot hold the classes is left out, and said, and
// that the others are written.
func TestTooManyClasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	writeFile(t, path, pngBytes(t, 20, 30, 1))
	var cats []string
	for i := range 300 {
		cats = append(cats, fmt.Sprintf("<loc0100><loc0100><loc0500><loc0600> cat %d", i))
	}
	l := labelling{out: t.TempDir(), formats: []string{"coco", "masks", "csv"}, decoder: decoder(t),
		sources: []dataset.Source{{Name: "a.png", Path: path}}, texts: []string{strings.Join(cats, " ; "), "x", "x"}}
	s, err := l.run()
	if err != nil || s.Objects != 300 || len(s.Files) != 2 || len(s.Unwritten) != 1 {
		t.Fatalf("%v: %+v", err, s)
	}
	r := dataset.NewReport(&dataset.Found{Sources: l.sources}, l.outcome, s, 0, func(err error) error { return err })
	if want := "masks are not written: there are 303 classes, and an image with a palette can have at most 255"; r.Failure() != want {
		t.Errorf("%q, want %q", r.Failure(), want)
	}
	if have, want := namesOf(faultfs.Files(t, l.out)),
		[]string{"coco.json", "journal.jsonl", "labels.csv"}; !slices.Equal(have, want) {
		t.Errorf("%q, want %q", have, want)
	}
}
