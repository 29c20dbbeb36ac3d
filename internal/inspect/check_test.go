package inspect

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/paligemma"
)

// Files are complete, cut, of another kind or not a pair.
func TestCheck(t *testing.T) {
	file := func(kvs []gguf.KV, tensors []gguf.Tensor) []byte {
		t.Helper()
		b, err := badfiles.File(kvs, tensors)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text, vision := file(badfiles.TinyText(paligemma.Gemma)), file(badfiles.TinyVision())
	archive := writeNPZ(t, array32{"a", []int{2}, []float32{1, 2}})
	folder := func(files map[string][]byte) string {
		t.Helper()
		dir := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	pair := folder(map[string][]byte{"a-F32.gguf": text, "mmproj-a-F32.gguf": vision})
	cut := folder(map[string][]byte{"a-F32.gguf": text, "mmproj-a-F32.gguf": vision[:len(vision)-1]})
	for _, c := range []struct{ name, path, is, err string }{
		{"checkpoint", archive, "checkpoint", ""},
		{"text file", filepath.Join(pair, "a-F32.gguf"), "text file", ""},
		{"vision file", filepath.Join(pair, "mmproj-a-F32.gguf"), "mmproj file", ""},
		{"pair", pair, "pair", ""},
		{"cut file", filepath.Join(cut, "mmproj-a-F32.gguf"), "", "mmproj-a-F32.gguf"},
		{"pair with a cut file", cut, "", "mmproj-a-F32.gguf"},
		{"folder without a model", t.TempDir(), "", "no "},
		{"nothing", filepath.Join(pair, "nothing"), "", "nothing"},
		{"GGUF file of something else", writeGGUF(t, array32{"a", []int{2}, []float32{1, 2}}), "", "x.gguf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var read, all int64
			is, err := Check(context.Background(), c.path, func(done, total int64) { read, all = done, total })
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if err == nil && (is != c.is || read != all || all == 0) {
				t.Errorf("%q, want %q; %d of %d bytes read", is, c.is, read, all)
			}
		})
	}
}
