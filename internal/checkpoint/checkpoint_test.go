package checkpoint

import (
	"path/filepath"
	"testing"
)

const demo = "../../testdata/demo/demo.npz"

func TestOpen(t *testing.T) {
	f, err := Open(demo)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors()) == 0 {
		t.Error("no tensors")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"checkpoint.go", t.TempDir(), filepath.Join(t.TempDir(), "nothing")} {
		if f, err := Open(path); err == nil || f != nil {
			t.Errorf("%s: %v, %v", path, f, err)
		}
	}
	if f, err := Open(); err == nil || f != nil {
		t.Errorf("no paths: %v, %v", f, err)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"npz", demo, "npz"},
		{"text", "checkpoint.go", ""},
		{"folder", ".", ""},
		{"nothing", "nothing", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := Format(c.path); have != c.want {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}
