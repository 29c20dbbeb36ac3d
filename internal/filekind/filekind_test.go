package filekind

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// local is the local header of a zip file's member, with its bytes.
func local(name, data string) string {
	return "PK\x03\x04" + strings.Repeat("\x00", 14) + string([]byte{byte(len(data)), 0, 0, 0}) + "\x00\x00\x00\x00" +
		string([]byte{byte(len(name)), 0, 0, 0}) + name + data
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Advice of each Want, shortened.
const (
	kaggle    = "want the checkpoint that Kaggle has (.npz)"
	converted = `want a GGUF file ("pali convert" makes it of a checkpoint, .npz)`
	pieces    = "want the SentencePiece model"
)

func TestOf(t *testing.T) {
	tar := "x.npz" + strings.Repeat("\x00", 252) + "ustar\x0000" + strings.Repeat("\x00", 300)
	for _, c := range []struct {
		name, path, head string
		want             Want
		is               string // the sentence, or its beginning; "": nothing is said
	}{
		{"empty", "x", "", Checkpoint, "x is an empty file: make or download it again"},
		{"without a path", "", "\x7fsafe", Checkpoint, ""},
		{"safetensors", "m.safetensors", "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\"", Checkpoint,
			"m.safetensors is a safetensors file, as Hugging Face has them: " + kaggle},
		{"safetensors for -m", "m.safetensors", "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\"", GGUF,
			"m.safetensors is a safetensors file, as Hugging Face has them: " + converted},
		{"safetensors for --imatrix", "x", "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\"", Imatrix,
			`x is a safetensors file, as Hugging Face has them: want an importance matrix ("pali imatrix" makes it)`},
		{"text for --imatrix", "x", "circle\n", Imatrix, "x is a text file: want an importance matrix"},
		{"GGUF for --imatrix", "x", "GGUF\x03\x00\x00\x00", Imatrix, ""},
		{"safetensors with blanks", "x", "\x10\x00\x00\x00\x00\x00\x00\x00{ \"a\":1}", Tokenizer,
			"x is a safetensors file, as Hugging Face has them: " + pieces},
		{"LoRA", "x", "\xf0\x00\x00\x00\x00\x00\x00\x00{\"q.lora_A.weight\":{\"dtype\"", Checkpoint,
			"x is a LoRA adapter (safetensors): it holds changes to a model, not a model"},
		{"LoRA's settings", "x", `{"r": 8, "peft_type": "LORA"}`, Checkpoint,
			"x is the settings file of a LoRA adapter"},
		{"shards", "x", `{"metadata": {}, "weight_map": {}}`, Checkpoint,
			"x is the list of a sharded safetensors model (JSON): " + kaggle},
		{"config.json", "x", "\xef\xbb\xbf\n{\"model_type\": \"paligemma\"}", Checkpoint,
			"x is the settings file of a Hugging Face model (JSON): " + kaggle},
		{"tokenizer.json", "t.json", `{"version": "1.0", "added_tokens": [{"id": 0, "content": "ü`, Tokenizer,
			"t.json is a Hugging Face tokenizer (JSON): " + pieces},
		{"cut letter", "x", "{\"version\": \"\xc3", Tokenizer, "x is a JSON file: " + pieces},
		{"tokenizer_config.json", "x", `{"tokenizer_class": "GemmaTokenizer"}`, Tokenizer,
			"x is the settings file of a Hugging Face tokenizer (JSON): " + pieces},
		{"refusal of Kaggle", "x", `{"code":403,"message":"Permission denied"}`, Checkpoint,
			"x is a server's error message (JSON): download the file again"},
		{"refusal of storage", "x", `<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>`, Checkpoint,
			"x is a server's error message (XML): download the file again"},
		{"login page", "x.npz", "\n <!DOCTYPE html><html>", Checkpoint,
			"x.npz is a web page: the download needs a login"},
		{"vocabulary", "x", "<pad>\t0\n<eos>\t0\n", Tokenizer, "x is a vocabulary as text: " + pieces},
		{"words", "x", "the\nof\n", Tokenizer, "x is a text file: " + pieces},
		{"LFS", "x", "version https://git-lfs.github.com/spec/v1\noid", GGUF,
			"x is a Git LFS pointer, not the file itself: run git lfs pull"},
		{"annex", "x", "/annex/objects/SHA256E-s1--0.npz\n", Checkpoint, "x is a git-annex pointer"},
		{"GGUF for convert", "x", "GGUF\x03", Checkpoint,
			`x is a GGUF file: it needs no conversion, and "pali quantize"`},
		{"GGUF", "x", "GGUF\x03", GGUF, ""},
		{"GGUF as tokenizer", "x", "GGUF\x03", Tokenizer, "x is a GGUF file: " + pieces},
		{"npz", "x", local("params/a.npy", "x"), Checkpoint, ""},
		{"npz for -m", "x", local("params/a.npy", "x"), GGUF,
			`x is a checkpoint (.npz): "pali convert" makes the GGUF`},
		{"zip around an npz", "archive.zip", local("demo.npz", "x"), Checkpoint,
			"archive.zip is a zip file around a checkpoint (.npz): unpack it first (unzip archive.zip)"},
		{"in a folder", "a b.zip", local("d/", "") + local("__MACOSX/._d", "x") + local("d/demo.NPZ", "x"), Checkpoint,
			"a b.zip is a zip file around a checkpoint (.npz): unpack it first (unzip 'a b.zip')"},
		{"zip for its reader", "x", local("README.md", "x"), Checkpoint, ""},
		{"zip for -m", "x.zip", local("README.md", "x"), GGUF, "x.zip is a zip file: unpack it first (unzip x.zip); " +
			converted},
		{"PyTorch", "x", local("archive/data.pkl", "x"), Checkpoint, "x is a PyTorch file: " + kaggle},
		{"old PyTorch", "x", "\x80\x02\x8a\x0al\xfc\x9c", Checkpoint, "x is a Python pickle (PyTorch): " + kaggle},
		{"Keras", "x", local("metadata.json", "{}"), Checkpoint, "x is a Keras model: " + kaggle},
		{"HDF5", "x", "\x89HDF\r\n\x1a\n\x00", Checkpoint, "x is an HDF5 file (Keras): " + kaggle},
		{"gzip", "demo.npz.gz", gzipped(t, "PK\x03\x04 and more"), Checkpoint,
			"demo.npz.gz is packed with gzip: unpack it first (gunzip demo.npz.gz)"},
		{"gzip around tar", "x.gz", gzipped(t, tar), Checkpoint,
			"x.gz is packed with gzip: unpack it first (tar xzf x.gz)"},
		{"broken gzip", "x.tgz", "\x1f\x8b", Checkpoint, "x.tgz is packed with gzip: unpack it first (tar xzf x.tgz)"},
		{"tar", "x.tar", tar, Checkpoint, "x.tar is a tar archive: unpack it first (tar xf x.tar)"},
		{"xz", "x.npz.xz", "\xfd7zXZ\x00", Checkpoint, "x.npz.xz is packed with xz: unpack it first (unxz x.npz.xz)"},
		{"tar.xz", "x.tar.xz", "\xfd7zXZ\x00", Checkpoint,
			"x.tar.xz is packed with xz: unpack it first (tar xJf x.tar.xz)"},
		{"zstd", "x.zst", "\x28\xb5\x2f\xfd\x00", GGUF, "x.zst is packed with zstd: unpack it first (unzstd x.zst)"},
		{"tar.zst", "x.tar.zst", "\x28\xb5\x2f\xfd\x00", GGUF,
			"x.tar.zst is packed with zstd: unpack it first (zstd -dc x.tar.zst | tar x)"},
		{"7z", "x.7z", "7z\xbc\xaf\x27\x1c\x00", Checkpoint, "x.7z is a 7z archive: unpack it first (7z x x.7z)"},
		{"rar", "x.rar", "Rar!\x1a\x07\x01\x00", Checkpoint, "x.rar is a rar archive: unpack it first (unrar x x.rar)"},
		{"npy", "x", "\x93NUMPY\x01\x00", Checkpoint, "x is a single array (.npy): " + kaggle},
		{"gemma.cpp", "x.sbs", "SBS\n\x01", GGUF, "x.sbs is a file of gemma.cpp (.sbs): " + converted},
		{"ONNX", "x", "\x08\x08\x12\x07pytorch\x1a", Checkpoint, "x is an ONNX file: " + kaggle},
		{"Flax", "x", "\x82\xa6params\x81", Checkpoint, "x is a msgpack file (Flax): " + kaggle},
		{"TFLite", "x", "\x1c\x00\x00\x00TFL3", GGUF, "x is a TensorFlow Lite file: " + converted},
		{"tokenizer for convert", "x", "\x0a\x0e\x0a\x05<pad>\x15", Checkpoint,
			"x is a SentencePiece model (tokenizer): " + kaggle},
		{"tokenizer", "x", "\x0a\x0e\x0a\x05<pad>\x15", Tokenizer, ""},
		{"image", "x", "\x89PNG\r\n\x1a\n", GGUF, "x is an image: " + converted},
		{"zeros", "x", strings.Repeat("\x00", 100), Checkpoint, "x is a file of zeros"},
		{"page for an image", "", "<!doctype html>", Image,
			"this is a web page: the address led to a page, not to the image"},
		{"PDF for an image", "x", "%PDF-1.7", Image, "x is a PDF document: save its pages as JPEG or PNG"},
		{"answer for an image", "x", `[{"error": 1}]`, Image, "x is a JSON file: if it is an answer of a server"},
		{"XML for an image", "x", "<?xml version='1.0'?><a/>", Image,
			"x is an XML file: if it is an answer of a server"},
		{"zip for an image", "x.zip", local("a.txt", "x"), Image, "x.zip is a zip file: unpack it first (unzip x.zip)"},
		{"array for an image", "x", "\x93NUMPY\x01", Image, "x is a single array (.npy)"},
		{"model for an image", "x", "GGUF\x03", Image, "x is a GGUF file: a model, not an image"},
		{"image", "x", "\x89PNG\r\n\x1a\n", Image, ""},
		{"anything", "x", "\x01\x02\x03\x04\x05", Checkpoint, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Of(c.path, []byte(c.head), int64(len(c.head)), c.want)
			switch {
			case c.is == "" && err != nil, c.is != "" && (err == nil || !strings.HasPrefix(err.Error(), c.is)):
				t.Errorf("have %v, want %q", err, c.is)
			case err != nil && strings.Contains(err.Error(), "\n"):
				t.Errorf("more than one line: %q", err)
			}
			for n := range c.head { // whatever is cut
				Of(c.path, []byte(c.head[:n]), int64(n), c.want)
			}
		})
	}
}

