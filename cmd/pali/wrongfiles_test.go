package main

// This file: files and folders that are given in place of a checkpoint, a tokenizer or a model, a
// proxy for pali pull, and numbers as people write them.

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wrongFiles writes a file of each kind to folder.
func wrongFiles(t *testing.T, folder string) {
	t.Helper()
	var archive, packed bytes.Buffer
	z, g := zip.NewWriter(&archive), gzip.NewWriter(&packed)
	w, err := z.Create("demo.npz")
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := os.ReadFile(filepath.Join(data, "demo/demo.npz"))
	_, failed := w.Write(checkpoint)
	_, failedToo := g.Write(checkpoint)
	if err := errors.Join(err, failed, failedToo, z.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	safetensors := "\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\":\"F32\"}}"
	for name, text := range map[string]string{
		"model.safetensors": safetensors, "hf/model.safetensors": safetensors, "hf/config.json": `{"model_type": "x"}`,
		"archive.zip": archive.String(), "demo.npz.gz": packed.String(), "tokenizer.json": `{"version":"1.0"}`,
		"lfs.model":   "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
		"login.npz":   "<!DOCTYPE html><title>Sign in</title>",
		"half.npz":    string(checkpoint[:len(checkpoint)/2]),
		"adapter.bin": "\x40\x00\x00\x00\x00\x00\x00\x00{\"q_proj.lora_A.weight\":{}}",
	} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongFiles(t *testing.T) {
	folder := workplace(t)
	wrongFiles(t, folder)
	convert := func(file string) []string {
		return []string{"convert", file, "--tokenizer", "testdata/demo/tokenizer.model", "-o", "out"}
	}
	tokenizer := func(file string) []string {
		return []string{"convert", "testdata/demo/demo.npz", "--tokenizer", file, "-o", "out"}
	}
	ask := func(args ...string) []string {
		return append([]string{"caption", "-i", "testdata/demo/pictures/000.png"}, args...)
	}
	const checkpoint = ": want the checkpoint that Kaggle has (.npz), from https://www.kaggle.com/models/google/"
	for _, c := range []struct {
		args []string
		want string // how the sentence begins
	}{
		{convert("model.safetensors"), "model.safetensors is a safetensors file, as Hugging Face has them" +
			checkpoint},
		{convert("hf"), "hf is a folder with a Hugging Face model (safetensors)" + checkpoint},
		{convert("archive.zip"),
			"archive.zip is a zip file around a checkpoint (.npz): unpack it first (unzip archive.zip)"},
		{convert("demo.npz.gz"), "demo.npz.gz is packed with gzip: unpack it first (gunzip demo.npz.gz)"},
		{convert("login.npz"), "login.npz is a web page: the download needs a login"},
		{convert("half.npz"), "npz: half.npz: incomplete: no zip directory at the end of its 5874290 bytes: down"},
		{convert("empty"), "empty is an empty file: make or download it again"},
		{convert("d"), "d is a folder: want the checkpoint"},
		{convert("d/demo-F32.gguf"), "d/demo-F32.gguf is a GGUF file: it needs no conversion"},
		{convert("adapter.bin"),
			"adapter.bin is a LoRA adapter (safetensors): it holds changes to a model, not a model"},
		{convert("testdata/demo/tokenizer.model"),
			"testdata/demo/tokenizer.model is a SentencePiece model (tokenizer)"},
		{convert("testdata/demo/masks.npz"),
			"convert: this is the mask decoder's checkpoint (vae-oid.npz), not a PaliGemma"},
		{[]string{"convert", "--masks", "model.safetensors", "-o", "out"}, "model.safetensors is a safetensors file"},
		{tokenizer("tokenizer.json"), "tokenizer.json is a JSON file: want the SentencePiece model, from https://"},
		{tokenizer("lfs.model"), "lfs.model is a Git LFS pointer, not the file itself: run git lfs pull"},
		{tokenizer("hf"), "hf is a folder with a Hugging Face model (safetensors): want the SentencePiece model"},
		{ask("-m", "testdata/demo/demo.npz"),
			`testdata/demo/demo.npz is a checkpoint (.npz): "pali convert" makes the GGUF`},
		{ask("-m", "hf"), "hf is a folder with a Hugging Face model (safetensors): want a GGUF file"},
		{ask("-m", "d", "--mmproj", "model.safetensors"),
			"model.safetensors is a safetensors file, as Hugging Face has " +
				"them: want a GGUF file"},
		{[]string{"segment", "x", "-i", "testdata/demo/pictures/000.png", "-m", "d", "--masks", "lfs.model"},
			"lfs.model is a Git LFS pointer"},
		{[]string{"quantize", "model.safetensors", "out.gguf", "q8_0"}, "model.safetensors is a safetensors file"},
		{[]string{"inspect", "archive.zip"}, "archive.zip is a zip file around a checkpoint (.npz): unpack it first"},
		{[]string{"inspect", "hf"}, "hf is a folder with a Hugging Face model"},
		{[]string{"estimate", "archive.zip", "q8_0", "--tokenizer", "testdata/demo/tokenizer.model"},
			"archive.zip is a zip file around a checkpoint"},
		{[]string{"estimate", "hf", "q8_0"},
			"hf is a folder with a Hugging Face model (safetensors): want a GGUF file"},
		{[]string{"quantize", "d/demo-F32.gguf", "out.gguf", "q8_0", "--imatrix", "tokenizer.json"},
			`tokenizer.json is a JSON file: want an importance matrix ("pali imatrix" makes it)`},
		{[]string{"eval", "-m", "d", "--questions", "nothing.jsonl"},
			`nothing.jsonl: no such file or directory: want lines {"image": ..., "prefix": ..., "suffix": ...}`},
		{[]string{"eval", "-m", "d", "--questions", "hf"}, "hf: is a folder, not a regular file: want lines"},
		{[]string{"imatrix", "-m", "d", "--questions", "tokenizer.json", "-o", "i.gguf"}, "tokenizer.json: line 1: "},
		{[]string{"compare", "lfs.model", "d/demo-F32.gguf"}, "lfs.model is a Git LFS pointer"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			o := run(t, program(folder, c.args...))
			if o.code != 1 || !strings.HasPrefix(o.stderr, "pali: "+c.want) || strings.Count(o.stderr, "\n") != 1 ||
				o.stdout != "" {
				t.Errorf("want %q: %+v", c.want, o)
			}
			if _, err := os.Stat(filepath.Join(folder, "out")); err == nil {
				t.Error("a folder was made")
			}
		})
	}
}

// pali pull asks the proxy of HTTPS_PROXY, and says what is wrong with it without its password.
func TestPullProxy(t *testing.T) {
	s, _, pali := pulling(t)
	p := s.StartProxy(t, "http")
	p.User = "me:secret"
	for _, c := range []struct {
		proxy, want string
		code        int
	}{
		{"http://" + p.Address(), "wants a user and a password (407 Proxy Authentication Required)", 1},
		{"http://me:secrets@" + p.Address(), "does not take the user and the password that are in it", 1},
		{"http://me:secret@" + p.Address(), "", 0},
	} {
		t.Run(c.proxy, func(t *testing.T) {
			cmd := pali(pullArgs...)
			cmd.Env = append(cmd.Env, "HTTPS_PROXY="+c.proxy, "NO_PROXY=", "no_proxy=")
			o := run(t, cmd)
			if o.code != c.code || !strings.Contains(o.stderr, c.want) || strings.Contains(o.stderr, "secret") {
				t.Errorf("%+v", o)
			}
		})
	}
	if seen := p.Seen(); len(seen) < 4 || !strings.HasPrefix(seen[0], "CONNECT www.kaggle.com:443") {
		t.Errorf("%q", seen)
	}
}

func TestNumbers(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"estimate", "3B", "Q8_0", "--ctx", "1024.0", "--images=2.0"}, 0, "1024 positions"},
		{[]string{"estimate", "3b", "q8_0", "--ctx", "1_024"}, 0, "1024 positions"},
		{[]string{"estimate", "3b", "q8_0", "--ctx", "1024.5"}, 2, `--ctx "1024.5": want a whole`},
		{[]string{"caption", "--max-image-bytes", "4 gigs"}, 2, "want a number of bytes, as 33554432, 32MiB or 32MB"},
		{[]string{"caption", "--max-image-bytes", "4MB", "-i", "nowhere.png"}, 1, "nowhere.png"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if o := run(t, program(folder, c.args...)); o.code != c.code ||
				!strings.Contains(o.stdout+o.stderr, c.want) {
				t.Errorf("want %q: %+v", c.want, o)
			}
		})
	}
}
