//go:build !cgo

package pali_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pali-gguf/pali"
)

// A program without cgo compiles, and says in one sentence why it cannot open a model.
func TestNoCgo(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a-F32.gguf", "mmproj-a-F32.gguf"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pali.Open(folder, pali.Options{}); !errors.Is(err, pali.ErrNoCgo) {
		t.Errorf("have %v, want ErrNoCgo", err)
	}
}