func TestAt(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  Want
		is    string
	}{
		{"empty", nil, Checkpoint, "is a folder: " + kaggle},
		{"one npz", []string{"x.npz", "README.md"}, Checkpoint, "is a folder: give the file in it, x.npz"},
		{"two", []string{"a.gguf", "mmproj-a.gguf"}, GGUF, "is a folder: give one of the 2 files in it, as a.gguf"},
		{"Hugging Face", []string{"config.json", "model-00001-of-00003.safetensors"}, Checkpoint,
			"is a folder with a Hugging Face model (safetensors): " + kaggle},
		{"adapter", []string{"adapter_config.json", "adapter_model.safetensors"}, GGUF,
			"is a folder with a LoRA adapter: " + converted},
		{"Orbax", []string{"_CHECKPOINT_METADATA", "manifest.ocdbt"}, Checkpoint,
			"is a folder with an Orbax checkpoint"},
		{"PyTorch", []string{"pytorch_model.bin"}, Checkpoint, "is a folder with a Hugging Face model: "},
		{"unpacked", []string{"params"}, Checkpoint, "is a folder that an .npz was unpacked to: " + kaggle},
		{"TensorFlow", []string{"saved_model.pb"}, Checkpoint, "is a folder with a TensorFlow model: "},
		{"tokenizer", []string{"tokenizer.model", "tokenizer.json"}, Tokenizer,
			"is a folder: give the file in it, tokenizer.model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			for _, name := range c.files {
				if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := At(folder, c.want); err == nil || !strings.HasPrefix(err.Error(), folder+" "+c.is) {
				t.Errorf("have %v, want %q", err, c.is)
			}
		})
	}
	for _, c := range []struct{ path, want string }{
		{"~/models/x.npz", "is a path of which the shell did not replace the ~: write $HOME/models/x.npz"},
		{"https://www.kaggle.com/models/x", "is an address: download the file first, and give its path"},
		{"gs://bucket/x.npz", "is an address: download the file first, and give its path"},
		{"file:///tmp/x.npz", "is an address: give the file's path, /tmp/x.npz"},
	} {
		if err := At(c.path, Tokenizer); err == nil || err.Error() != c.path+" "+c.want {
			t.Errorf("have %v, want %q", err, c.want)
		}
	}
	for _, path := range []string{os.DevNull, filepath.Join(t.TempDir(), "nothing"), "a.b://x", "~", "~x"} {
		if err := At(path, GGUF); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestNamesDiffer holds that a row can be told from the others by its words.
func TestNamesDiffer(t *testing.T) {
	var names []string
	for _, k := range kinds {
		if slices.Contains(names, k.is) {
			t.Errorf("%s: twice", k.is)
		}
		names = append(names, k.is)
	}
}

// FuzzOf names whatever it is given in one line, and never both as what is wanted and as another.
func FuzzOf(f *testing.F) {
	for _, head := range []string{"", "GGUF", local("a/b.npz", "x") + local("c.npy", ""), "\x1f\x8b\x08", "{\"a\":1}",
		"<pad>\t0\n", "\x82\xa6params", "\x08\x08\x12\x07pytorch"} {
		f.Add([]byte(head), uint8(0), "a.npz")
	}
	f.Fuzz(func(t *testing.T, head []byte, want uint8, path string) {
		if len(head) > HeadBytes || strings.ContainsAny(path, "\n\r") {
			return
		}
		if err := Of(path, head, int64(len(head)), Want(want%4)); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
	})
}
