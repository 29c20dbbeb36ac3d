package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWholeFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	for _, c := range []struct {
		name   string
		force  bool
		exists bool // the error
		want   string
	}{
		{"new", false, false, "new"},
		{"there", false, true, "new"},
		{"replaced", true, false, "replaced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, _ := os.ReadFile(path)
			may := MayWrite(path, c.force)
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Errorf("MayWrite wrote: %q", after)
			}
			err := WriteFile(path, []byte(c.name), c.force)
			if errors.As(may, new(ExistsError)) != c.exists || errors.As(err, new(ExistsError)) != c.exists {
				t.Errorf("%v, %v", may, err)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != c.want {
				t.Errorf("%q: %v", b, err)
			}
		})
	}
	if all, err := os.ReadDir(folder); err != nil || len(all) != 1 {
		t.Errorf("left: %v, %v", all, err)
	}
	if err := MayWrite(filepath.Join(folder, "none", "a"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
