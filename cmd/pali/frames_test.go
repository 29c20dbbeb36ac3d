package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/npz"
)

// film makes a GIF of the demo's first images, 60 x 40 pixels of each, and PNGs of its frames in a
// folder.
func film(t *testing.T, folder string, n int) {
	t.Helper()
	g := &gif.GIF{}
	if err := os.Mkdir(filepath.Join(folder, "film"), 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{"000", "002", "003", "005", "006", "008"}
	for i := range n {
		p := readPNG(t, filepath.Join(data, "demo/pictures", names[i]+".png"))
		m := image.NewPaletted(image.Rect(0, 0, 60, 40), palette.Plan9)
		draw.Draw(m, m.Rect, p, image.Pt(80, 80), draw.Src)
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 5)
		// 5, 8, 11: the order of numbers
		if err := atomicfile.WritePNG(filepath.Join(folder, "film", fmt.Sprintf("%d.png", 5+3*i)), m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "film.gif"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// dumpedPixels runs a command and returns the pixels that the model saw.
func dumpedPixels(t *testing.T, cmd *exec.Cmd) []float32 {
	t.Helper()
	cmd.Args = append(cmd.Args, "-m", "d", "-t", "1", "--max-tokens", "1", "--dump", "x.npz")
	if o := run(t, cmd); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	a, err := npz.Open(filepath.Join(cmd.Dir, "x.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, x := range a.Tensors() {
		if x.Name == "pixels" {
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatal("no pixels")
	return nil
}

// Frames of a GIF and of a folder are what their images are as several -i.
func TestFrames(t *testing.T) {
	folder := workplace(t)
	film(t, folder, 5)
	asked := func(args ...string) []float32 {
		return dumpedPixels(t, program(folder, append([]string{"run", "caption en"}, args...)...))
	}
	images := func(at ...int) (args []string) {
		for _, i := range at {
			args = append(args, "-i", fmt.Sprintf("film/%d.png", 5+3*i))
		}
		return args
	}
	for _, c := range []struct {
		args []string
		want []int
	}{
		{[]string{"--frames", "2"}, []int{0, 2}},
		{[]string{"--frames", "5"}, []int{0, 1, 2, 3, 4}},
		{[]string{"--frames", "3", "--stride", "4"}, []int{0, 4, 0}},
	} {
		want := asked(images(c.want...)...)
		for _, name := range []string{"film.gif", "film"} {
			if !slices.Equal(asked(append(c.args, "-i", name)...), want) {
				t.Errorf("%v -i %s: not the images %v", c.args, name, c.want)
			}
		}
	}
	if !slices.Equal(asked("-i", "film.gif"), asked(images(0)...)) {
		t.Error("without --frames: not the first")
	}
	o := run(t, program(folder, "ask", "how many stars are there?", "-m", "d", "-i", "film.gif", "--frames", "4", "-t",
		"1", "--json"))
	var a struct {
		Frames []int
		Image  string
	}
	if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || o.code != 0 ||
		!slices.Equal(a.Frames, []int{0, 1, 2, 3}) || a.Image != "film.gif" {
		t.Errorf("%v: %+v", err, o)
	}
}

func TestFramesCalledWrongly(t *testing.T) {
	folder := workplace(t)
	film(t, folder, 2)
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"--frames takes its images", []string{"caption", "-i", "film"}, 1},
		{"no images in this folder", []string{"caption", "-i", "nothing", "--frames", "2"}, 1},
		{"not a GIF", []string{"caption", "-i", photo, "--frames", "2"}, 1},
		{"want 0 to 256", []string{"caption", "-i", "film.gif", "--frames", "257"}, 2},
		{"--stride -1", []string{"caption", "-i", "film.gif", "--stride", "-1"}, 2},
		{"--frames is for one", []string{"caption", "-i", "film.gif", "-i", "film.gif", "--frames", "2"}, 2},
		{"at most 127", []string{"caption", "-i", "film.gif", "--frames", "200"}, 1},
		{"unknown flag: --frames", []string{"detect", "star", "-i", "film.gif", "--frames", "2"}, 2},
		{"is a folder, want an image f", []string{"ocr", "-i", "film"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, program(folder, append(c.args, "-m", "d", "-t", "1")...))
			if o.code != c.code || !strings.Contains(o.stderr, c.name) || o.stdout != "" ||
				strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("%v: want %q: %+v", c.args, c.name, o)
			}
		})
	}
}

// actFFmpeg is what the test program does when it is called by the name of ffmpeg: it keeps its
// arguments and plays a video of ten frames of 4 x 2 pixels, the n-th all of brightness 20n, or one
// that goes wrong as the file's text says.
func actFFmpeg(args []string) int {
	file := strings.TrimPrefix(args[slices.Index(args, "-i")+1], "file:")
	text, err := os.ReadFile(file)
	if err != nil {
		return 3
	}
	how := string(text[4:])
	if f, err := os.OpenFile(os.Getenv("PALI_TEST_FFMPEG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		json.NewEncoder(f).Encode(args)
		f.Close()
	}
	frames := 10
	switch {
	case how == "broken":
		fmt.Fprintln(os.Stderr, "file:x: Invalid \x1b[31mdata")
		return 1
	case how == "endless":
		time.Sleep(time.Hour)
	case how == "huge" && slices.Contains(args, "ppm"):
		fmt.Print("P6\n100000 100000\n255\n")
		os.Stdout.Write(make([]byte, 1<<20))
		return 0
	case how == "fewer" && slices.Contains(args, "copy"):
		frames = 15 // packets that are not frames
	}
	if !slices.Contains(args, "ppm") {
		fmt.Println("#software: x")
		for i := range frames {
			fmt.Printf("0, %d, %d, 1, 24, 0x00000000\n", i, i)
		}
		return 0
	}
	filter := args[slices.Index(args, "-vf")+1]
	for i := range 10 {
		if strings.Contains(filter, fmt.Sprintf("eq(n\\,%d)", i)) {
			fmt.Print("P6\n4 2\n255\n")
			os.Stdout.Write(bytes.Repeat([]byte{byte(20 * i)}, 24))
		}
	}
	return 0
}

// What the program asks of ffmpeg, and what it makes of the answer. That the real one agrees was
// checked by hand, with H.264, MPEG-4 and VP9.
func TestVideo(t *testing.T) {
	folder := workplace(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tools := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(tools, "ffmpeg")); err != nil {
		t.Fatal(err)
	}
	film := func(name, how string) string {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("\x1a\x45\xdf\xa3"+how), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	watch := func(name string, args ...string) *exec.Cmd {
		cmd := program(folder, append([]string{"run", "caption en", "-i", name}, args...)...)
		cmd.Env = append(cmd.Env, "PATH="+tools, "PALI_TEST_FFMPEG="+filepath.Join(folder, "calls"))
		return cmd
	}
	for _, c := range []struct {
		name string
		how  string
		want []int
	}{
		{"-y.webm", "", []int{0, 2, 4, 6, 8}},
		{"a b;$(c)\n'", "", []int{0, 2, 4, 6, 8}},
		{"fewer.mkv", "fewer", []int{0, 2, 4, 6, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := dumpedPixels(t, watch(film(c.name, c.how), "--frames", "5"))
			for i, frame := range c.want {
				if got, want := v[i*len(v)/len(c.want)], float32(20*frame)/127.5-1; got-want > 1e-6 || want-got > 1e-6 {
					t.Errorf("%q: frame %d is %v, want %v", c.name, i, got, want)
				}
			}
		})
	}
	calls, err := os.ReadFile(filepath.Join(folder, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(calls)), "\n") {
		var args []string
		if err := json.Unmarshal([]byte(line), &args); err != nil {
			t.Fatal(err)
		}
		want := []string{"-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist",
			"mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf", "-i"}
		if d := cmp.Diff(want, args[:len(want)]); d != "" || !strings.HasPrefix(args[len(want)], "file:") ||
			args[len(args)-1] != "pipe:1" {
			t.Errorf("%q %s", args, d)
		}
	}
	for _, c := range []struct {
		how  string
		want string
	}{
		{"broken", "ffmpeg: file:x: Invalid [31mdata"},
		{"huge", "want at most 32768 (--max-image-side)"},
	} {
		t.Run(c.how, func(t *testing.T) {
			if o := run(t, watch(film(c.how+".avi", c.how), "-m", "d")); o.code != 1 || !strings.Contains(o.stderr,
				c.want) || strings.Count(o.stderr, "\n") != 1 || o.stdout != "" {
				t.Errorf("%s: %+v", c.how, o)
			}
		})
	}
	none := watch(film("x.webm", ""), "-m", "d")
	none.Env = append(none.Env, "PATH=/nowhere")
	if o := run(t, none); o.code != 1 || !strings.Contains(o.stderr, "not installed") ||
		strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("without ffmpeg: %+v", o)
	}
	waits := watch(film("endless.ts", "endless"), "-m", "d")
	interrupt := func(p *os.Process) { time.AfterFunc(500*time.Millisecond, func() { p.Signal(os.Interrupt) }) }
	if o := runWith(t, waits, interrupt); o.code != 130 || o.took > 5*time.Second {
		t.Errorf("interrupted: %+v", o)
	}
}
