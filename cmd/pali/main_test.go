package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// TestMain lets the test binary be the program: with PALI_TEST_MAIN set it runs Main.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ffmpeg" {
		os.Exit(actFFmpeg(os.Args[1:]))
	}
	if address := os.Getenv("PALI_TEST_KAGGLE"); address != "" {
		useStandin(address)
	}
	if os.Getenv("PALI_TEST_MAIN") != "" {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// program prepares the program in a folder.
func program(folder string, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PALI_TEST_MAIN=1")
	return cmd
}

type outcome struct {
	stdout, stderr string
	code           int
	took           time.Duration
	peak           int64 // bytes resident
}

func run(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	return runWith(t, cmd, func(*os.Process) {})
}

// runWith is run, and calls started when the program runs.
func runWith(t *testing.T, cmd *exec.Cmd, started func(*os.Process)) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Start()
	if err == nil {
		started(cmd.Process)
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	peak := int64(0)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = u.Maxrss << 10
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(start), peak}
}

const data = "../../testdata"

// workplace is a folder with a converted demo in d, an image, and bad files of every kind.
func workplace(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	root, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(folder, "testdata")); err != nil {
		t.Fatal(err)
	}
	o := run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
		"-t", "f32", "-o", "d"))
	if o.code != 0 || o.stdout != "d/demo-F32.gguf\nd/mmproj-demo-F32.gguf\n" {
		t.Fatalf("convert: %+v", o)
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "d/demo-F32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	write("cut.gguf", text[:len(text)/2])
	flipped := bytes.Clone(text)
	flipped[40] ^= 0x80
	write("flipped.gguf", flipped)
	write("words.txt", []byte("This is a text file, and none of the files that were asked for.\n"))
	write("empty", nil)
	// 100 bytes that claim a string of 2 GB.
	claim := binary.LittleEndian.AppendUint64([]byte(
		"GGUF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"), 2<<30)
	write("claim.gguf", append(claim, make([]byte, 100-len(claim))...))
	header := []byte("IHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00") // 60000 x 60000
	header = binary.BigEndian.AppendUint32(header, crc32.ChecksumIEEE(header))
	write("huge.png", append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\r"), header...))
	checkpoint, err := os.ReadFile(filepath.Join(root, "demo/demo.npz"))
	if err != nil {
		t.Fatal(err)
	}
	write("cut.npz", checkpoint[:len(checkpoint)/2])
	if err := os.Mkdir(filepath.Join(folder, "nothing"), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

const photo = "testdata/demo/pictures/000.png"

// Every bad input gets one sentence on standard error, nothing on standard output, the right code,
// in under a second and 100 MB.
func TestBadInput(t *testing.T) {
	folder := workplace(t)
	convert := func(args ...string) []string {
		return append([]string{"convert", "--tokenizer", "testdata/demo/tokenizer.model", "-o", "out"}, args...)
	}
	quantize := func(in string, args ...string) []string {
		return append([]string{"quantize", in, "out/out.gguf", "q8_0"}, args...)
	}
	ask := func(args ...string) []string { return append([]string{"run", "caption en"}, args...) }
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown command", []string{"caption2"}, 2, "unknown command"},
		{"unknown flag", []string{"run", "--nonsense"}, 2, "nonsense"},
		{"no prompt", []string{"run"}, 2, "no prompt"},
		{"two prompts", []string{"run", "a", "b"}, 2, "in quotes"},
		{"no image", ask("-m", "d"), 2, "-i"},
		{"no model", ask("-i", photo), 2, "-m"},
		{"model missing", ask("-i", photo, "-m", "nowhere"), 1, "no such file"},
		{"folder without models", ask("-i", photo, "-m", "nothing"), 1, "no text GGUF"},
		{"image missing", ask("-i", "nowhere.png", "-m", "d"), 1, "nowhere.png"},
		{"image is a folder", ask("-i", "nothing", "-m", "d"), 1, "nothing"},
		{"image is a device", ask("-i", "/dev/null", "-m", "d"), 1, "/dev/null"},
		{"image is text", ask("-i", "words.txt", "-m", "d"), 1, "words.txt"},
		{"image of 60000 x 60000", ask("-i", "huge.png", "-m", "d"), 1, "60000"},
		{"image over a limit", ask("-i", photo, "-m", "d", "--max-image-pixels", "100"), 1, "--max-image-pixels"},
		{"bad --kv", ask("-i", photo, "-m", "d", "--kv", "f64"), 2, "--kv"},
		{"bad --device", ask("-i", photo, "-m", "d", "--device", "abacus"), 2, "--device"},
		{"no such device", ask("-i", photo, "-m", "d", "--device", "cuda"), 1, "no cuda device"},
		{"no such GPU", ask("-i", photo, "-m", "d", "--device", "CUDA7"), 1, "no cuda7 device"},
		{"bad --resize", ask("-i", photo, "-m", "d", "--resize", "nearest"), 2, "nearest"},
		{"bad --top-p", ask("-i", photo, "-m", "d", "--top-p", "1.5"), 2, "--top-p"},
		{"bad --max-tokens", ask("-i", photo, "-m", "d", "--max-tokens", "0"), 2, "--max-tokens"},
		{"bad --beam", ask("-i", photo, "-m", "d", "--beam", "17"), 2, "--beam 17"},
		{"searched for and drawn", ask("-i", photo, "-m", "d", "--beam", "2", "--temperature", "1"), 2,
			"searched for or drawn"},
		{"--ctx too small", ask("-i", photo, "-m", "d", "--ctx", "10"), 1, "--ctx"},
		{"prompt too long", []string{"run", "-i", photo, "-m", "d", strings.Repeat("a", runner.MaxPromptBytes+1)}, 2,
			"prompt"},
		{"model is cut", ask("-i", photo, "-m", "cut.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"), 1, "cut.gguf"},
		{"model has a flipped bit", ask("-i", photo, "-m", "flipped.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"), 1,
			"flipped.gguf"},
		{"model is text", ask("-i", photo, "-m", "words.txt", "--mmproj", "d/mmproj-demo-F32.gguf"), 1, "words.txt"},
		{"model is empty", ask("-i", photo, "-m", "empty", "--mmproj", "d/mmproj-demo-F32.gguf"), 1, "empty"},
		{"model is a device", ask("-i", photo, "-m", "/dev/null", "--mmproj", "d/mmproj-demo-F32.gguf"), 1,
			"/dev/null"},
		{"model claims 2 GB", ask("-i", photo, "-m", "claim.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"), 1,
			"claim.gguf"},
		{"model alone is a device", ask("-i", photo, "-m", "/dev/null"), 1, "want a text GGUF"},
		{"dump to a missing folder", ask("-i", photo, "-m", "d", "--dump", "nowhere/x.npz"), 1, "nowhere/x.npz"},
		{"model is an mmproj", ask("-i", photo, "-m", "d/mmproj-demo-F32.gguf", "--mmproj", "d/mmproj-demo-F32.gguf"),
			1, "--mmproj"},
		{"mmproj is a model", ask("-i", photo, "-m", "d", "--mmproj", "d/demo-F32.gguf"), 1, "demo-F32.gguf"},
		{"mmproj is a folder", ask("-i", photo, "-m", "d", "--mmproj", "nothing"), 1, "nothing"},
		{"mmproj is cut", ask("-i", photo, "-m", "d", "--mmproj", "cut.gguf"), 1, "cut.gguf"},
		{"convert without tokenizer", []string{"convert", "testdata/demo/demo.npz"}, 2, "--tokenizer"},
		{"convert nothing", convert(), 2, "no checkpoint"},
		{"convert to a bad type", convert("testdata/demo/demo.npz", "-t", "q9"), 2, "q9"},
		{"convert what is missing", convert("nowhere.npz"), 1, "nowhere.npz"},
		{"convert a folder", convert("nothing"), 1, "nothing"},
		{"convert a device", convert("/dev/null"), 1, "/dev/null"},
		{"convert text", convert("words.txt"), 1, "words.txt"},
		{"convert what is cut", convert("cut.npz"), 1, "cut.npz"},
		{"convert other arrays", convert("testdata/demo/masks.npz"), 1, "not a PaliGemma checkpoint"},
		{"masks of a checkpoint", []string{"convert", "--masks", "testdata/demo/demo.npz", "-o", "out"}, 1,
			"not a mask checkpoint"},
		{"masks that are missing", []string{"convert", "--masks", "nowhere.npz", "-o", "out"}, 1, "nowhere.npz"},
		{"masks beside no pair", append(convert("words.txt"), "--masks", "testdata/demo/masks.npz"), 1, "words.txt"},
		{"masks and no tokenizer", []string{"convert", "testdata/demo/demo.npz", "--masks", "testdata/demo/masks.npz",
			"-o", "out"}, 2, "--tokenizer"},
		{"a pair beside no masks", convert("testdata/demo/demo.npz", "--masks", "testdata/demo/demo.npz"), 1,
			"not a mask checkpoint"},
		{"a type for masks alone", []string{"convert", "--masks", "testdata/demo/masks.npz", "-t", "q8_0", "-o", "out"},
			2,
			"--type does nothing without a checkpoint"},
		{"a type of no masks", convert("testdata/demo/demo.npz", "--masks-type", "f16"), 2,
			"--masks-type does nothing without --masks"},
		{"masks of a bad type", []string{"convert", "--masks", "testdata/demo/masks.npz", "--masks-type", "q8_0", "-o",
			"out"}, 2, "--masks-type"},
		{"convert over a file", []string{"convert", "testdata/demo/demo.npz", "--tokenizer",
			"testdata/demo/tokenizer.model", "-t", "f32", "-o", "d"}, 1, "--force"},
		{"convert to a bad matrix", convert("testdata/demo/demo.npz", "--tensor-type", "atn_q=q8_0"), 2,
			"--tensor-type"},
		{"quantize nothing", []string{"quantize"}, 2, "three"},
		{"quantize to a bad type", []string{"quantize", "d/demo-F32.gguf", "out.gguf", "q9"}, 2, "q9"},
		{"quantize another half", []string{"quantize", "d/demo-F32.gguf", "half.gguf", "q8_0", "--tensor-type",
			"^v.blk=q8_0"}, 1,
			"no matrix of this file"},
		{"quantize to an empty name", []string{"quantize", "d/demo-F32.gguf", "", "q8_0"}, 1, "is empty"},
		{"quantize to a folder's name", []string{"quantize", "d/demo-F32.gguf", "out/", "q8_0"}, 1, "out/"},
		{"quantize to another ending", []string{"quantize", "d/demo-F32.gguf", "out.bin", "q8_0"}, 2, ".gguf"},
		{"an empty flag", ask("-i", photo, "-m", "d", "--mmproj", ""), 2, "--mmproj is empty"},
		{"dump to another ending", ask("-i", photo, "-m", "d", "--dump", "x.txt"), 2, ".npz"},
		{"dump to an empty name", ask("-i", photo, "-m", "d", "--dump="), 2, "--dump is empty"},
		{"dump to the image", ask("-i", "x.npz", "-m", "d", "--dump", "./x.npz"), 1, "to be read"},
		{"eval over its questions", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--per-question", "testdata/../testdata/demo/pictures/questions.jsonl", "--force"}, 1, "to be read"},
		{"quantize to a bad matrix", quantize("d/demo-F32.gguf", "--tensor-type", "ffn_down"), 2, "REGEX=TYPE"},
		{"quantize to a bad table", quantize("d/demo-F32.gguf", "--token-embedding-type", "int4"), 2,
			"--token-embedding-type"},
		{"quantize what is missing", quantize("nowhere"), 1, "nowhere"},
		{"quantize a folder", quantize("d"), 1, "d is a folder: give one of the 2 files in it"},
		{"quantize a device", quantize("/dev/null"), 1, "/dev/null"},
		{"quantize text", quantize("words.txt"), 1, "words.txt"},
		{"quantize what is empty", quantize("empty"), 1, "empty"},
		{"quantize what is cut", quantize("cut.gguf"), 1, "cut.gguf"},
		{"quantize what is flipped", quantize("flipped.gguf"), 1, "flipped.gguf"},
		{"quantize a claim of 2 GB", quantize("claim.gguf"), 1, "claim.gguf"},
		{"quantize a checkpoint", quantize("testdata/demo/demo.npz"), 1,
			`demo.npz is a checkpoint (.npz): "pali convert" makes`},
		{"quantize to itself", []string{"quantize", "d/demo-F32.gguf", "d/demo-F32.gguf", "q8_0", "--force"}, 1,
			"write to another"},
		{"quantize over a file", []string{"quantize", "d/demo-F32.gguf", "words.txt", "q8_0"}, 1, "--force"},
		{"quantize to no folder", []string{"quantize", "d/demo-F32.gguf", "nowhere/out.gguf", "q8_0"}, 1, "nowhere"},
		{"tokenizer is text", []string{"convert", "testdata/demo/demo.npz", "--tokenizer", "words.txt"}, 1,
			"words.txt"},
		{"eval of text", []string{"eval", "-m", "d", "--questions", "words.txt"}, 1, "words.txt: line 1"},
		{"eval without questions", []string{"eval", "-m", "d"}, 2, "--questions"},
		{"eval of missing questions", []string{"eval", "-m", "d", "--questions", "nowhere.jsonl"}, 1, "nowhere.jsonl"},
		{"eval of no model", []string{"eval", "--questions", "testdata/demo/pictures/questions.jsonl"}, 2, "-m"},
		{"eval of missing images", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--images", "nothing"}, 1, "line 1"},
		{"eval against nothing", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--against", "nowhere"}, 1, "nowhere"},
		{"eval with bad masks", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--masks", "d/demo-F32.gguf"}, 1, "not a mask file"},
		{"eval to a folder", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--per-question", "nothing"}, 1, "not a regular file"},
		{"eval to a foreign file", []string{"eval", "-m", "d", "--questions", "testdata/demo/pictures/questions.jsonl",
			"--per-question", "words.txt"}, 1, "not a record of answers"},
		{"eval with a bad --resize", []string{"eval", "-m", "d", "--questions", "words.txt", "--resize", "nearest"}, 2,
			"nearest"},
		{"compare one file", []string{"compare", "d/demo-F32.gguf"}, 2, "want two files"},
		{"compare with text", []string{"compare", "d/demo-F32.gguf", "words.txt"}, 1, "words.txt"},
		{"compare what is missing", []string{"compare", "nowhere.npz", "d/demo-F32.gguf"}, 1, "nowhere.npz"},
		{"compare what is cut", []string{"compare", "testdata/demo/demo.npz", "cut.gguf"}, 1, "cut.gguf"},
		{"compare other arrays", []string{"compare", "testdata/demo/masks.npz", "d/demo-F32.gguf"}, 1,
			"not a PaliGemma checkpoint"},
		{"inspect text", []string{"inspect", "words.txt"}, 1, "words.txt"},
		{"inspect what is missing", []string{"inspect", "nowhere"}, 1, "nowhere"},
		{"inspect a folder", []string{"inspect", "nothing"}, 1, "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, c.args...))
			if o.code != c.code || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
				t.Errorf("code %d, want %d; standard error %q, want %q in it; standard output %q", o.code, c.code,
					o.stderr, c.want, o.stdout)
			}
			if strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, "pali: ") {
				t.Errorf("more or less than one sentence:\n%s", o.stderr)
			}
			if o.took > 5*time.Second || o.peak > maxPeak {
				t.Errorf("%v and %d MB", o.took, o.peak>>20)
			}
		})
	}
	left, _ := filepath.Glob(filepath.Join(folder, "out", "*"))
	if partial, _ := filepath.Glob(filepath.Join(folder, "*.partial")); len(left)+len(partial) > 0 {
		left = append(left, partial...)
		t.Errorf("left: %v", left)
	}
}

func TestConvertMasks(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "convert", "--masks", "testdata/demo/masks.npz", "-o", "m"))
	if o.code != 0 || o.stdout != "m/masks-masks.gguf\n" {
		t.Errorf("alone: %+v", o)
	}
	o = run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
		"--masks", "testdata/demo/masks.npz", "-o", "m"))
	if o.code != 0 || o.stdout != "m/demo-F16.gguf\nm/mmproj-demo-F16.gguf\nm/masks-demo.gguf\n" {
		t.Errorf("with a pair: %+v", o)
	}
	o = run(t, program(folder, "convert", "--masks", "testdata/demo/masks.npz", "--name", "other", "--masks-type",
		"f16", "-o", "m", "--json"))
	var made struct{ Masks string }
	if err := json.Unmarshal([]byte(o.stdout), &made); err != nil || made.Masks != "m/masks-other.gguf" {
		t.Errorf("as JSON: %v: %+v", err, o)
	}
	o = run(t, program(folder, "convert", "testdata/demo/demo.npz", "--tokenizer", "testdata/demo/tokenizer.model",
		"--masks", "testdata/demo/masks.npz", "-o", "m", "--force", "--json"))
	if err := json.Unmarshal([]byte(o.stdout), &made); err != nil || made.Masks != "m/masks-demo.gguf" {
		t.Errorf("with a pair, as JSON: %v: %+v", err, o)
	}
}

