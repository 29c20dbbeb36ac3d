package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
)

// folderOf makes a folder with empty files.
func folderOf(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range names {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestFind(t *testing.T) {
	t.Setenv("PALI_MODELS", folderOf(t, "us/named-F16.gguf", "us/mmproj-named-F16.gguf"))
	folder := folderOf(t, "one/a-Q4_0.gguf", "one/mmproj-a-F16.gguf", "one/masks-a.gguf", "one/notes.txt",
		"two/a-Q4_0.gguf", "two/a-F16.gguf", "two/mmproj-a-Q4_0.gguf", "two/mmproj-a-F16.gguf",
		"two/mmproj-a-b-F16.gguf",
		"several/a-Q4_0.gguf", "several/mmproj-x.gguf", "several/mmproj-y.gguf",
		"masks/a-Q4_0.gguf", "masks/mmproj-a-Q4_0.gguf", "masks/masks-x.gguf", "masks/masks-y.gguf",
		"blind/a-Q4_0.gguf", "empty/notes.txt")
	for _, c := range []struct {
		name, model, mmproj, masks string
		want                       Files
	}{
		{"a folder", "one", "", "", Files{Text: "one/a-Q4_0.gguf", Vision: "one/mmproj-a-F16.gguf",
			Masks: "one/masks-a.gguf"}},
		{"a file", "two/a-F16.gguf", "", "", Files{Text: "two/a-F16.gguf", Vision: "two/mmproj-a-F16.gguf"}},
		{"the same type first", "two/a-Q4_0.gguf", "", "", Files{Text: "two/a-Q4_0.gguf",
			Vision: "two/mmproj-a-Q4_0.gguf"}},
		{"what is given", "several", "v", "m", Files{Text: "several/a-Q4_0.gguf", Vision: "v", Masks: "m"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			have, err := Find(filepath.Join(folder, c.model), c.mmproj, c.masks)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []*string{&have.Text, &have.Vision, &have.Masks} {
				*path = strings.TrimPrefix(filepath.ToSlash(*path), filepath.ToSlash(folder)+"/")
			}
			if d := cmp.Diff(c.want, have); d != "" {
				t.Error(d)
			}
		})
	}
	f, err := Find(filepath.Join(folder, "masks"), "", "")
	if several := new(AmbiguousError); err != nil || f.Masks != "" || !errors.As(f.MasksErr, several) ||
		several.Want != paligemma.MaskFile {
		t.Errorf("several mask files: %v, %+v", err, f)
	}
	f, err = Find("NAMED", "", "")
	if err != nil || filepath.Base(f.Vision) != "mmproj-named-F16.gguf" {
		t.Errorf("a name: %v, %+v", err, f)
	}
	for _, c := range []struct{ name, model, want string }{
		{"no text file", "empty", "no text GGUF in this folder"},
		{"no vision file", "blind", "no mmproj GGUF in this folder"},
		{"several text files", "two", "2 files could be the text GGUF (a-F16.gguf, a-Q4_0.gguf)"},
		{"several vision files", "several", "2 files could be the mmproj GGUF"},
		{"nothing", "nothing", "no such file or folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Find(filepath.Join(folder, c.model), "", "")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), " -") {
				t.Errorf("have %v, want %q and no flag", err, c.want)
			}
		})
	}
}

// TestFindOther gives files and folders that are another thing than a model's.
func TestFindOther(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a/x.npz":                "PK\x03\x04" + strings.Repeat("\x00", 22) + "\x05\x00\x00\x00x.npy",
		"b/model.safetensors":    "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}        ",
		"b/config.json":          `{"model_type": "paligemma"}`,
		"c/adapter_config.json":  `{"peft_type": "LORA"}`,
		"d/_CHECKPOINT_METADATA": "{}",
		"e/pointer.gguf":         "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
	} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"~/models/x", "https://huggingface.co/x"} {
		if _, err := Find(path, "", ""); err == nil || !strings.HasPrefix(err.Error(), path+" is a") {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, c := range []struct{ path, want string }{
		{"a", `is a folder with checkpoints (.npz), not GGUF files: want a GGUF file ("pali convert" makes it`},
		{"a/x.npz", `is a checkpoint (.npz): "pali convert" makes the GGUF files of it`},
		{"b", "is a folder with a Hugging Face model (safetensors): want a GGUF file"},
		{"b/model.safetensors", "is a safetensors file, as Hugging Face has them: want a GGUF file"},
		{"b/config.json", "is the settings file of a Hugging Face model (JSON): want a GGUF file"},
		{"c", "is a folder with a LoRA adapter: want a GGUF file"},
		{"d", "is a folder with an Orbax checkpoint: want a GGUF file"},
		{"e/pointer.gguf", "is a Git LFS pointer, not the file itself: run git lfs pull"},
	} {
		t.Run(c.path, func(t *testing.T) {
			path := filepath.Join(folder, c.path)
			if _, err := Find(path, "", ""); err == nil || !strings.HasPrefix(err.Error(), path+" "+c.want) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	folder := folderOf(t, "A-F16.gguf", "A-2-F16.gguf", "pub/b/B-3-Q8_0.gguf", "pub/b/mmproj-B-3-Q8_0.gguf",
		"pub/c/d/deep-F16.gguf", ".x/hidden-F16.gguf")
	for _, c := range []struct{ name, want string }{
		{"a-f16", "A-F16.gguf"},
		{"A-2.gguf", "A-2-F16.gguf"},
		{"b", "pub/b/B-3-Q8_0.gguf"},
		{"b-3", "pub/b/B-3-Q8_0.gguf"},
		{"a", "2 models have this name"},
		{"B-3-Q", "no model of that name"},
		{"deep", "no model of that name"},
		{"hidden", "no model of that name"},
		{" A-2 ", "A-2-F16.gguf"},
		{"pub/", "no model of that name"},
		{"", `"" is not the name of a model`},
		{".", `"." is not the name of a model`},
		{" / ", `" / " is not the name of a model`},
		{"b-3-q8_0/", "pub/b/B-3-Q8_0.gguf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := Named(folder, c.name)
			if err == nil {
				if path, err = filepath.Rel(folder, path); err != nil {
					t.Fatal(err)
				}
			}
			if filepath.ToSlash(path) != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("have %q, %v, want %q", path, err, c.want)
			}
		})
	}
	if all, err := List(filepath.Join(folder, "nothing")); len(all) != 0 || err != nil {
		t.Errorf("a folder that does not exist: %v %v", all, err)
	}
	file := filepath.Join(folder, "A-F16.gguf")
	if _, err := List(file); err == nil || !strings.Contains(err.Error(), file+", is a file: PALI_MODELS must name") {
		t.Errorf("a file: %v", err)
	}
}
