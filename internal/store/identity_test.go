package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/paligemma"
)

// Files are distinguished by their keys and by the beginning of each tensor.
func TestIdentityOfModels(t *testing.T) {
	folder := models(t)
	identity := func(names ...string) string {
		t.Helper()
		id := NewIdentity()
		for _, name := range names {
			id.Models(filepath.Join(folder, name))
		}
		text, err := id.Text(32)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	same := identity("a-X.gguf", "mmproj-a-F32.gguf")
	if same != identity("a-Y.gguf", "mmproj-a-F32.gguf") {
		t.Error("two copies differ")
	}
	kvs, tensors := badfiles.TinyText(paligemma.Gemma)
	write(t, filepath.Join(folder, "a-Y.gguf"), badfiles.With(kvs, "general.name", "other"), tensors)
	if same == identity("a-Y.gguf", "mmproj-a-F32.gguf") {
		t.Error("another name is not seen")
	}
	b, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	b = slices.Clone(b)
	b[len(b)-1] ^= 1
	if err := os.WriteFile(filepath.Join(folder, "a-Y.gguf"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if same == identity("a-Y.gguf", "mmproj-a-F32.gguf") {
		t.Error("another weight is not seen")
	}
}

// A digest is the same for copies of the same files, and another for others.
func TestDigest(t *testing.T) {
	folder := models(t)
	digest := func(f Files) string {
		t.Helper()
		text, err := f.Digest()
		if err != nil || len(text) != 64 || strings.Trim(text, "0123456789abcdef") != "" {
			t.Fatalf("%q, %v", text, err)
		}
		return text
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	one := digest(Files{Text: at("a-X.gguf"), Vision: at("mmproj-a-F32.gguf")})
	if again := digest(Files{Text: at("a-X.gguf"), Vision: at("mmproj-a-F32.gguf")}); again != one {
		t.Error("the same files have two digests")
	}
	if copied := digest(Files{Text: at("a-Y.gguf"), Vision: at("mmproj-a-F32.gguf")}); copied != one {
		t.Error("a copy has another digest")
	}
	if digest(Files{Text: at("a-X.gguf")}) == one {
		t.Error("a file less has the same digest")
	}
	if digest(Files{Text: at("a-X.gguf"), Vision: at("mmproj-a-F32.gguf"), Masks: at("mmproj-a-F32.gguf")}) == one {
		t.Error("a file more has the same digest")
	}
	if _, err := (Files{Text: at("nothing.gguf")}).Digest(); err == nil {
		t.Error("a file that is not there has a digest")
	}
}

// The identities of runs are kept in journals: they stay as they are. The values are sha256sum's.
func TestIdentityStays(t *testing.T) {
	for _, c := range []struct {
		name string
		id   func() *Identity
		size int
		want string
	}{
		{"options", func() *Identity { return NewIdentity("antialias", 256, true) }, 8, "3e211effdde1bc54"},
		{"text", func() *Identity {
			id := NewIdentity("antialias", 256)
			fmt.Fprintf(id, "%q\n", []string{"caption en", "ocr"})
			return id
		}, 32, "ce3d227d294f2547d218a9a25fca832c1169be9f5ed371e07387bba1bfc42e7b"},
		{"no model", func() *Identity {
			id := NewIdentity()
			id.OptionalModels("", "")
			return id
		}, 32, "7a21abfbbd5721364f8c8b247628a35941cd5bf1fa88544102813d81a9459775"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have, err := c.id().Text(c.size); err != nil || have != c.want {
				t.Errorf("have %s (%v), want %s", have, err, c.want)
			}
		})
	}
}

func TestIdentityFails(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nothing")
	for _, c := range []struct {
		name string
		add  func(id *Identity)
	}{
		{"models", func(id *Identity) { id.Models(missing) }},
		{"optional models", func(id *Identity) { id.OptionalModels("", missing) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := NewIdentity()
			if c.add(id); id.err == nil {
				t.Fatal("no error without a file")
			}
			if _, err := id.Text(8); err == nil {
				t.Error("Text forgets it")
			}
		})
	}
}