func TestRun(t *testing.T) {
	folder := workplace(t)
	const caption = "a yellow circle and a purple triangle on a white background"
	o := run(t, program(folder, "run", "-m", "d", "-i", photo, "caption en"))
	if o.code != 0 || o.stdout != caption+"\n" || o.stderr != "" {
		t.Errorf("run: %+v", o)
	}

	o = run(t, program(folder, "run", "-m", "d/demo-F32.gguf", "-i", photo, "caption en", "--json", "--logprobs", "2",
		"--dump", "x.npz"))
	var a tasks.Response
	if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || o.stderr != "" {
		t.Fatalf("--json: %v: %+v", err, o)
	}
	if a.Text != caption || a.Prompt != "caption en" || len(a.Images) != 1 || len(a.Tokens) == 0 ||
		a.Tokens[len(a.Tokens)-1] != 1 ||
		len(a.Logprobs) != len(a.Tokens) || len(a.Logprobs[0].Top) != 2 || a.Timings.DecodeTokens != len(a.Tokens) ||
		a.Timings.PrefillTokens < 64 {
		t.Errorf("--json: %+v", a)
	}
	o = run(t, program(folder, "inspect", "x.npz", "--json"))
	var l inspect.Contents
	if err := json.Unmarshal([]byte(o.stdout), &l); err != nil || len(l.Tensors) != 5 {
		t.Errorf("the dump: %v: %+v", err, o)
	}

	cmd := program(folder, "run", "-m", "d", "-i", photo, "caption en")
	cmd.Env = append(cmd.Env, "PALI_MAX_TOKENS=2")
	if o = run(t, cmd); o.code != 0 || len(o.stdout) >= len(caption) || !strings.HasPrefix(caption,
		strings.TrimSuffix(o.stdout, "\n")) {
		t.Errorf("PALI_MAX_TOKENS=2: %+v", o)
	}
}

