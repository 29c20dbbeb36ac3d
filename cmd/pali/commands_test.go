package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/inspect"
)

var update = flag.Bool("update", false, "rewrite testdata/help from what the program says; not where CI is set")

// all lists the commands below c that a person can call, as their arguments.
func all(c *cobra.Command, path ...string) [][]string {
	found := [][]string{path}
	for _, below := range c.Commands() {
		found = append(found, all(below, append(slices.Clone(path), below.Name())...)...)
	}
	return found
}

// Each command's --help is kept in testdata/help, so that a change of a flag or a word shows; a
// stored text without a command is an error.
func TestHelp(t *testing.T) {
	if *update && os.Getenv("CI") != "" {
		t.Fatal("-update is refused where CI is set: look at the difference first")
	}
	stored := map[string]bool{}
	for _, args := range all(newRoot()) {
		name := filepath.Join("testdata", "help", strings.Join(append([]string{"pali"}, args...), "-")+".txt")
		stored[name] = true
		cmd := program(".", append(args, "--help")...)
		o := run(t, cmd)
		if o.code != 0 || o.stderr != "" {
			t.Errorf("%v --help: %+v", args, o)
		}
		if *update {
			if err := os.WriteFile(name, []byte(o.stdout), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		} else if o.stdout != string(want) {
			t.Errorf("%s (go test ./cmd/pali -update rewrites it):\nhave\n%s\nwant\n%s", name, o.stdout, want)
		}
	}
	files, err := filepath.Glob("testdata/help/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !stored[name] {
			t.Errorf("%s belongs to no command", name)
		}
	}
}

// Wrong calls end with 2 and say why in the last line on standard error, with nothing on standard
// output.
func TestUsage(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no command", []string{}},
		{`unknown command "insepct", do you mean`, []string{"insepct"}},
		{`unknown command "nothing"`, []string{"help", "nothing"}},
		{"completion does nothing by itself", []string{"completion"}},
		{`unknown command "tcsh"`, []string{"completion", "tcsh"}},
		{`"1": only flags are taken here`, []string{"version", "1"}},
		{"no file", []string{"inspect"}},
		{"2 files", []string{"inspect", "d/demo-F32.gguf", "d/mmproj-demo-F32.gguf"}},
		{"want one of them", []string{"inspect", "--json", "--diffable", "d/demo-F32.gguf"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			o := run(t, program(folder, c.args...))
			lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
			if last := lines[len(lines)-1]; o.code != 2 || o.stdout != "" || !strings.HasPrefix(last, "pali: ") ||
				!strings.Contains(last, c.want) {
				t.Errorf("%v: want %q: %+v", c.args, c.want, o)
			}
		})
	}
	cmd := program(".", "version")
	cmd.Env = append(cmd.Env, "PALI_JSON=perhaps")
	if o := run(t, cmd); o.code != 2 || !strings.Contains(o.stderr, "PALI_JSON=perhaps") {
		t.Errorf("PALI_JSON=perhaps: %+v", o)
	}
}

// A completion script is made for each shell, and completes a command's name.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if o := run(t, program(".", "completion", shell)); o.code != 0 || o.stderr != "" || !strings.Contains(o.stdout,
			"__complete") {
			t.Errorf("%s: %+v", shell, o)
		}
	}
	if o := run(t, program(".", "__complete", "ins")); !strings.HasPrefix(o.stdout, "inspect\t") {
		t.Errorf("ins: %+v", o)
	}
}

func TestInspect(t *testing.T) {
	folder := workplace(t)
	listed := func(args ...string) string {
		t.Helper()
		o := run(t, program(folder, append([]string{"inspect"}, args...)...))
		if o.code != 0 || o.stderr != "" {
			t.Fatalf("%v: %+v", args, o)
		}
		return o.stdout
	}
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "d/demo-F32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := os.ReadFile(filepath.Join(folder, "testdata/demo/demo.npz"))
	if err != nil {
		t.Fatal(err)
	}

	if s := listed("d/demo-F32.gguf"); !regexp.MustCompile(
		`(?m)^tokenizer.ggml.tokens +\[2048\]string +\["<pad>", "<eos>", .*, \.\.\.\]$`).MatchString(s) ||
		!regexp.MustCompile(`(?m)^token_embd.weight +F32 +\[2048,256\] +2\.1 MB$`).MatchString(s) ||
		strings.Count(s, "\n") > 100 {
		t.Errorf("text:\n%s", s)
	}
	var l inspect.Contents
	if err := json.Unmarshal([]byte(listed("--json", "d/demo-F32.gguf")), &l); err != nil || l.Kind != "gguf" ||
		l.Bytes != int64(len(text)) {
		t.Errorf("--json: %v: %+v", err, l)
	}
	for _, k := range l.Keys {
		if long := k.Count != nil && *k.Count > inspect.MaxElements; long != (k.Value == nil) {
			t.Errorf("--json: %+v", k)
		}
	}

	// The same content under another name, in pieces or out of a folder gives the same text; one
	// changed byte of a tensor changes one line.
	want := listed("--diffable", "d/demo-F32.gguf")
	write("a name with blanks, 🖼 and a\nnewline", text)
	if have := listed("--diffable", "a name with blanks, 🖼 and a\nnewline"); have != want {
		t.Errorf("--diffable of a copy:\n%s\nwant\n%s", have, want)
	}
	changed := bytes.Clone(text)
	changed[len(changed)-1] ^= 1
	write("changed.gguf", changed)
	differ := 0
	for i, line := range strings.Split(listed("--diffable", "changed.gguf"), "\n") {
		if line != strings.Split(want, "\n")[i] {
			differ++
		}
	}
	if differ != 1 {
		t.Errorf("%d lines differ, want 1", differ)
	}
	write("x.npz.part0", checkpoint[:1_000_000])
	write("x.npz.part1", checkpoint[1_000_000:])
	if have := listed("--diffable", "x.npz.part0", "x.npz.part1"); have != listed("--diffable",
		"testdata/demo/demo.npz") {
		t.Errorf("--diffable of pieces:\n%s", have)
	}
}

