//go:build unix

package dataset

// This file: what files in folders are by their contents, and what is skipped and said.

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// First bytes of files.
const (
	pngHead  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	jpegHead = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	heicHead = "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1"
	avifHead = "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1"
)

// putFiles writes files to the current folder. A text that begins with "->" is where a symbolic
// link leads.
func putFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if target, link := strings.CutPrefix(text, "->"); link {
			err = errors.Join(err, os.Symlink(target, name))
		} else {
			err = errors.Join(err, os.WriteFile(name, []byte(text), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// paths returns the paths of sources.
func paths(all []Source) (have []string) {
	for _, s := range all {
		have = append(have, filepath.ToSlash(s.Path))
	}
	return have
}

// lines returns what is said of bad images and folders, and of what is skipped.
func lines(f *Found) []string { return f.Sentences("-r", func(err error) error { return err }) }

func TestFolders(t *testing.T) {
	for _, c := range []struct {
		name      string
		files     map[string]string
		arguments []string
		options   FindOptions
		want      []string // paths
		said      []string // how lines begin, without duplicates
	}{
		{"contents decide", map[string]string{
			"p/a.jfif": "", "p/b.JPE": "", "p/c": jpegHead, "p/d.dat": pngHead, "p/e.png": jpegHead,
			"p/f.HEIC":      jpegHead,
			"p/g.jpg_large": jpegHead, "p/h.txt": pngHead,
			"p/notes.txt": "notes", "p/a.json": "{}", "p/a.xml": "<?xml version=\"1.0\"?><annotation/>", "p/empty": "",
			"p/Thumbs.db": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "p/.DS_Store": "\x00\x00\x00\x01Bud1",
			"p/._a.jfif": "\x00\x05\x16\x07",
			"p/m.mp4":    "\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "p/z.npz": "PK\x03\x04",
		}, []string{"p"}, FindOptions{}, []string{"p/a.jfif", "p/b.JPE", "p/c", "p/d.dat", "p/e.png", "p/f.HEIC",
			"p/g.jpg_large", "p/h.txt"}, nil},
		{"formats that are not read", map[string]string{
			"p/1.HEIC": heicHead, "p/2.tif": "II*\x00\x08\x00\x00\x00", "p/3.avif": avifHead, "p/4.jxl": "\xff\x0a\x00",
			"p/5": "8BPS\x00\x01", "p/6.svg": `<svg xmlns="http://www.w3.org/2000/svg"/>`,
			"p/7.CR2": "II*\x00\x10\x00\x00\x00CR\x02",
			"p/8.png": pngHead,
		}, []string{"p"}, FindOptions{}, []string{"p/8.png"}, []string{
			"p/1.HEIC: left out: image: a HEIC photo", "p/2.tif: left out: image: a TIFF file",
			"p/3.avif: left out: image: an AVIF image", "p/4.jxl: left out: image: a JPEG XL image",
			"p/5: left out: image: a Photoshop file", "p/6.svg: left out: image: an SVG drawing",
			"p/7.CR2: left out: image: a camera's raw photo"}},
		{"hidden, and below", map[string]string{"p/a.png": "", "p/.b.png": "", "p/deep/c.png": "", "p/.git/d.png": ""},
			[]string{"p"}, FindOptions{}, []string{"p/a.png"}, []string{
				"1 folder is not looked into: p/deep (-r)", "1 hidden image is skipped: p/.b.png"}},
		{"hidden folders", map[string]string{"p/deep/c.png": "", "p/.git/d.png": "", "p/.e/f.png": ""},
			[]string{"p"}, FindOptions{Recursive: true}, []string{"p/deep/c.png"}, []string{
				"2 hidden folders are not looked into: p/.e and 1 more"}},
		{"links", map[string]string{"p/a.png": "->b", "p/b": pngHead, "p/c": "->b", "p/gone.jpg": "->x",
			"p/gone": "->x",
			"p/loop": "->.", "p/up": "->..", "p/itself": "->itself", "p/d/d.png": ""},
			[]string{"p"}, FindOptions{Recursive: true},
			[]string{"p/a.png", "p/b", "p/c", "p/d/d.png", "p/gone.jpg"}, []string{
				"2 links to folders are not followed: p/loop and 1 more", "2 links lead nowhere: p/gone and 1 more"}},
		{"a link to a folder is given", map[string]string{"p/a.png": "", "q": "->p", "r": "->gone"},
			[]string{"q", "p", "q/"},
			FindOptions{}, []string{"q/a.png"}, nil},
		{"given twice", map[string]string{"p/a.png": "", "p/d/b.png": ""}, []string{"p/", "./p", "p/d/../d", "p/a.png",
			"p//a.png", "p/a.png/"}, FindOptions{Recursive: true}, []string{"p/a.png", "p/d/b.png"}, nil},
		{"a hard link is another image", map[string]string{"p/a.png": "", "p/b.png": ""}, []string{"p"}, FindOptions{},
			[]string{"p/a.png", "p/b.png"}, nil},
		{"a pattern as in a shell", map[string]string{"p/a.png": "", "p/.b.png": "", "p/[c].png": ""}, []string{"p/*",
			"p/[c].png"}, FindOptions{}, []string{"p/[c].png", "p/a.png"}, nil},
		{"the folder that is written to", map[string]string{"p/a.png": "", "p/yolo/images/a.png": "",
			"p/masks/a.png": "",
			"p/sub/b.png":   "", "p/journal.jsonl": ""}, []string{"p"}, FindOptions{Recursive: true, Skip: "p"},
			[]string{"p/a.png", "p/sub/b.png"}, nil},
		{"folders of another run", map[string]string{"p/a.png": "", "p/o/yolo/images/a.png": "", "p/o/masks/a.png": "",
			"p/o/b.png": "", "p/o/journal.jsonl": `{"run":"1"}`, "p/q/masks/c.png": "", "p/q/journal.jsonl": "{}"},
			[]string{"p"}, FindOptions{Recursive: true, Skip: "p/new"},
			[]string{"p/a.png", "p/o/b.png", "p/q/masks/c.png"},
			[]string{"2 folders that another run wrote are not looked into: p/o/masks and 1 more"}},
		{"a folder of that name", map[string]string{"p/a.png": "", "p/masks/a.png": ""}, []string{"p"},
			FindOptions{Recursive: true, Skip: "p"}, []string{"p/a.png", "p/masks/a.png"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			putFiles(t, c.files)
			found, err := FindSources(c.arguments, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, paths(found.Sources)); d != "" {
				t.Errorf("images (-want +got)\n%s", d)
			}
			said := lines(found)
			for i, want := range c.said {
				if i >= len(said) || !strings.HasPrefix(said[i], want) {
					t.Errorf("said %q, want %q", said, want)
				}
			}
			if len(said) != len(c.said) {
				t.Errorf("said %q", said)
			}
		})
	}
}

// A folder that cannot be read, and a FIFO, are told from the rest; the rest is found.
func TestUnreadableFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	putFiles(t, map[string]string{"p/a.png": "", "p/locked/b.png": "", "p/z/c.png": ""})
	if err := syscall.Mkfifo("p/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCollector(FindOptions{Recursive: true})
	c.readDir = func(path string) ([]os.DirEntry, error) {
		if filepath.Base(path) == "locked" {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
		}
		return os.ReadDir(path)
	}
	found, err := c.collect([]string{"p"}, FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"p/a.png", "p/z/c.png"}, paths(found.Sources)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if d := cmp.Diff([]string{"p/locked: left out: permission denied"}, lines(found)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if have := found.Failure(0); have != "1 folder could not be read" {
		t.Errorf("%q", have)
	}
}

func TestWrongArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	putFiles(t, map[string]string{"p/a.png": ""})
	for _, c := range []struct{ argument, want string }{
		{"p/**/*.png", "** is not known in a pattern"},
		{"q", "no such file or folder"},
		{"p/*.jpg", "no pattern that one matches"},
		{"", "no such file or folder"},
	} {
		if _, err := FindSources([]string{c.argument}, FindOptions{}); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.argument, err, c.want)
		}
	}
}

// wide returns text in UTF-16 as PowerShell writes it.
func wide(text string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestLists(t *testing.T) {
	t.Chdir(t.TempDir())
	putFiles(t, map[string]string{"a.png": "", "b c.png": "", " d.png ": "", "é.png": "", "line\nbreak.png": "",
		"p/e.png": ""})
	for _, c := range []struct {
		name, list string
		zero       bool
		want       []string
	}{
		{"LF", "a.png\nb c.png\n", false, []string{"a.png", "b c.png"}},
		{"CRLF", "a.png\r\nb c.png\r\n", false, []string{"a.png", "b c.png"}},
		{"CR", "a.png\rb c.png", false, []string{"a.png", "b c.png"}},
		{"blanks around", "  a.png\t\n d.png \n", false, []string{"a.png", " d.png "}},
		{"quotes", "\"b c.png\"\n", false, []string{"b c.png"}},
		{"a mark of the byte order", "\ufeffa.png\n", false, []string{"a.png"}},
		{"UTF-16", wide("a.png\r\né.png\r\n"), false, []string{"a.png", "é.png"}},
		{"-print0 without a flag", "a.png\x00line\nbreak.png\x00", false, []string{"a.png", "line\nbreak.png"}},
		{"-print0", "line\nbreak.png\x00 d.png \x00", true, []string{"line\nbreak.png", " d.png "}},
		{"twice, and a folder", "a.png\n./a.png\np/\n", false, []string{"a.png", "p/e.png"}},
		{"lost", " lost.png \n", false, []string{"lost.png"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := FindSources([]string{"-"}, FindOptions{List: strings.NewReader(c.list), Zero: c.zero})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, paths(found.Sources)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	long := strings.NewReader("a.png\n" + strings.Repeat("x", maxListLine+1))
	_, err := FindSources([]string{"-"}, FindOptions{List: long})
	if err == nil || !strings.Contains(err.Error(), "the list of images: after path 1: ") {
		t.Errorf("a long line: %v", err)
	}
}