// Without --seed, or with -1, each answer is drawn by another seed, which is told and draws it again.
func TestSeed(t *testing.T) {
	folder := workplace(t)
	draw := func(command string, args ...string) (text string, seed *uint64, stderr string) {
		t.Helper()
		o := run(t, program(folder, append([]string{command, "-m", "d", "-i", photo, "--temperature", "5",
			"--max-tokens", "4"}, args...)...))
		var a tasks.Response
		if json.Unmarshal([]byte(o.stdout), &a) != nil {
			a.Text = strings.TrimSuffix(o.stdout, "\n")
		}
		if o.code != 0 {
			t.Fatalf("%v: %+v", args, o)
		}
		return a.Text, a.Seed, o.stderr
	}
	for _, c := range []struct{ command, prompt, seed string }{
		{"run", "caption en", ""}, {"run", "caption en", "--seed=-1"}, {"caption", "--lang=en", ""},
	} {
		args := slices.DeleteFunc([]string{c.prompt, "--json", c.seed}, func(arg string) bool { return arg == "" })
		text, seed, _ := draw(c.command, args...)
		_, other, _ := draw(c.command, args...)
		if seed == nil || other == nil || *seed == *other {
			t.Fatalf("%v: seeds %v and %v", args, seed, other)
		}
		again, told, stderr := draw(c.command, c.prompt, "--seed", fmt.Sprint(*seed))
		if again != text || told != nil || strings.Contains(stderr, "--seed") {
			t.Errorf("%v: %q, with its seed %q, %q", args, text, again, stderr)
		}
	}
	if _, _, stderr := draw("run", "caption en"); !strings.HasPrefix(stderr, "pali: drawn with --seed ") {
		t.Errorf("no seed is told: %q", stderr)
	}
}

