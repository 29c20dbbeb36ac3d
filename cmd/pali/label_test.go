package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
)

// labelPlace is a workplace with a mask file, classes, and folders of images: two of one name, and
// names with blanks, newlines and more.
func labelPlace(t *testing.T) string {
	t.Helper()
	folder := withMasks(t)
	if err := os.WriteFile(filepath.Join(folder, "classes.txt"), []byte("circle\n\n  triangle \ncircle\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"one/a.png", "two/a.png", "two/b c.png", "two/🐱\n猫.png", "two/deep/d.jpg",
		"two/notes.txt", "two/.hidden.png"} {
		from := fmt.Sprintf("%03d.png", 3*i)
		if strings.HasSuffix(name, ".jpg") {
			from = "001.jpg"
		}
		b, err := os.ReadFile(filepath.Join(data, "demo/pictures", from))
		if strings.HasSuffix(name, ".txt") {
			b = []byte("notes\n")
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func labelJSON(t *testing.T, o outcome) (r dataset.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %+v", err, o)
	}
	return r
}

// lost returns what a run says of answers and files.
func lost(r dataset.Report) (lines string) {
	for _, s := range append(r.Losses.Sentences(tasks.OptionNames{MinScore: "--min-score", MaxTokens: "--max-tokens"}),
		r.Notes...) {
		lines += "pali: " + s + "\n"
	}
	return lines
}

// imagesOf lists the images of a JSONL file, each once.
func imagesOf(t *testing.T, text string) (all []string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var row struct{ Image string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || all[len(all)-1] != row.Image {
			all = append(all, row.Image)
		}
	}
	return all
}

func TestLabel(t *testing.T) {
	folder := labelPlace(t)
	args := []string{"label", "one", "two", "-r", "-m", "d", "-t", "1", "--classes", "classes.txt", "--task", "segment",
		"--prompt", "caption en", "--prompt", "segment yellow circle", "--format", "jsonl,yolo-seg", "--format",
		"masks,csv", "-o", "out", "--json"}
	o := run(t, program(folder, args...))
	r := labelJSON(t, o)
	if o.code != 0 || o.stderr != "pali: 1 hidden image is skipped: two/.hidden.png\n"+lost(r) || r.Images != 5 ||
		r.Prompts != 4 || r.Answered != 5 || r.Encoded != 5 ||
		r.Objects < 3 || r.Busy <= 0 || r.Busy > 1 || len(r.Bad) != 0 {
		t.Errorf("%+v", o)
	}
	want := []string{"one/a.png", "two/a.png", "two/b c.png", "two/deep/d.jpg", "two/🐱\n猫.png"}
	all := faultfs.Files(t, filepath.Join(folder, "out"))
	if d := cmp.Diff(want, imagesOf(t, all["labels.jsonl"])); d != "" {
		t.Errorf("images (-want +got)\n%s", d)
	}
	for _, name := range []string{"yolo-seg/images/two/🐱_猫.png", "yolo-seg/data.yaml", "yolo-seg/labels/one/a.txt",
		"masks/two/deep/d.png", "labels.csv"} {
		if all[name] == "" {
			t.Errorf("no %q", name)
		}
	}
	// Each answer is what the task's own command says.
	one := asked(t, folder, "segment", "circle")
	if line := fmt.Sprintf(`{"image":"one/a.png","prefix":"segment circle","suffix":%q}`, one.Text); !strings.Contains(
		all["labels.jsonl"], line) {
		t.Errorf("no line %s", line)
	}

	// Once more, nothing is asked, and the files stay the same; other formats and scores come
	// without the model.
	again := labelJSON(t, run(t, program(folder, args...)))
	if again.Answered != 0 || again.Known != 5 || again.Encoded != 0 {
		t.Errorf("%+v", again)
	}
	if d := cmp.Diff(all, faultfs.Files(t, filepath.Join(folder, "out"))); d != "" {
		t.Errorf("again: %.1000s", d)
	}
	few := labelJSON(t, run(t, program(folder, append(args, "--min-score", "0.9", "--format", "coco")...)))
	if few.Answered != 0 || few.Objects+few.Dropped != r.Objects+r.Dropped || few.Dropped == 0 {
		t.Errorf("%+v", few)
	}

	// Another model, other prompts: refused in one sentence, until it is forced.
	other := append(args, "--prompt", "ocr")
	if o := run(t, program(folder, other...)); o.code != 1 || !strings.Contains(o.stderr, "other prompts") ||
		strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("%+v", o)
	}
	if o := run(t, program(folder, append(other, "--force")...)); o.code != 0 {
		t.Errorf("%+v", o)
	}
	strict := labelJSON(t, run(t, program(folder, append(args, "-o", "strict", "--strict")...)))
	if strict.Unparsed != 0 || strict.Images != 5 {
		t.Errorf("strict: %+v", strict)
	}
}

// The images of patterns and lists; one that is bad is told, left out, and makes the code 1.
func TestLabelImages(t *testing.T) {
	folder := labelPlace(t)
	for i, c := range []struct {
		args  []string
		stdin string
		want  []string
		bad   int
	}{
		{[]string{"two"}, "", []string{"a.png", "b c.png", "🐱\n猫.png"}, 0},
		{[]string{"*/a.png", "two/a.png"}, "", []string{"one/a.png", "two/a.png"}, 0},
		{[]string{"two/b c.png"}, "", []string{"b c.png"}, 0},
		{[]string{"-"}, "two/b c.png\n\none/a.png\nnone.png\n", []string{"two/b c.png", "one/a.png"}, 1},
		{[]string{"-", "-0"}, "two/🐱\n猫.png\x00words.txt\x00huge.png\x00empty\x00two/a.png",
			[]string{"two/🐱\n猫.png", "two/a.png"}, 3},
	} {
		out := fmt.Sprint("out", i)
		cmd := program(folder, append([]string{"label", "-m", "d", "-t", "1", "--task", "caption", "--format", "jsonl",
			"-o", out, "--json"}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.stdin)
		o := run(t, cmd)
		r := labelJSON(t, o)
		if d := cmp.Diff(c.want, imagesOf(t, faultfs.Files(t, filepath.Join(folder, out))["labels.jsonl"])); d != "" ||
			len(r.Bad) != c.bad || o.code != min(c.bad, 1) || strings.Count(o.stderr, "left out: ") != c.bad {
			t.Errorf("%v: %s\n%+v", c.args, d, o)
		}
	}
	o := run(t, program(folder, "label", "words.txt", "-m", "d", "-t", "1", "--task", "ocr", "-o", "none"))
	if o.code != 1 || !strings.Contains(o.stderr, "none of the 1 images could be read") ||
		len(faultfs.Files(t, filepath.Join(folder, "none"))) != 1 {
		t.Errorf("%+v", o)
	}
}

// Killed or interrupted again and again, a run ends with the bytes of an undisturbed one.
func TestLabelKilled(t *testing.T) {
	folder := labelPlace(t)
	args := func(out string) []string {
		all := []string{"label", "testdata/demo/pictures", "one", "two", "-m", "d", "-t", "1", "--format",
			strings.Join(dataset.FormatNames(), ","), "-o", out}
		for _, p := range []string{"caption en", "caption de", "caption fr", "segment yellow circle", "segment circle",
			"segment triangle", "detect circle ; star", "detect square"} {
			all = append(all, "--prompt", p)
		}
		return all
	}
	whole := run(t, program(folder, args("whole")...))
	if whole.code != 0 {
		t.Fatalf("%+v", whole)
	}
	kills := 0
	for i := 0; kills < 10 && i < 100; i++ {
		cmd := program(folder, args("killed")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Millisecond + whole.took*time.Duration(i+6)/150)
		signal := []os.Signal{os.Kill, os.Kill, os.Interrupt}[kills%3]
		cmd.Process.Signal(signal)
		if cmd.Wait() == nil { // it was faster
			break
		}
		// -1: the program had not begun
		if code := cmd.ProcessState.ExitCode(); signal == os.Interrupt && code != 130 && code != -1 {
			t.Errorf("interrupted: code %d", code)
		}
		kills++
	}
	if o := run(t, program(folder, args("killed")...)); o.code != 0 || kills < 10 {
		t.Errorf("killed %d times: %+v", kills, o)
	}
	if d := cmp.Diff(faultfs.Files(t, filepath.Join(folder, "whole")),
		faultfs.Files(t, filepath.Join(folder, "killed"))); d != "" {
		t.Errorf("killed %d times (-want +got)\n%.2000s", kills, d)
	}
	t.Logf("killed %d times", kills)
}

// The program's memory does not grow with the number of images. PALI_MANY=10000 (make label-many)
// takes more of them.
func TestLabelMany(t *testing.T) {
	folder := workplace(t)
	n := 400
	if many, err := strconv.Atoi(os.Getenv("PALI_MANY")); err == nil {
		n = many
	}
	if err := os.MkdirAll(filepath.Join(folder, "many"), 0o700); err != nil {
		t.Fatal(err)
	}
	var few, all bytes.Buffer
	for i := range n {
		path := fmt.Sprintf("many/%05d.bmp", i)
		if err := os.WriteFile(filepath.Join(folder, path), bitmap(i), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, path)
		if i < n/10 {
			fmt.Fprintln(&few, path)
		}
	}
	label := func(list *bytes.Buffer, out string) (dataset.Report, outcome) {
		cmd := program(folder, "label", "-", "-m", "d", "-t", "1", "--prompt", "detect circle", "--format",
			"coco,csv,jsonl", "-o", out, "--json")
		cmd.Stdin = list
		o := run(t, cmd)
		return labelJSON(t, o), o
	}
	_, small := label(&few, "few")
	r, large := label(&all, "all")
	t.Logf("%d images: %.1f a second, the model busy %.1f %%; peak memory %.1f MB, with a tenth of them %.1f MB", n,
		r.Rate, 100*r.Busy, float64(large.peak)/1e6, float64(small.peak)/1e6)
	if large.code != 0 || r.Answered != n || r.Encoded != n || large.peak > small.peak+20<<20 {
		t.Errorf("%d images: %+v; peak memory %d and %d bytes", n, r, large.peak, small.peak)
	}
}

// bitmap is a BMP of 2 x 1 pixels, another for each number.
func bitmap(i int) []byte {
	b := append(
		[]byte(
			"BM\x3e\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x18\x00"), make([]byte, 24)...)
	return append(b, byte(i), byte(i>>8), 0, 0, 255, byte(i), 0, 0)
}

// A list with what a shell made of it reaches the program as it is.
func TestLabelShell(t *testing.T) {
	folder := labelPlace(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c",
		`find two -name "*.png" ! -name ".*" -print0 | sort -z | "$0" label - -0 -m d -t 1 --task caption --lang de --format csv -o out`, exe)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "PALI_TEST_MAIN=1")
	o := run(t, cmd)
	if o.code != 0 || o.stdout != "out/labels.csv\n" || !strings.HasPrefix(o.stderr, "3 images, 0 objects\n") {
		t.Errorf("%+v", o)
	}
}

// TestLabelSaysWhatIsLost checks that nothing given is left out without a line and the exit code that
// says so, and that what the model answered imperfectly is said too.
func TestLabelSaysWhatIsLost(t *testing.T) {
	folder := labelPlace(t)
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	jpeg, err := os.ReadFile(filepath.Join(data, "demo/pictures/001.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.jfif", "b.jpe", "c", "d.jpg", strings.Repeat("x", 251) + ".jpg"} {
		put("p/"+name, string(jpeg))
	}
	put("p/IMG_0001.HEIC", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1")
	put("p/notes.txt", "notes")
	put("p/deep/e.jpg", string(jpeg))
	put("two.txt", "circle triangle\n")
	put("utf16.txt", "\xff\xfec\x00i\x00r\x00c\x00l\x00e\x00\r\x00\n\x00")
	for i, c := range []struct {
		name string
		args []string
		code int
		want []string // in stderr
		not  string   // not in stderr
	}{
		{"contents and names", []string{"p", "--classes", "utf16.txt", "--format", "coco,yolo,voc"}, 1, []string{
			"pali: p/IMG_0001.HEIC: left out: image: a HEIC photo, ",
			"pali: 1 folder is not looked into: p/deep (--recursive)\n",
			"\n5 images, ", "pali: 1 image's name is too long for files, and cut there\n",
			"pali: 1 of 6 images could not be read and is left out\n"}, "notes.txt"},
		{"labels of the model", []string{"two/a.png", "one/a.png", "--task", "segment", "--classes", "two.txt",
			"--free"}, 0,
			[]string{" a label that nobody asked for: "}, "could not be read"},
		{"only those that are not read", []string{"p/*.HEIC", "--task", "ocr"}, 1,
			[]string{"pali: p/IMG_0001.HEIC: left out: ", "pali: none of the 1 images could be read\n"}, "panic"},
		{"no classes file", []string{"p", "--classes", "circle"}, 1,
			[]string{"pali: --classes: \"circle\": no such file: want a text file with one class on each line\n"},
			"image"},
		{"a folder as classes", []string{"p", "--classes", "one"}, 1,
			[]string{"pali: --classes: one: is a folder, not a regular file: want a text file"}, "image"},
		{"an image as classes", []string{"p", "--classes", "p/c"}, 1,
			[]string{"pali: --classes: p/c: is an image (JPEG): "}, "left out"},
		{"Latin-1", []string{"p", "--classes", "latin1.txt"}, 1,
			[]string{"line 2: byte 0xe9 is not UTF-8: save it as UTF-8\n"},
			"left out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			put("latin1.txt", "cat\ncaf\xe9\n")
			o := run(t, program(folder, append([]string{"label", "-m", "d", "-t", "1", "-o", fmt.Sprint("lost", i)},
				c.args...)...))
			if o.code != c.code || strings.Contains(o.stderr, c.not) {
				t.Errorf("want code %d: %+v", c.code, o)
			}
			for _, want := range c.want {
				if !strings.Contains(o.stderr, want) {
					t.Errorf("no %q in %q", want, o.stderr)
				}
			}
		})
	}
}
