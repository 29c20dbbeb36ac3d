package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPathsThatAreNoFiles checks that such a target is refused before anything is made.
func TestPathsThatAreNoFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "here", []byte("x"))
	for _, c := range []struct{ name, path, want string }{
		{"empty", "", "is empty"},
		{"folder", "out/", "ends as a folder's name"},
		{"this folder", ".", "not a regular file"},
		{"below a file", "here/out", "not a directory"},
		{"in a folder that is not there", "nowhere/out", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Begin([]Target{{c.path, 5}}, Options{Force: true})
			fails(t, "Begin", err, c.want)
			if MayWrite(c.path, true) == nil {
				t.Error("it may be written")
			}
			if have := left(t, "."); have != "here" {
				t.Errorf("left: %s", have)
			}
		})
	}
}

// TestNotInput checks that a file to be read is recognised by any of its names.
func TestNotInput(t *testing.T) {
	base := t.TempDir()
	in, link, hard := filepath.Join(base, "in"), filepath.Join(base, "link"), filepath.Join(base, "hard")
	put(t, in, []byte("x"))
	if err := os.Symlink(in, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(in, hard); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		inputs     []string
		refused    bool
	}{
		{"another", filepath.Join(base, "out"), []string{in, link}, false},
		{"itself", in, []string{"", in}, true},
		{"by another name", base + "/./in", []string{in}, true},
		{"by a link", link, []string{in}, true},
		{"by a hard link", hard, []string{in}, true},
		{"neither is there", base + "/a/../new", []string{filepath.Join(base, "new")}, true},
		{"no inputs", in, nil, false},
		{"an empty name", in, []string{""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := NotInput(c.path, c.inputs...); (err != nil) != c.refused {
				t.Error(err)
			}
		})
	}
}
