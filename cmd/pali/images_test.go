package main

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pali-gguf/pali/internal/atomicfile"
)

const photoCaption = "a yellow circle and a purple triangle on a white background\n"

// makeFIFO makes a FIFO of this name in folder.
func makeFIFO(t *testing.T, folder, name string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImageNames gives an image in the ways in which people give one.
func TestImageNames(t *testing.T) {
	folder := workplace(t)
	data, err := os.ReadFile(filepath.Join(folder, photo))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "my photo.dat"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := makeFIFO(t, folder, "fifo")
	absolute := filepath.ToSlash(filepath.Join(folder, "my photo.dat"))
	for _, c := range []struct {
		name string
		args []string
	}{
		{"-", []string{"caption", "-i", "-"}},
		{"- for run", []string{"run", "caption en", "-i", "-"}},
		{"/dev/stdin", []string{"caption", "-i", "/dev/stdin"}},
		{"a process's output", []string{"caption", "-i", "/dev/fd/0"}},
		{"FIFO", []string{"caption", "-i", "fifo"}},
		{"name of no image", []string{"caption", "-i", "my photo.dat"}},
		{"quotes and blanks", []string{"caption", "-i", " 'my photo.dat'\n"}},
		{"file:", []string{"caption", "-i", "file://" + strings.ReplaceAll(absolute, " ", "%20")}},
		{"without -i", []string{"caption", photo}},
		{"without -i, standard input", []string{"caption", "-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := program(folder, append(c.args, "-m", "d", "-t", "1")...)
			cmd.Stdin = bytes.NewReader(data)
			o := runWith(t, cmd, func(*os.Process) {
				if c.name == "FIFO" {
					go os.WriteFile(fifo, data, 0)
				}
			})
			if o.code != 0 || o.stdout != photoCaption || o.stderr != "" {
				t.Errorf("%v: %+v", c.args, o)
			}
		})
	}
	cmd := program(folder, "detect", "circle", "-i", "-", "-m", "d", "-t", "1", "-o", "boxes.png")
	cmd.Stdin = bytes.NewReader(data)
	if o := run(t, cmd); o.code != 0 || !strings.HasPrefix(o.stdout, "circle ") {
		t.Errorf("detect: %+v", o)
	}
}

// TestImagesCalledWrongly wants one sentence for images that are given in a wrong way.
func TestImagesCalledWrongly(t *testing.T) {
	folder := workplace(t)
	heic := "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
	if err := os.WriteFile(filepath.Join(folder, "IMG_1.jpg"), []byte(heic), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"an address", 2, []string{"caption", "-i", "https://example.org/a.jpg"}},
		{"download the file first", 2, []string{"caption", "https://example.org/a.jpg"}},
		{"give it with -i", 2, []string{"detect", photo, "cat"}},
		{photo + ": an image: give it with -i", 2, []string{"detect", "-i", photo, photo, "cat"}},
		{"give it with -i", 2, []string{"ask", photo, "how many?"}},
		{"give it with -i", 2, []string{"run", photo, "caption en"}},
		{"give it with -i", 2, []string{"detect", "https://example.org/a.jpg", "cat"}},
		{`"en": no such file, and nothing else than images is given here`, 2, []string{"caption", "en"}},
		{"the standard input is named twice", 2, []string{"caption", "-i", "-", "-i", "/dev/stdin"}},
		{"/dev/zero: file too large", 1, []string{"caption", "-i", "/dev/zero"}},
		{"a HEIC photo, want JPEG", 1, []string{"caption", "-i", "IMG_1.jpg"}},
		{"standard input: an empty file", 1, []string{"caption", "-i", "-"}},
		{"is not a regular file", 1, []string{"detect", "cat", "-i", photo, "-o", "/dev/stdout"}},
		{"is not a regular file", 1, []string{"run", "caption en", "-i", photo, "--dump", "/dev/null"}},
		{"is not a regular file", 1, []string{"run", "caption en", "-i", photo, "--dump", "/dev/stdout"}},
		{"nowhere", 1, []string{"detect", "cat", "-i", photo, "-o", "nowhere/a.png"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			o := run(t, program(folder, append(c.args, "-m", "d", "-t", "1")...))
			if o.code != c.code || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 ||
				o.stdout != "" {
				t.Errorf("want %q: %+v", c.want, o)
			}
		})
	}
}