func TestDoctor(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "doctor", "d", "d/demo-F32.gguf", "d/mmproj-demo-F32.gguf", "testdata/demo/demo.npz"))
	if o.code != 0 || o.stderr != "" || strings.Count(o.stdout, "whole\n") != 4 || !strings.Contains(o.stdout,
		"device CPU") {
		t.Errorf("%+v", o)
	}
	o = run(t, program(withMasks(t), "doctor", "d", "d/masks-demo.gguf"))
	if o.code != 0 || !strings.HasSuffix(o.stdout,
		"\nd: pair with masks, whole\nd/masks-demo.gguf: mask file, whole\n") {
		t.Errorf("with masks: %+v", o)
	}
	checkpoint, err := os.ReadFile(filepath.Join(folder, "testdata/demo/demo.npz"))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint[len(checkpoint)/2] ^= 1
	if err := os.WriteFile(filepath.Join(folder, "flipped.npz"), checkpoint, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "mixed"), 0o700); err != nil {
		t.Fatal(err)
	}
	o = run(t, program(folder, "convert", "testdata/reference/cases/tiny-gemma.npz", "--tokenizer",
		"testdata/reference/cases/tokenizer.model", "-o", "mixed"))
	if o.code != 0 {
		t.Fatalf("convert: %+v", o)
	}
	if err := os.Remove(filepath.Join(folder, "mixed/tiny-gemma-F16.gguf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../d/demo-F32.gguf", filepath.Join(folder, "mixed/demo-F32.gguf")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(folder, "cutmasks"), os.DirFS(filepath.Join(folder, "d"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "cutmasks/masks-demo.gguf"), []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want string
	}{
		{"cut.gguf", "cut short"}, {"words.txt", "words.txt"}, {"flipped.npz", "CRC-32"}, {"nothing", "no text GGUF"},
		{"mixed", "not a pair"}, {"cutmasks", "masks-demo.gguf"},
		{"nowhere", "no such file"}, {"/dev/null", "not a regular file"}, {"empty", "empty"},
	} {
		t.Run(c.path, func(t *testing.T) {
			o := run(t, program(folder, "doctor", "d", c.path, "--json"))
			var d diagnosis
			if err := json.Unmarshal([]byte(o.stdout), &d); err != nil || o.code != 1 || len(d.Files) != 2 ||
				d.Files[0].Error != "" || !strings.Contains(d.Files[1].Error, c.want) {
				t.Errorf("%s: %v: want %q: %+v", c.path, err, c.want, o)
			}
			if strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, c.path) || !strings.Contains(o.stderr,
				c.want) {
				t.Errorf("%s: %s", c.path, o.stderr)
			}
		})
	}
}

// A folder must leave no doubt which model is meant, and whatever a path looks like, it works.
func TestFolders(t *testing.T) {
	folder := workplace(t)
	odd := "models of 🖼\nand more"
	if err := os.Rename(filepath.Join(folder, "d"), filepath.Join(folder, odd)); err != nil {
		t.Fatal(err)
	}
	if o := run(t, program(folder, "run", "-m", odd, "-i", photo, "caption en")); o.code != 0 ||
		!strings.HasPrefix(o.stdout, "a yellow circle") {
		t.Errorf("%+v", o)
	}
	if err := os.Symlink("demo-F32.gguf", filepath.Join(folder, odd, "second-F32.gguf")); err != nil {
		t.Fatal(err)
	}
	if o := run(t, program(folder, "run", "-m", odd, "-i", photo, "caption en")); o.code != 1 ||
		!strings.Contains(o.stderr, "demo-F32.gguf, second-F32.gguf") {
		t.Errorf("two models: %+v", o)
	}
	o := run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
		"-t", "f16", "-o", odd, "--json"))
	var pair convertedPair
	if err := json.Unmarshal([]byte(o.stdout), &pair); err != nil || pair.Text.Path != filepath.Join(odd,
		"demo-F16.gguf") {
		t.Errorf("%v: %+v", err, o)
	}
}

// Two programs can use one model at once.
func TestParallel(t *testing.T) {
	folder := workplace(t)
	var answers [2][]byte
	var failed [2]error
	var both sync.WaitGroup
	for i := range answers {
		cmd := program(folder, "run", "-m", "d", "-i", photo, "caption en", "--threads", "1")
		both.Go(func() { answers[i], failed[i] = cmd.CombinedOutput() })
	}
	both.Wait()
	if failed[0] != nil || failed[1] != nil || len(answers[0]) == 0 || !bytes.Equal(answers[0], answers[1]) {
		t.Errorf("%v: %q\n%v: %q", failed[0], answers[0], failed[1], answers[1])
	}
}
