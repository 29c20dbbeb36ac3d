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
		"1")); o.stdout != "" || o.stderr != "pali: nothing found\n" || o.code != 0 {
		t.Errorf("nothing: %+v", o)
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
		{"want two files", []string{"segment", "cat", "--mask-png", "out.png", "-o", "./out.png"}},
		{"--mask-png d/../", []string{"segment", "cat", "--mask-png", "d/../" + photo}},
		{"found in one", []string{"detect", "cat", "-i", photo}},
		{"an object may take", []string{"detect", "cat", "--strict", "--max-tokens", "5"}},
		{"--strict and --beam", []string{"detect", "cat", "--strict", "--beam", "2"}},
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
