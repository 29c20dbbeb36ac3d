package atomicfile

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
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

// TestWrite writes what a function gives twice, and nothing of what it does not.
func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	calls := 0
	twice := func(w io.Writer) error {
		calls++
		_, err := io.WriteString(w, "first ")
		return errors.Join(err, func() error { _, err := io.WriteString(w, "second"); return err }())
	}
	if err := Write(path, true, twice); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if b, err := os.ReadFile(path); string(b) != "first second" {
		t.Errorf("have %q, %v", b, err)
	}
	failed := errors.New("failed")
	for name, write := range map[string]func(w io.Writer) error{
		"fails": func(io.Writer) error { return failed },
		"fails at the end": func(w io.Writer) error {
			calls++
			w.Write([]byte("x"))
			return []error{nil,
				failed}[calls%2]
		},
		"becomes shorter": func(w io.Writer) error { calls++; _, err := w.Write(make([]byte, 9-calls)); return err },
		"becomes longer":  func(w io.Writer) error { calls++; _, err := w.Write(make([]byte, 1+calls)); return err },
	} {
		calls = 1
		if err := Write(path, true, write); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if b, err := os.ReadFile(path); string(b) != "first second" {
		t.Errorf("after failures: have %q, %v", b, err)
	}
	if all, err := os.ReadDir(folder); err != nil || len(all) != 1 {
		t.Errorf("left: %v, %v", all, err)
	}
}

// TestWritePNG replaces a file by an image.
func TestWritePNG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	for _, side := range []int{3, 5} {
		if err := WritePNG(path, image.NewGray(image.Rect(0, 0, side, 2))); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != side {
			t.Errorf("have %v, %v", c, err)
		}
	}
}
