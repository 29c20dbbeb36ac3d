package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/runner"
)

// calibrating prepares a workplace with the demo's questions about four images in two files and in
// one, the images beside them.
func calibrating(t *testing.T) (folder string, whole int) {
	t.Helper()
	folder = workplace(t)
	text, err := os.ReadFile(filepath.Join(data, "demo/pictures/questions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var files [2][]byte
	for line := range strings.Lines(string(text)) {
		if line < `{"image": "004` { // the lines are in the images' order
			i := 0
			if line >= `{"image": "002` {
				i = 1
			}
			files[i] = append(files[i], strings.Replace(line, `"image": "`, `"image": "testdata/demo/pictures/`, 1)...)
			whole++
		}
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"first.jsonl", files[0]},
		{"second.jsonl", files[1]},
		{"all.jsonl", bytes.Join(files[:], nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(folder, c.name), c.b, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	return folder, whole
}

// imatrix runs the command and returns what it wrote.
func imatrix(t *testing.T, folder, output string, args ...string) []byte {
	t.Helper()
	o := run(t, program(folder, append([]string{"imatrix", "-o", output}, args...)...))
	if o.code != 0 || o.stdout != output+"\n" {
		t.Fatalf("imatrix %v: %+v", args, o)
	}
	b, err := os.ReadFile(filepath.Join(folder, output))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestImatrix(t *testing.T) {
	folder, whole := calibrating(t)
	all := imatrix(t, folder, "all.gguf", "-m", "d", "-t", "1", "--questions", "all.jsonl")
	first := imatrix(t, folder, "first.gguf", "-m", "d", "-t", "1", "--questions", "first.jsonl")
	imatrix(t, folder, "second.gguf", "-m", "d", "-t", "1", "--questions", "second.jsonl")
	imatrix(t, folder, "sum.gguf", "--merge", "first.gguf", "--merge", "second.gguf")
	sameSums(t, filepath.Join(folder, "all.gguf"), filepath.Join(folder, "sum.gguf"), whole)

	o := run(t, program(folder, "imatrix", "-m", "d", "-t", "1", "--questions", "first.jsonl", "-o", "first.gguf",
		"--force", "--json"))
	var r imatrixReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || r.Path != "first.gguf" || r.Bytes != len(first) ||
		r.Matrices != 48 || r.Resumed != 0 || r.Ms <= 0 || o.stderr != "" {
		t.Errorf("--json: %v: %+v", err, o)
	}
	if again, err := os.ReadFile(filepath.Join(folder, "first.gguf")); err != nil || !bytes.Equal(first, again) {
		t.Errorf("other bytes the second time (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*.state*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if o := run(t, program(folder, "inspect", "all.gguf")); !strings.Contains(o.stdout, "token_embd.weight.in_sum2") ||
		!strings.Contains(o.stdout, "mm.input_projection.weight.in_sum2") {
		t.Errorf("inspect: %+v", o)
	}

	// Without the answers the model gives its own, which are nearly the same on the demo: as many
	// rows, or nearly.
	questions, err := os.ReadFile(filepath.Join(folder, "first.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "open.jsonl"), bytes.ReplaceAll(questions, []byte(`"suffix"`),
		[]byte(`"other"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if open := imatrix(t, folder, "open.gguf", "-m", "d", "-t", "1", "--questions", "open.jsonl"); len(open) != len(
		all) || bytes.Equal(open, first) {
		t.Errorf("%d bytes without answers, %d with them, or the same ones", len(open), len(all))
	}
}

// sameSums compares two files of as many questions: the same sums, but for the rounding of the
// parts.
func sameSums(t *testing.T, one, other string, questions int) {
	t.Helper()
	a, err := quant.OpenImatrix(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := quant.OpenImatrix(other)
	if err != nil {
		t.Fatal(err)
	}
	if a.Chunks != questions || b.Chunks != questions || len(a.Squares) != len(b.Squares) {
		t.Fatalf("%d and %d questions, want %d; %d and %d matrices", a.Chunks, b.Chunks, questions, len(a.Squares),
			len(b.Squares))
	}
	for i, s := range a.Squares {
		o := b.Squares[i]
		if s.Name != o.Name || s.Rows != o.Rows || len(s.Sums) != len(o.Sums) {
			t.Fatalf("%s of %d rows and %s of %d", s.Name, s.Rows, o.Name, o.Rows)
		}
		for j, v := range s.Sums {
			if math.Abs(v-o.Sums[j]) > 1e-6*v {
				t.Fatalf("%s: column %d: %v and %v", s.Name, j, v, o.Sums[j])
			}
		}
	}
}

// A run that is killed or interrupted, and started again, gives the bytes of one that is not;
// another run does not take its state.
func TestImatrixResumes(t *testing.T) {
	folder, whole := calibrating(t)
	args := []string{"-m", "d", "-t", "1", "--questions", "all.jsonl", "--save-every", "1"}
	want := imatrix(t, folder, "want.gguf", args...)
	state := filepath.Join(folder, "x.gguf.state")
	saved := func() int {
		if m, err := quant.OpenImatrix(state); err == nil {
			return m.Chunks
		}
		return 0
	}
	for i, stop := range []os.Signal{os.Kill, os.Interrupt} {
		before := saved()
		cmd := program(folder, append([]string{"imatrix", "-o", "x.gguf"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(20 * time.Second); saved() < before+3 && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Signal(stop)
		cmd.Wait()
		if n := saved(); n < before+3 || n >= whole {
			t.Fatalf("%v: %d of %d questions are kept: %s", stop, n, whole, stderr.String())
		}
		if code := cmd.ProcessState.ExitCode(); i == 1 && (code != 130 || !strings.HasSuffix(stderr.String(),
			"pali: interrupted\n")) {
			t.Errorf("interrupted: code %d, %s", code, stderr.String())
		}
	}
	o := run(t, program(folder, "imatrix", "-m", "d", "--questions", "first.jsonl", "-o", "x.gguf"))
	if o.code != 1 || !strings.Contains(o.stderr, "x.gguf.state is of a stopped run") {
		t.Errorf("other questions: %+v", o)
	}
	if have := imatrix(t, folder, "x.gguf", args...); !bytes.Equal(have, want) {
		t.Error("other bytes than those of a run that was not stopped")
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the state is left")
	}
}

func TestImatrixRefuses(t *testing.T) {
	folder, _ := calibrating(t)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("comma.jsonl", `{"image": "`+photo+`", "prefix": "caption en"}`+"\n"+`{"image": "`+photo+`",}`)
	write("lost.jsonl", `{"image": "lost.png", "prefix": "caption en"}`)
	write("blind.jsonl", `{"prefix": "caption en"}`)
	write("words.jsonl", `{"image": "words.txt", "prefix": "caption en"}`)
	write("number.jsonl", `{"image": "`+photo+`", "prefix": "caption en", "suffix": true}`)
	write("long.jsonl", `{"image": "`+photo+`", "prefix": "`+strings.Repeat("a", runner.MaxPromptBytes+1)+`"}`)
	write("longer.jsonl", `{"image": "`+photo+`", "prefix": "`+strings.Repeat("a", 2<<20)+`"}`)
	write("blank.jsonl", "\n \n")
	write("there.gguf", "x")
	ask := func(args ...string) []string {
		return append([]string{"imatrix", "-m", "d", "-t", "1", "-o", "out.gguf", "--questions"}, args...)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", []string{"imatrix"}, 2, "-o"},
		{"an argument", []string{"imatrix", "x"}, 2, `"x": only flags are taken here`},
		{"no model", []string{"imatrix", "-o", "out.gguf", "--questions", "all.jsonl"}, 2, "-m"},
		{"no questions", []string{"imatrix", "-o", "out.gguf", "-m", "d"}, 2, "--questions"},
		{"no file", []string{"imatrix", "--questions", "all.jsonl", "-m", "d"}, 2, "-o"},
		{"another ending", []string{"imatrix", "--questions", "all.jsonl", "-m", "d", "-o", "x.dat"}, 2, ".gguf"},
		{"no folder", []string{"imatrix", "--questions", "all.jsonl", "-m", "d", "-o", "nowhere/x.gguf"}, 1,
			"--output nowhere/x.gguf"},
		{"over the questions", []string{"imatrix", "--questions", "all.jsonl", "-m", "d", "-o", "./all.jsonl",
			"--force"}, 1, "to be read"},
		{"a flag without use", []string{"imatrix", "--merge", "a", "--merge", "b", "-o", "x.gguf", "--resize",
			"bicubic"}, 2,
			"--resize does nothing with --merge"},
		{"a model and --merge", ask("all.jsonl", "--merge", "a.gguf", "--merge", "b.gguf"), 2, "--merge"},
		{"one --merge", []string{"imatrix", "-o", "out.gguf", "--merge", "a.gguf"}, 2, "two files"},
		{"--merge of nothing", []string{"imatrix", "-o", "out.gguf", "--merge", "a.gguf", "--merge", "b.gguf"}, 1,
			"a.gguf"},
		{"--merge of a model", []string{"imatrix", "-o", "out.gguf", "--merge", "d/demo-F32.gguf", "--merge", "b.gguf"},
			1, "d/demo-F32.gguf: this is not an importance matrix"},
		{"--save-every 0", ask("all.jsonl", "--save-every", "0"), 2, "--save-every"},
		{"--max-tokens 0", ask("all.jsonl", "--max-tokens", "0"), 2, "--max-tokens"},
		{"--threads 1000", ask("all.jsonl", "--threads", "1000"), 2, "--threads"},
		{"--resize nearest", ask("all.jsonl", "--resize", "nearest"), 2, "nearest"},
		{"no such questions", ask("nowhere.jsonl"), 1, "nowhere.jsonl"},
		{"questions of a folder", ask("d"), 1, "d: is a folder, not a regular file"},
		{"a comma", ask("comma.jsonl"), 1, "comma.jsonl: line 2"},
		{"a missing image", ask("lost.jsonl"), 1, "lost.jsonl: line 1"},
		{"no image", ask("blind.jsonl"), 1, `no "image"`},
		{"an image of text", ask("words.jsonl"), 1, "words.jsonl: line 1"},
		{"a suffix of another kind", ask("number.jsonl"), 1, "number.jsonl: line 1"},
		{"a long prefix", ask("long.jsonl"), 1, "a prefix of 8193 bytes"},
		{"a line of 2 MB", ask("longer.jsonl"), 1, "longer.jsonl"},
		{"blank lines", ask("blank.jsonl"), 1, "no questions"},
		{"a file that is there", ask("all.jsonl", "-o", "there.gguf"), 1, "--force"},
		{"a folder that is not", ask("all.jsonl", "-o", "nowhere/out.gguf"), 1, "nowhere"},
		{"a folder", ask("all.jsonl", "-o", "d"), 1, "d is the file to be read; write to another"},
		{"another folder", ask("all.jsonl", "-o", "."), 1, "exists and is not a regular file"},
		{"a model that is cut", ask("all.jsonl", "-m", "cut.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"), 1,
			"cut.gguf"},
		{"a model that is none", ask("all.jsonl", "-m", "nowhere"), 1, "nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, c.args...))
			if o.code != c.code || !strings.Contains(o.stderr, c.want) || o.stdout != "" ||
				strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("%s: code %d, want %d and %q: %+v", c.name, o.code, c.code, c.want, o)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*out.gguf*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An importance matrix changes the blocks of a 4-bit file, the same in convert and quantize, is
// named in the file, and is refused for another model.
func TestImatrixIsUsed(t *testing.T) {
	folder := workplace(t)
	if o := run(t, program(folder, "imatrix", "-m", "d", "-t", "1", "--questions",
		"testdata/demo/pictures/questions.jsonl", "-o", "i.gguf")); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, args := range [][]string{
		{"quantize", "d/demo-F32.gguf", "plain.gguf", "q4_0"},
		{"quantize", "d/demo-F32.gguf", "weighted.gguf", "q4_0", "--imatrix", "i.gguf"},
		{"quantize", "d/mmproj-demo-F32.gguf", "vision.gguf", "q4_0", "--imatrix", "i.gguf"},
		{"convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model", "-t", "q4_0", "--imatrix",
			"i.gguf", "-o", "c"},
	} {
		if o := run(t, program(folder, args...)); o.code != 0 {
			t.Fatalf("%v: %+v", args, o)
		}
	}
	if read("plain.gguf") == read("weighted.gguf") {
		t.Error("the matrix changes nothing")
	}
	if read("c/demo-Q4_0.gguf") != read("weighted.gguf") || read("c/mmproj-demo-Q4_0.gguf") != read("vision.gguf") {
		t.Error("convert and quantize differ")
	}
	if o := run(t, program(folder, "inspect", "weighted.gguf")); !strings.Contains(o.stdout, "quantize.imatrix.file") {
		t.Errorf("the file does not name it: %s", o.stdout)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"no imatrix", []string{"quantize", "d/demo-F32.gguf", "x.gguf", "q4_0", "--imatrix", "d/demo-F32.gguf"}},
		{"missing file", []string{"quantize", "d/demo-F32.gguf", "x.gguf", "q4_0", "--imatrix", "nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if o := run(t, program(folder, c.args...)); o.code != 1 || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("%s: %+v", c.name, o)
			}
		})
	}
}
