package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/tasks"
)

// withMasks is a workplace whose model has a mask file.
func withMasks(t *testing.T) string {
	t.Helper()
	folder := workplace(t)
	if o := run(t, program(folder, "convert", "--masks", "testdata/demo/masks.npz", "--name", "demo", "-o",
		"d")); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	return folder
}

func asked(t *testing.T, folder string, args ...string) (a tasks.Response) {
	t.Helper()
	o := run(t, program(folder, append(args, "-m", "d", "-i", photo, "-t", "1", "--json")...))
	if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || o.code != 0 {
		t.Fatalf("%v: %v: %+v", args, err, o)
	}
	return a
}

// A task's prompt reaches the model as if it were typed.
func TestTasksAreRunsWithAPrompt(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		args   []string
		prompt string
	}{
		{[]string{"caption"}, "caption en"},
		{[]string{"caption", "--lang", "de"}, "caption de"},
		{[]string{"describe"}, "describe en"},
		{[]string{"ask", "how many circles are there?"}, "answer en how many circles are there?"},
		{[]string{"ocr"}, "ocr"},
	} {
		task := run(t, program(folder, append(c.args, "-m", "d", "-i", photo, "-t", "1")...))
		typed := run(t, program(folder, "run", c.prompt, "-m", "d", "-i", photo, "-t", "1"))
		if task.code != 0 || task.stdout != typed.stdout || task.stdout == "" || task.stderr != "" {
			t.Errorf("%v: %+v, typed %q", c.args, task, typed.stdout)
		}
		if a := asked(t, folder, c.args...); a.Prompt != c.prompt || a.Text+"\n" != typed.stdout || a.Image != photo ||
			a.Objects != nil || len(a.Tokens) == 0 {
			t.Errorf("%v --json: %+v", c.args, a)
		}
	}
}

func TestDetect(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "detect", "circle", "purple triangle", "-m", "d", "-i", photo, "-t", "1", "-o",
		"out.png"))
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if o.code != 0 || len(lines) != 2 || !strings.HasPrefix(lines[0], "circle 0.") || !strings.HasSuffix(lines[0],
		": x 157 to 367, y 132 to 342") {
		t.Fatalf("%+v", o)
	}
	data, err := os.ReadFile(filepath.Join(folder, "out.png"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := png.Decode(bytes.NewReader(data)); err != nil || p.Bounds().Dx() != 419 || p.Bounds().Dy() != 455 {
		t.Errorf("the image: %v", err)
	}
	a := asked(t, folder, "detect", "circle ; purple triangle")
	if len(a.Objects) != 2 || a.Prompt != "detect circle ; purple triangle" || len(a.Unparsed) != 0 {
		t.Fatalf("%+v", a)
	}
	c := a.Objects[0]
	if c.Label != "circle" || math.Abs(c.XYXY[0]-float64(c.Loc[1])/1023*419) > 1e-9 || c.Box <= 0 || c.Box > 1 ||
		math.Abs(c.Score.Score-c.Box*c.Score.Label) > 1e-12 {
		t.Errorf("%+v", c)
	}
	other := asked(t, folder, "detect", "circle ; purple triangle", "--loc-divisor", "1024").Objects[0]
	if math.Abs(other.XYXY[0]-float64(c.Loc[1])/1024*419) > 1e-9 {
		t.Errorf("by 1024: %+v", other)
	}
	if strict := asked(t, folder, "detect", "circle ; purple triangle", "--strict"); strict.Text != a.Text {
		t.Errorf("strict: %q, free %q", strict.Text, a.Text)
	}
	if few := asked(t, folder, "detect", "circle ; purple triangle", "--min-score", "0.999"); len(few.Objects) != 0 ||
		few.Objects == nil {
		t.Errorf("--min-score 0.999: %+v", few.Objects)
	}
	if o := run(t, program(folder, "detect", "circle", "-m", "d", "-i", photo, "-t", "1", "--min-score",
		"1")); o.stdout != "" || o.code != 0 ||
		o.stderr != "pali: 1 object is left out: it scores less than --min-score\npali: nothing found\n" {
		t.Errorf("nothing: %+v", o)
	}
}

// TestForm checks that answers about objects keep to their form unless they are free, and that what
// they lost is said.
func TestForm(t *testing.T) {
	folder := withMasks(t)
	for _, c := range []struct {
		name, stdout, stderr string // the beginning of each line
		args                 []string
	}{
		{"label asked for", "circle triangle 0.", "", []string{"segment", "circle triangle"}},
		{"named default", "circle triangle 0.", "", []string{"segment", "circle triangle", "--strict"}},
		{"label not asked for", "yellow circle 0.", "pali: 1 object has a label that nobody asked for: yellow circle\n",
			[]string{"segment", "circle triangle", "--free"}},
		{"free by the other flag", "yellow circle 0.",
			"pali: 1 object has a label that nobody asked for: yellow circle\n",
			[]string{"segment", "circle triangle", "--strict=false"}},
		{"a box where a free answer has none", "dog 0.", "pali: ", []string{"detect", "dog"}},
		{"no box in a free answer", "",
			"pali: 1 part of an answer is not an object: <loc0296><loc0384> yellow circle\n" +
				"pali: nothing found\n", []string{"detect", "dog", "--free"}},
		{"no mask", "purple triangle 0.", "pali: 1 object has no mask: the model gave none\n",
			[]string{"segment", "purple triangle", "yellow circle", "--free", "--mask-png", "none.png"}},
		{"a mask", "yellow circle 0.", "",
			[]string{"segment", "purple triangle", "yellow circle", "--mask-png", "one.png"}},
		{"searched for", "circle 0.", "pali: 1 object has no mask: the model gave none\n",
			[]string{"segment", "circle", "--beam", "3", "--free"}},
		{"text cut off", "a yellow circle\n", "pali: 1 answer was cut off at the limit of tokens (--max-tokens)\n",
			[]string{"caption", "--max-tokens", "3"}},
		{"in tiles", "dog 0.", "pali: ", []string{"detect", "dog", "--tiles", "--tile-side", "200"}},
		{"log-probabilities", "circle 0.", " -0.", []string{"detect", "circle", "--logprobs", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, append(c.args, "-m", "d", "-i", photo, "-t", "1")...))
			if o.code != 0 || !strings.HasPrefix(o.stdout, c.stdout) || !strings.HasPrefix(o.stderr, c.stderr) ||
				(c.stdout == "") != (o.stdout == "") || (c.stderr == "") != (o.stderr == "") {
				t.Errorf("%+v", o)
			}
		})
	}
	a := asked(t, folder, "segment", "circle triangle", "--free", "--min-score", "0.3", "--max-tokens", "12")
	if a.Lost.Unasked["yellow circle"]+a.Lost.Unparsed == 0 || a.Lost.CutOff != 1 {
		t.Errorf("as JSON: %+v", a.Lost)
	}
	if a := asked(t, folder, "detect", "circle"); !a.Lost.IsZero() {
		t.Errorf("nothing lost: %+v", a.Lost)
	}
	o := run(t, program(folder, "run", "caption en", "-m", "d", "-i", photo, "-t", "1", "--max-tokens", "3", "--json"))
	if !strings.Contains(o.stdout, `"cut_off": 1`) || !strings.Contains(o.stderr, "cut off") {
		t.Errorf("pali run: %+v", o)
	}
	free := program(folder, "detect", "circle triangle", "-m", "d", "-i", photo, "-t", "1", "--strict")
	free.Env = append(free.Env, "PALI_FREE=1", "PALI_SEED=1")
	if o := run(t, free); o.code != 0 || !strings.HasPrefix(o.stdout, "circle triangle 0.") {
		t.Errorf("the command line before the environment: %+v", o)
	}
}

