package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/tasks"
)

// TestFindSources checks the images of folders, patterns, files and lists, each once, named by
// their paths relative to the folder that all are under.
func TestFindSources(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{
		"in/b.JPG", "in/a.png", "in/.hidden.png", "in/notes.txt", "in/deep/c.webp", "in/.git/d.png", "in/out/e.png",
		"in/line\nbreak.gif", "other/a.png",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		options   FindOptions
		want      []string // names, and where they differ the paths
	}{
		{"folder", []string{"in"}, FindOptions{}, []string{"a.png=in/a.png", "b.JPG=in/b.JPG",
			"line\nbreak.gif=in/line\nbreak.gif"}},
		{"recursive", []string{"in"}, FindOptions{Recursive: true, Skip: "in/out"},
			[]string{"a.png=in/a.png", "b.JPG=in/b.JPG", "deep/c.webp=in/deep/c.webp",
				"line\nbreak.gif=in/line\nbreak.gif"}},
		{"two folders", []string{"other", "in/deep"}, FindOptions{}, []string{"other/a.png", "in/deep/c.webp"}},
		{"pattern", []string{"*/a.png", "in/a.png"}, FindOptions{}, []string{"in/a.png", "other/a.png"}},
		{"file of any kind", []string{"in/notes.txt"}, FindOptions{}, []string{"notes.txt=in/notes.txt"}},
		{"list", []string{"-"}, FindOptions{List: strings.NewReader("in/a.png\n\nlost.png\nother")},
			[]string{"in/a.png", "lost.png", "other/a.png"}},
		{"list with zeros", []string{"-"}, FindOptions{List: strings.NewReader("in/line\nbreak.gif\x00\x00in/a.png"),
			Zero: true},
			[]string{"line\nbreak.gif=in/line\nbreak.gif", "a.png=in/a.png"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := FindSources(c.arguments, c.options)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, s := range found.Sources {
				if s.Name == filepath.ToSlash(s.Path) {
					have = append(have, s.Name)
				} else {
					have = append(have, s.Name+"="+filepath.ToSlash(s.Path))
				}
			}
			if d := cmp.Diff(c.want, have); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	if _, err := FindSources([]string{"empty"}, FindOptions{}); !errors.Is(err, ErrNoImages) {
		t.Errorf("an empty folder: %v", err)
	}
	_, err := FindSources([]string{"lost*"}, FindOptions{})
	if err == nil || !strings.Contains(err.Error(), "lost*: no such file") {
		t.Errorf("a pattern without a match: %v", err)
	}
}

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"a b.png", true},
		{"猫\n\t.png", true},
		{"\xff.png", false},
		{"a\x01.png", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := checkName(c.name); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.name, err)
			}
		})
	}
}

func TestReadClasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "classes.txt")
	for _, c := range []struct {
		name, text string
		want       []string
		err        string
	}{
		{"each once", "\ufeffcat\r\n\n  red  bicycle \ncat", []string{"cat", "red  bicycle"}, ""},
		{"CR alone", "cat\rdog\r", []string{"cat", "dog"}, ""},
		{"tabs around", "\tcat\t\n\t\n", []string{"cat"}, ""},
		{"no-break spaces around", "\u00a0cat\u00a0", []string{"cat"}, ""},
		{"spaces of web pages", "\u200bcat\u200b\ntraffic\u00a0light\ncat\u3000\n", []string{"cat", "traffic light"},
			""},
		{"JSON alone", "a [b\n{c}\n", []string{"a [b", "{c}"}, ""},
		{"data.yaml", "train: images\nnc: 1\nnames:\n  0: \"cat\"\n", nil, path + ": is YAML: want a text file"},
		{"COCO's file", "{\"images\":[],\n\"categories\":[]}\n", nil, path + ": is JSON: want a text file"},
		{"list in JSON", "[\"cat\",\n\"dog\"]", nil, path + ": is JSON: want a text file"},
		{"VOC's file", "<annotation>\n</annotation>\n", nil, path + ": is XML or HTML: want a text file"},
		{"joined files", "cat\n\ufeffdog\n", []string{"cat", "dog"}, ""},
		{"UTF-16", "\xff\xfec\x00a\x00t\x00\r\x00\n\x00\x2b\x73\r\x00\n\x00", []string{"cat", "猫"}, ""},
		{"UTF-16 without a mark", "c\x00a\x00t\x00\r\x00\n\x00d\x00o\x00g\x00", []string{"cat", "dog"}, ""},
		{"UTF-16, big", "\xfe\xff\x00c\x00a\x00t", []string{"cat"}, ""},
		{"nothing", " \n\n", nil, path + ": no classes: want one per line"},
		{"empty", "", nil, path + ": no classes: want one per line"},
		{"two in one line", "a\ncat ; dog\n", nil, path + `: line 2: "cat ; dog": a class cannot contain ";"`},
		{"Latin-1", "cat\ncaf\xe9\n", nil, path + ": line 2: byte 0xe9 is not UTF-8: save it as UTF-8"},
		{"NUL", "cat\r\ndog\x00\r\n", nil, path + ": line 2: has a NUL byte"},
		{"ESC", "\n\ncat\x1b[31m\n", nil, path + ": line 3: has a control character (U+001B)"},
		{"a tab inside", "1\tcat\n", nil, path + ": line 1: has a control character (U+0009)"},
		{"too long", strings.Repeat("a", maxClasses+1), nil, path + ": file too large"},
		{"an image", "\x89PNG\r\n\x1a\n", nil, path +
			": is an image (PNG): want a text file with one class on each line"},
		{"an image that is not read", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heic", nil, "is an image (HEIC)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			have, err := ReadClasses(t.Context(), path)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if d := cmp.Diff(c.want, have); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Dir(path), "is a folder, not a regular file: want a text file"},
		{"circle", `"circle": no such file: want a text file with one class on each line`},
		{"", `"": no such file: want a text file`},
	} {
		_, err := ReadClasses(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "image") {
			t.Errorf("%q: %v, want %q", c.path, err, c.want)
		}
	}
}

// TestYAMLText checks that a class is as readable in data.yaml as YAML allows.
func TestYAMLText(t *testing.T) {
	for _, c := range []struct{ class, want string }{
		{"yes", `"yes"`}, {"null", `"null"`}, {"1", `"1"`}, {"a: b # c", `"a: b # c"`}, {"<b> & 'c'", `"<b> & 'c'"`},
		{`"q\`, `"\"q\\"`}, {"é 猫", `"é 猫"`}, {"a\u0085\ufeff", `"a\u0085\ufeff"`},
	} {
		if have := yamlText(c.class); have != c.want {
			t.Errorf("%q: %s, want %s", c.class, have, c.want)
		}
	}
}

// TestTooManyPromptClasses checks that classes which a format cannot hold are refused before
// anything is asked.
func TestTooManyPromptClasses(t *testing.T) {
	for _, n := range []int{255, 256} {
		x := Export{Out: t.TempDir(), Formats: []string{"coco", "masks"}}
		for i := range n {
			x.Prompts = append(x.Prompts, tasks.Parse(fmt.Sprint("detect thing ", i)))
		}
		err := x.Check(nil, true)
		want := "the format masks: there are 256 classes, and an image with a palette can have at most 255"
		if n == 255 && err != nil || n == 256 && (err == nil || err.Error() != want) {
			t.Errorf("%d classes: %v", n, err)
		}
	}
}

// TestEmptyList checks what is said of a list without images.
func TestEmptyList(t *testing.T) {
	for _, list := range []string{"", "\n\r\n", "\ufeff"} {
		_, err := FindSources([]string{"-"}, FindOptions{List: strings.NewReader(list)})
		if err == nil || !strings.HasPrefix(err.Error(), "no images: the list on standard input is empty") {
			t.Errorf("%q: %v", list, err)
		}
	}
}
