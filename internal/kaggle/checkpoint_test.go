package kaggle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes files into a folder.
func put(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocal(t *testing.T) {
	h := Handle{Owner: "o", Model: "m", Framework: "jax", Variation: "v-224"}
	for _, c := range []struct {
		name, there, file string
		floats            bool
		want              string
	}{
		{"nothing", "", "", false, ""},
		{"one", "v-224.npz other.npz", "", false, "v-224.npz"},
		{"16 bits first", "v-224.npz v-224.f16.npz", "", false, "v-224.f16.npz"},
		{"32 bits", "v-224.npz v-224.f16.npz", "", true, "v-224.npz"},
		{"by its name", "v-224.npz mine.npz", "mine.npz", false, "mine.npz"},
		{"in parts", "v-224.npz.part1 v-224.npz.part0", "", false, "v-224.npz.part0 v-224.npz.part1"},
		{"a part is missing", "v-224.npz.part0 v-224.npz.part2", "", false, ""},
		{"a longer variation", "v-2240.npz", "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			for _, name := range strings.Fields(c.there) {
				put(t, folder, map[string]string{name: "x"})
			}
			paths, err := Checkpoint{Handle: h, Folder: folder, File: c.file, Floats: c.floats}.Local()
			for i, path := range paths {
				paths[i] = filepath.Base(path)
			}
			if have := strings.Join(paths, " "); have != c.want || err != nil {
				t.Errorf("have %q, %v, want %q", have, err, c.want)
			}
		})
	}
	if _, err := (Checkpoint{Folder: filepath.Join(t.TempDir(), "nothing")}).Local(); err == nil {
		t.Error("no error without a folder")
	}
}

// What is unpacked lies in a folder of its own, which goes; what is not an archive is taken as it
// is.
func TestUnpacked(t *testing.T) {
	folder := t.TempDir()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "m/x.npz", Size: 4, Mode: 0o600, Typeflag: tar.TypeReg})
	fmt.Fprint(w, "data")
	w.Close()
	put(t, folder, map[string]string{"m.tar": b.String(), "y.npz": "PK"})
	c := Checkpoint{Folder: folder}
	files, remove, err := c.Unpacked(context.Background(), []string{filepath.Join(folder, "m.tar")})
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "x.npz" {
		t.Fatalf("%v %v", files, err)
	}
	if text, err := os.ReadFile(files[0]); string(text) != "data" {
		t.Errorf("%q %v", text, err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	plain := []string{filepath.Join(folder, "y.npz")}
	files, remove, err = c.Unpacked(context.Background(), plain)
	if err != nil || files[0] != plain[0] || remove() != nil {
		t.Errorf("%v %v", files, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("left: %v %v", entries, err)
	}
}

func TestByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"no credentials", fmt.Errorf("x: %w", ErrNoCredentials), true},
		{"network", FetchError{err: NetworkError{errors.New("x")}}, true},
		{"refusal", FetchError{err: StatusError{Status: 403}}, true},
		{"disk", FetchError{err: os.ErrPermission}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if ByHand(c.err) != c.want {
				t.Errorf("%v: %v", c.err, !c.want)
			}
		})
	}
}