// --show=FORM shows the image before the lines, --show nothing without a terminal.
func TestShow(t *testing.T) {
	folder := workplace(t)
	args := []string{"detect", "circle", "-m", "d", "-i", photo, "-t", "1"}
	lines := run(t, program(folder, args...)).stdout
	for _, c := range []struct {
		flag  string
		begin string
	}{
		{"--show=kitty", "\x1b_Ga=T,"},
		{"--show=iterm2", "\x1b]1337;File="},
		{"--show=sixel", "\x1bPq"},
	} {
		t.Run(c.flag, func(t *testing.T) {
			if o := run(t, program(folder, append(args, c.flag)...)); o.code != 0 || !strings.HasPrefix(o.stdout,
				c.begin) || !strings.HasSuffix(o.stdout, "\n"+lines) || o.stderr != "" {
				t.Errorf("%s: %d, %.40q", c.flag, o.code, o.stdout)
			}
		})
	}
	if o := run(t, program(folder, append(args, "--show")...)); o.code != 0 || o.stdout != lines ||
		!strings.Contains(o.stderr, "not a terminal") {
		t.Errorf("--show: %+v", o)
	}
	for _, c := range []struct {
		flag string
		want string
	}{
		{"--show=ascii", "--show=ascii"},
		{"--show", "--show and --json"},
	} {
		t.Run(c.flag, func(t *testing.T) {
			if o := run(t, program(folder, append(args, c.flag, "--json")...)); o.code != 2 ||
				!strings.Contains(o.stderr, c.want) {
				t.Errorf("%s --json: %+v", c.flag, o)
			}
		})
	}
}