// TestModelCut cuts a model's file while it answers: one sentence, and code 1. The tiny random model
// never ends by itself.
func TestModelCut(t *testing.T) {
	folder := workplace(t)
	cmd, out, stderr := startAnswer(t, folder)
	texts, err := filepath.Glob(filepath.Join(folder, "tiny", "tiny*-F32.gguf"))
	if err != nil || len(texts) != 1 {
		t.Fatalf("%v, %v", texts, err)
	}
	if err := os.Truncate(texts[0], 4096); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	if said := stderr.String(); cmd.ProcessState.ExitCode() != 1 || strings.Count(said, "\n") != 1 ||
		!strings.Contains(said, "cut or replaced while it was in use") {
		t.Errorf("%v: %.500s", cmd.ProcessState, said)
	}
}

// TestFIFOInterrupted ends the wait for a FIFO's writer with Ctrl-C.
func TestFIFOInterrupted(t *testing.T) {
	folder := workplace(t)
	makeFIFO(t, folder, "fifo")
	for _, command := range [][]string{{"caption"}, {"detect", "cat"}} {
		start := time.Now()
		o := runWith(t, program(folder, append(command, "-m", "d", "-i", "fifo")...), func(p *os.Process) {
			go func() { time.Sleep(500 * time.Millisecond); p.Signal(os.Interrupt) }()
		})
		if o.code != 130 || time.Since(start) > 5*time.Second {
			t.Errorf("%v: %+v after %v", command, o, time.Since(start))
		}
	}
}

// TestOutputIsNotDiverted puts links and a FIFO where the program writes: nothing is written through
// them, and nothing waits.
func TestOutputIsNotDiverted(t *testing.T) {
	folder := withMasks(t)
	victim := filepath.Join(folder, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		flag, file string
		args       []string
	}{
		{"-o", "out.png", []string{"detect", "circle"}},
		{"--mask-png", "out.png", []string{"segment", "circle"}},
		{"--dump", "out.npz", []string{"run", "caption en"}},
	} {
		for _, place := range []string{c.file, c.file + ".partial"} {
			for kind, put := range map[string]func(path string) error{
				"symbolic link": func(path string) error { return os.Symlink(victim, path) },
				"FIFO":          func(path string) error { return syscall.Mkfifo(path, 0o600) },
				"hard link":     func(path string) error { return os.Link(victim, path) },
			} {
				t.Run(c.flag+" "+place+" "+kind, func(t *testing.T) {
					path := filepath.Join(folder, place)
					if err := put(path); err != nil {
						t.Fatal(err)
					}
					defer os.Remove(path)
					o := run(t, program(folder, append(c.args, "-m", "d", "-i", photo, "-t", "1", c.flag, c.file)...))
					replaced := kind == "hard link" && place == c.file // the name alone
					if (o.code == 0) != replaced || !replaced &&
						(o.stdout != "" || !strings.Contains(o.stderr, place)) {
						t.Errorf("%+v", o)
					}
					if b, err := os.ReadFile(victim); string(b) != "precious" {
						t.Errorf("the file behind the link has %d bytes, %v", len(b), err)
					}
				})
			}
		}
	}
}

// TestTransparent cuts the upper part out of an image, with black below: it has the boxes of the
// image on a white page.
func TestTransparent(t *testing.T) {
	folder := workplace(t)
	f, err := os.Open(filepath.Join(folder, photo))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	whole, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	flat, cut := image.NewNRGBA(whole.Bounds()), image.NewNRGBA(whole.Bounds())
	draw.Draw(cut, cut.Rect, whole, image.Point{}, draw.Src)
	clear(cut.Pix[:len(cut.Pix)/4])
	draw.Draw(flat, flat.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Rect, cut, image.Point{}, draw.Over)
	var found []string
	for name, m := range map[string]image.Image{"flat.png": flat, "cutout.png": cut} {
		if err := atomicfile.WritePNG(filepath.Join(folder, name), m); err != nil {
			t.Fatal(err)
		}
		o := run(t, program(folder, "detect", "circle", "-m", "d", "-t", "1", "-i", name))
		if o.code != 0 {
			t.Fatalf("%s: %+v", name, o)
		}
		found = append(found, o.stdout)
	}
	if found[0] != found[1] || found[0] == "" {
		t.Errorf("%q on white, %q transparent", found[0], found[1])
	}
}
