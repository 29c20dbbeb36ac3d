//go:build cgo

package pali_test

// This file: the README's program, built as a module of its own, with cgo and without.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadmeProgram(t *testing.T) {
	folder := outside(t)
	for _, c := range []struct {
		name, cgo string
		want      []string // in what it prints, in this order
	}{
		{"cgo", "1", []string{"a yellow circle and a purple triangle on a white background\n", "\ncircle ",
			"\npurple triangle ",
			"\nyellow circle 35794 pixels\n"}},
		{"no cgo", "0", []string{"this program was built with CGO_ENABLED=0 and cannot run a model"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("go", "run", "-mod=mod", ".")
			cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED="+c.cgo)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.cgo == "1") {
				t.Fatalf("%v: %s", err, out)
			}
			rest := string(out)
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in %q of\n%s", want, rest, out)
				}
				rest = "\n" + after
			}
		})
	}
}

// outside makes a module with the README's program, the demo model and an image.
func outside(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(readme), "\n```go\n")
	program, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatal("README.md has no program in Go")
	}
	module, err := os.ReadFile("go.mod") // what pali requires, the program requires too
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	mod := strings.Replace(string(module), "module github.com/pali-gguf/pali\n", "module example.org/outside\n", 1) +
		"\nrequire github.com/pali-gguf/pali v0.0.0\n\nreplace github.com/pali-gguf/pali => " + root + "\n"
	folder := t.TempDir()
	for name, data := range map[string][]byte{
		"main.go": []byte(program), "go.mod": []byte(mod), "go.sum": sums, "photo.jpg": image,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(models, filepath.Join(folder, "models")); err != nil {
		t.Fatal(err)
	}
	return folder
}