func TestSegment(t *testing.T) {
	folder := withMasks(t)
	a := asked(t, folder, "segment", "yellow circle")
	if len(a.Objects) != 1 || a.Objects[0].Mask == nil || len(a.Objects[0].Polygons) == 0 {
		t.Fatalf("%+v", a)
	}
	o := a.Objects[0]
	b := o.Mask
	if b.Width != 419 || b.Height != 455 || o.Area == nil || b.Area() != *o.Area {
		t.Errorf("mask: %d x %d, area %d", b.Width, b.Height, b.Area())
	}
	// It is a circle: nearly pi/4 of its box.
	if share := float64(*o.Area) / ((o.XYXY[2] - o.XYXY[0]) * (o.XYXY[3] - o.XYXY[1])); math.Abs(
		share-math.Pi/4) > 0.05 {
		t.Errorf("%.2f of the box", share)
	}
	for _, c := range []struct {
		form string
		want uint8
	}{{"palette", 1}, {"grey", 255}} {
		asked(t, folder, "segment", "yellow circle", "--mask-png", "m.png", "--mask-form", c.form)
		width, height, pix := pixels(t, filepath.Join(folder, "m.png"))
		if width != b.Width || height != b.Height {
			t.Fatalf("%s: %d x %d", c.form, width, height)
		}
		for i, in := range b.Bits {
			if want := map[bool]uint8{true: c.want}[in]; pix[i] != want {
				t.Fatalf("%s: pixel %d is %d, want %d", c.form, i, pix[i], want)
			}
		}
	}
	if err := os.Remove(filepath.Join(folder, "d", "masks-demo.gguf")); err != nil {
		t.Fatal(err)
	}
	out := run(t, program(folder, "segment", "yellow circle", "-m", "d", "-i", photo, "-t", "1"))
	if out.code != 0 || !strings.Contains(out.stderr, "boxes only") || !strings.HasPrefix(out.stdout,
		"yellow circle 0.") || strings.Contains(out.stdout, "pixels") {
		t.Errorf("without a mask file: %+v", out)
	}
	out = run(t, program(folder, "segment", "yellow circle", "-m", "d", "-i", photo, "--mask-png", "n.png"))
	if out.code != 2 || !strings.Contains(out.stderr, "--mask-png") || strings.Count(out.stderr, "\n") != 1 {
		t.Errorf("masks without a mask file: %+v", out)
	}
}

// pixels reads a PNG of one byte a pixel.
func pixels(t *testing.T, path string) (width, height int, pix []uint8) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	switch p := p.(type) {
	case *image.Gray:
		pix = p.Pix
	case *image.Paletted:
		pix = p.Pix
	default:
		t.Fatalf("an image of type %T", p)
	}
	return p.Bounds().Dx(), p.Bounds().Dy(), pix
}

func TestTasksCalledWrongly(t *testing.T) {
	folder := workplace(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"nothing to detect", []string{"detect"}},
		{"nothing to segment", []string{"segment", " ; "}},
		{"no prompt", []string{"ask"}},
		{"no question", []string{"ask", " "}},
		{`language "xx"`, []string{"caption", "--lang", "xx"}},
		{"--min-score", []string{"detect", "cat", "--min-score", "2"}},
		{"--loc-divisor", []string{"detect", "cat", "--loc-divisor", "1000"}},
		{".png", []string{"detect", "cat", "-o", "out.jpg"}},
		{"is the image", []string{"detect", "cat", "-o", "d/../" + photo}},
		{"--mask-form", []string{"segment", "cat", "--mask-form", "rgb"}},
		{"--mask-png out.jpg", []string{"segment", "cat", "--mask-png", "out.jpg"}},
		{"--output is empty", []string{"detect", "cat", "-o", ""}},
		{"--mask-png is empty", []string{"segment", "cat", "--mask-png="}},
		{"want two files", []string{"segment", "cat", "--mask-png", "out.png", "-o", "./out.png"}},
		{"--mask-png d/../", []string{"segment", "cat", "--mask-png", "d/../" + photo}},
		{"found in one", []string{"detect", "cat", "-i", photo}},
		{"an object may take", []string{"detect", "cat", "--strict", "--max-tokens", "5"}},
		{"--free", []string{"segment", "cat", "--max-tokens", "23"}},
		{"--strict and --free", []string{"detect", "cat", "--strict", "--free"}},
		{"--strict and --beam", []string{"detect", "cat", "--strict", "--beam", "2"}},
		{"with --free", []string{"segment", "cat", "--beam", "2"}},
		{"--seed does nothing with --beam", []string{"detect", "cat", "--free", "--beam", "2", "--seed", "1"}},
		{"--top-k does nothing with --beam", []string{"caption", "--beam", "2", "--top-k", "3"}},
		{"--top-p does nothing without --temperature", []string{"ask", "what?", "--top-p", "0.5"}},
		{"--min-p does nothing without --temperature", []string{"ocr", "--min-p", "0.5"}},
		{"--seed does nothing without --temperature", []string{"describe", "--seed", "0"}},
		{"--mask-form does nothing without --mask-png", []string{"segment", "cat", "--mask-form", "grey"}},
		{"--gpu-layers does nothing with --device cpu", []string{"caption", "--device", "cpu", "--gpu-layers", "3"}},
		{"has a control character (U+000A)", []string{"detect", "ca\nt"}},
		{"unknown flag: --mask", []string{"detect", "cat", "--mask", "x"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			o := run(t, program(folder, append(c.args, "-m", "d", "-i", photo)...))
			if o.code != 2 || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
				t.Errorf("%v: want %q: %+v", c.args, c.want, o)
			}
		})
	}
	o := run(t, program(folder, "segment", "cat", "--masks", "d/demo-F32.gguf", "-m", "d", "-i", photo))
	if o.code != 1 || !strings.Contains(o.stderr, "not a mask file") {
		t.Errorf("a text file as masks: %+v", o)
	}
}