// startAnswer asks a random model in the folder "tiny", whose answer never ends by itself, and returns
// when the answer has begun.
func startAnswer(t *testing.T, folder string) (cmd *exec.Cmd, out io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	if o := run(t, program(folder, "convert", "testdata/reference/cases/tiny-gemma.npz", "--tokenizer",
		"testdata/reference/cases/tokenizer.model", "-t", "f32", "-o", "tiny")); o.code != 0 {
		t.Fatalf("convert: %+v", o)
	}
	cmd = program(folder, "run", "-m", "tiny", "-i", photo, "caption en", "--max-tokens", "60000", "-t", "1")
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, out, stderr
}

// Ctrl-C ends a long answer at once, with 130.
func TestInterrupt(t *testing.T) {
	cmd, out, stderr := startAnswer(t, workplace(t))
	go io.Copy(io.Discard, out)
	start := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(stderr.String(), "interrupted") ||
		time.Since(start) > 5*time.Second {
		t.Errorf("code %d after %v: %s", code, time.Since(start), stderr.String())
	}
}

// A reader that goes away ends the program quietly.
func TestClosedPipe(t *testing.T) {
	folder := workplace(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	var stderr bytes.Buffer
	cmd := program(folder, "run", "-m", "d", "-i", photo, "caption en")
	cmd.Stdout, cmd.Stderr = w, &stderr
	cmd.Run()
	w.Close()
	if stderr.Len() > 0 || cmd.ProcessState.Success() {
		t.Errorf("%v: %s", cmd.ProcessState, stderr.String())
	}
}

// Help, versions and completions are there for every command, and every flag can be set from the
// environment.
func TestCommands(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help", "run"}, {"version"}, {"completion", "bash"}, {"doctor"},
		{"inspect", data + "/demo/demo.npz"}} {
		if o := run(t, program(".", args...)); o.code != 0 || o.stdout == "" || o.stderr != "" {
			t.Errorf("%v: %+v", args, o)
		}
	}
	for _, args := range [][]string{{"version", "--json"}, {"doctor", "--json"},
		{"inspect", "--json", data + "/demo/demo.npz"}} {
		if o := run(t, program(".", args...)); !json.Valid([]byte(o.stdout)) {
			t.Errorf("%v: %+v", args, o)
		}
	}
	flags := 0
	for _, c := range newRoot().Commands() {
		if o := run(t, program(".", c.Name(), "--help")); !strings.Contains(o.stdout, c.Short) &&
			!strings.Contains(o.stdout, c.Long) {
			t.Errorf("%s --help: %+v", c.Name(), o)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			checkTwin(t, c, f)
		})
	}
	if flags < 30 {
		t.Errorf("%d flags", flags)
	}
}

// checkTwin sets a flag from the environment: a value that it cannot take must be refused with the
// variable's name, a value that it can must arrive.
func checkTwin(t *testing.T, c *cobra.Command, f *pflag.Flag) {
	t.Helper()
	if f.Name == "help" {
		return
	}
	name, value := "PALI_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), "7"
	switch f.Value.Type() {
	case "bool":
		value = "true"
	case "duration":
		value = "7s"
	case "stringArray", "stringSlice":
		value = "[7]"
	}
	t.Setenv(name, strings.Trim(value, "[]"))
	defer os.Unsetenv(name)
	if err := fromEnvironment(c.Flags()); err != nil || f.Value.String() != value {
		t.Errorf("%s %s: %v, have %s", c.Name(), name, err, f.Value)
	}
}
