package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/paligemma"
)

// write writes a GGUF file.
func write(t *testing.T, path string, kvs []gguf.KV, tensors []gguf.Tensor) {
	t.Helper()
	b, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// models makes a folder with two models a-X and a-Y, which share a vision file, and one without.
func models(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	text, tensors := badfiles.TinyText(paligemma.Gemma)
	for _, name := range []string{"a-X.gguf", "a-Y.gguf", "mmproj-a-F32.gguf"} {
		if strings.HasPrefix(name, visionPrefix) {
			text, tensors = badfiles.TinyVision()
		}
		write(t, filepath.Join(folder, name), text, tensors)
	}
	return folder
}

func TestDescribe(t *testing.T) {
	folder := models(t)
	text := filepath.Join(folder, "a-X.gguf")
	m := Describe(text)
	if m.Err != nil || m.Name != "a-X" || m.Type != "F32" || m.MmprojType != "F32" || m.Side == 0 || m.Masks != "" ||
		filepath.Base(m.Mmproj) != "mmproj-a-F32.gguf" {
		t.Errorf("%+v", m)
	}
	info, err := Read(Files{Text: text, Vision: m.Mmproj})
	if err != nil || info.Text.EmbeddingLength != 32 || m.Bytes != info.TextFile.Bytes+info.VisionFile.Bytes ||
		m.Parameters != info.TextFile.Parameters+info.VisionFile.Parameters {
		t.Errorf("%v %+v", err, info)
	}
	if err := os.Remove(m.Mmproj); err != nil {
		t.Fatal(err)
	}
	if m := Describe(text); !errors.As(m.Err, new(NotFoundError)) || m.Type != "F32" || m.Bytes == 0 {
		t.Errorf("without a vision file: %+v", m)
	}
	if m := Describe(filepath.Join(folder, "nothing.gguf")); m.Err == nil || m.Bytes != 0 || m.Type != "" {
		t.Errorf("without a text file: %+v", m)
	}
}

func TestCheckPair(t *testing.T) {
	folder := models(t)
	f, err := Find(filepath.Join(folder, "a-X.gguf"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckPair(f); err != nil {
		t.Error(err)
	}
	swapped := Files{Text: f.Vision, Vision: f.Text}
	if err, kind := CheckPair(swapped), new(paligemma.FileKindError); !errors.As(err, kind) ||
		kind.Have != paligemma.VisionFile {
		t.Errorf("swapped: %v", err)
	}
	wide := Info{Text: paligemma.TextConfig{EmbeddingLength: 8}, Vision: paligemma.VisionConfig{ProjectionDim: 9}}
	if err := wide.CheckPair(); err == nil || !strings.Contains(err.Error(),
		"gives rows of 9, the decoder takes rows of 8") {
		t.Errorf("of two models: %v", err)
	}
}

// A model's own files are removable; what another model uses stays.
func TestRemovable(t *testing.T) {
	folder := models(t)
	names := func(name string) string {
		t.Helper()
		paths, err := Removable(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range paths {
			paths[i] = filepath.Base(path)
		}
		return strings.Join(paths, " ")
	}
	if have := names("a-x"); have != "a-X.gguf" {
		t.Errorf("of two: %s", have)
	}
	if err := os.Remove(filepath.Join(folder, "a-Y.gguf")); err != nil {
		t.Fatal(err)
	}
	if have := names("a"); have != "a-X.gguf mmproj-a-F32.gguf" {
		t.Errorf("of one: %s", have)
	}
	masks := filepath.Join(folder, "masks-a.gguf")
	if err := os.WriteFile(masks, []byte("not a mask file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := Describe(filepath.Join(folder, "a-X.gguf")); m.Err != nil || m.MasksErr == nil ||
		!strings.Contains(m.MasksErr.Error(), masks+" is a text file") {
		t.Errorf("a bad mask file: %+v", m)
	}
	if _, err := Removable(folder, "a"); err == nil || !strings.Contains(err.Error(),
		"not a mask file, remove it by hand") {
		t.Errorf("with another file for masks: %v", err)
	}
	if err := os.Remove(masks); err != nil {
		t.Fatal(err)
	}
	vision := filepath.Join(folder, "mmproj-a-F32.gguf")
	if err := os.Rename(vision, filepath.Join(folder, "v")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("v", vision); err != nil {
		t.Fatal(err)
	}
	if _, err := Removable(folder, "a"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a link: %v", err)
	}
}
