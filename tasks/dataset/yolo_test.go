package dataset_test

// This file: YOLO's folders as Ultralytics lists and reads them, for trees of any names.

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
)

// loaded returns the images that Ultralytics finds below the folder images, an absolute path, and
// the path of the labels that it reads for each: it lists the files with an extension that are not
// hidden, takes those whose extension, the text after the last dot, it knows, and replaces the last
// "/images/" of the path by "/labels/" and the extension by "txt".
func loaded(t interface{ Fatal(...any) }, images string) map[string]string {
	known := []string{"bmp", "dng", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp", "pfm", "heic"}
	all := map[string]string{}
	err := filepath.WalkDir(images, func(path string, d fs.DirEntry, err error) error {
		switch dot := strings.LastIndex(path, "."); {
		case err != nil:
			return err
		case path != images && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return filepath.SkipDir
		case d.IsDir(), strings.HasPrefix(d.Name(), "."), !strings.Contains(d.Name(), "."):
		case slices.Contains(known, strings.ToLower(path[dot+1:])):
			stem := path
			if i := strings.LastIndex(path, "/images/"); i >= 0 {
				stem = path[:i] + "/labels/" + path[i+len("/images/"):]
			}
			all[path] = stem[:strings.LastIndex(stem, ".")] + ".txt"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// boxesOf returns the lines that the labels of an image with this digest have.
func boxesOf(digest dataset.Digest) (n int) {
	for _, a := range answers(digest) {
		found, _ := tasks.ParseDetections(a.Text)
		for _, d := range found {
			if d.Loc[0] != d.Loc[2] && d.Loc[1] != d.Loc[3] {
				n++
			}
		}
	}
	return n
}

// TestYOLOFinds checks that Ultralytics' rule finds each image's own labels, and no other, whatever
// the names of files and folders are, and wherever the folder is.
func TestYOLOFinds(t *testing.T) {
	base := t.TempDir()
	folderNames := rapid.SampledFrom([]string{"images", "labels", "Images", "IMAGES", "train", "val", "a.b", "a.jpg",
		"a.txt", "images.png", " images", "images ", ".git", "[x]", "data.yaml", "images\nimages", "con", "é",
		"e\u0301"})
	stems := rapid.SampledFrom([]string{"a", "A", "a.b", "images", "labels", "a ", " a", ".a", "a.", "..a", "a_png",
		"classes", "nul", "é", "e\u0301", "a\nb", strings.Repeat("x", 250), strings.Repeat("猫", 83)})
	extensions := rapid.SampledFrom([]string{".png", ".PNG", ".jpg", ".gif", ".jfif", ".txt", "", ".png ", ".",
		".tar.png"})
	outs := rapid.SampledFrom([][]string{{"out"}, {"images", "out"}, {"images"}, {"labels", "images", "x"}})
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		folder := filepath.Join(base, fmt.Sprint(runs))
		defer os.RemoveAll(folder)
		l := labelling{formats: []string{"yolo"}, fs: &faultfs.Disk{},
			out: filepath.Join(append([]string{folder}, outs.Draw(t, "out")...)...)}
		want := map[dataset.Digest]int{}
		for i := range rapid.IntRange(1, 8).Draw(t, "images") {
			name := stems.Draw(t, "stem") + extensions.Draw(t, "extension")
			name = name[:min(len(name), 255)]
			for range rapid.IntRange(0, 3).Draw(t, "depth") {
				name = folderNames.Draw(t, "folder") + "/" + name
			}
			path := filepath.Join(folder, "in", filepath.FromSlash(name))
			b := pngBytes(t, 20, 30, i)
			if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
				continue // a file has the folder's name
			}
			if _, err := os.Lstat(path); err == nil || os.WriteFile(path, b, 0o600) != nil {
				continue
			}
			l.sources = append(l.sources, dataset.Source{Name: name, Path: path})
			want[sha256.Sum256(b)] = boxesOf(sha256.Sum256(b))
		}
		if err := os.MkdirAll(l.out, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := l.run(); err != nil {
			t.Fatal(err)
		}
		if len(l.outcome.Bad) > 0 {
			t.Fatalf("left out: %v", l.outcome.Bad)
		}
		have, files := map[dataset.Digest]int{}, 0
		for image, labels := range loaded(t, filepath.Join(l.out, "yolo/images")) {
			b, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(labels)
			if err == nil {
				files++
			} else if !os.IsNotExist(err) {
				t.Fatal(err)
			}
			have[sha256.Sum256(b)] = strings.Count(string(text), "\n")
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("lines of labels (-want +got)\n%s", d)
		}
		if n := countFiles(filepath.Join(l.out, "yolo/labels")); n != files {
			t.Fatalf("%d files of labels, %d of them belong to images", n, files)
		}
	})
}

// countFiles counts the files below folder.
func countFiles(folder string) (n int) {
	filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return nil
	})
	return n
}

// pngBytes returns a PNG of one colour for each number.
func pngBytes(t interface{ Fatal(...any) }, width, height, number int) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = uint8(number)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gifBytes returns a GIF of 20 x 30 pixels with a number of frames of different colours.
func gifBytes(t *testing.T, frames int) []byte {
	t.Helper()
	g := &gif.GIF{}
	for i := range frames {
		m := image.NewPaletted(image.Rect(0, 0, 20, 30),
			color.Palette{color.RGBA{uint8(10 * i), 200, 7, 255}, color.Black})
		m.SetColorIndex(3, 4, 1)
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestYOLOFolders checks where the images of usual trees go.
func TestYOLOFolders(t *testing.T) {
	for _, c := range []struct{ name, image, labels string }{
		{"train/images/1.png", "images/train/1.png", "labels/train/1.txt"},
		{"val/images/1.png", "images/val/1.png", "labels/val/1.txt"},
		{"images/train/2.png", "images/train/2.png", "labels/train/2.txt"},
		{"images/a/images/b/images/3.png", "images/a/b/3.png", "labels/a/b/3.txt"},
		{"Images/labels/4.png", "images/Images/labels/4.png", "labels/Images/labels/4.txt"},
		{"5/a.b.png", "images/5/a.b.png", "labels/5/a.b.txt"},
		{"5/.hidden/c.png", "images/5/_hidden/c.png", "labels/5/_hidden/c.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "in", filepath.FromSlash(c.name))
			seed := 0 // of an image with objects: labels are written
			for boxesOf(sha256.Sum256(pngBytes(t, 20, 30, seed))) == 0 {
				seed++
			}
			writeFile(t, path, pngBytes(t, 20, 30, seed))
			l := labelling{out: filepath.Join(folder, "out"), formats: []string{"yolo"},
				sources: []dataset.Source{{Name: c.name, Path: path}}}
			if err := os.MkdirAll(l.out, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := l.run(); err != nil {
				t.Fatal(err)
			}
			files := faultfs.Files(t, filepath.Join(l.out, "yolo"))
			if files[c.image] == "" || files[c.labels] == "" || len(files) != 4 {
				t.Errorf("%q, want %q and %q", namesOf(files), c.image, c.labels)
			}
		})
	}
}

// namesOf returns the names of files, sorted.
func namesOf(files map[string]string) (all []string) {
	for name := range files {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCopiedFormats checks the format and the extension of the copies in sets: those that the
// programs which read the sets know.
func TestCopiedFormats(t *testing.T) {
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const images = "../../mmproj/imageproc/testdata/pillow/"
	jpeg := read("../../testdata/demo/pictures/001.jpg")
	webp, bmp := read(images+"decode-lossy.webp"), read(images+"decode-rgb.bmp")
	gif, png := gifBytes(t, 1), pngBytes(t, 20, 30, 7)
	for _, c := range []struct {
		name      string
		contents  []byte
		yolo      string // the copy
		labelMe   string // the path in the file
		converted bool
	}{
		{"1.gif", gif, "1.png", "1.gif.png", true},
		{"2.GIF", gif, "2.png", "2.gif.png", true},
		{"3.png", gif, "3.png", "3.gif.png", true},
		{"4.jpg", png, "4.jpg", "../../in/4.jpg", false},
		{"5.jfif", jpeg, "5.jpg", "../../in/5.jfif", false},
		{"6.JPE", jpeg, "6.jpg", "../../in/6.JPE", false},
		{"7.JPG", jpeg, "7.JPG", "../../in/7.JPG", false},
		{"8", jpeg, "8.jpg", "../../in/8", false},
		{"9.webp", webp, "9.webp", "../../in/9.webp", false},
		{"10.dib", bmp, "10.bmp", "../../in/10.dib", false},
		{"11.bmp", bmp, "11.bmp", "../../in/11.bmp", false},
		{"12.heic", jpeg, "12.jpg", "../../in/12.heic", false},
		{"13.webp ", webp, "13.webp", "../../in/13.webp ", false},
		{"14.gif", gifBytes(t, 3), "14.png", "14.gif.png", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "in", c.name)
			writeFile(t, path, c.contents)
			l := labelling{out: filepath.Join(folder, "out"), formats: []string{"yolo", "labelme", "coco"},
				sources: []dataset.Source{{Name: c.name, Path: path}}}
			if err := os.MkdirAll(l.out, 0o700); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := l.run(); err != nil {
					t.Fatal(err)
				}
				files := faultfs.Files(t, l.out)
				copied := files["yolo/images/"+c.yolo]
				if (copied == string(c.contents)) == c.converted || copied == "" {
					t.Errorf("the copy is one of %q", namesOf(files))
				}
				if n := countFiles(filepath.Join(l.out, "yolo/images")); n != 1 {
					t.Errorf("%d copies", n)
				}
				stem := strings.TrimSuffix(c.name, filepath.Ext(c.name))
				if text := files["labelme/"+stem+".json"]; !strings.Contains(text,
					fmt.Sprintf(`"imagePath":%q`, c.labelMe)) {
					t.Errorf("labelme: %s, want %q", text, c.labelMe)
				}
				if !strings.Contains(files["coco.json"], fmt.Sprintf(`"file_name":%q`, c.name)) {
					t.Errorf("coco: %s", files["coco.json"])
				}
				if c.converted {
					samePixels(t, c.contents, copied)
					samePixels(t, c.contents, files["labelme/"+c.labelMe])
				}
			}
			if n := len(l.outcome.Animated); (n == 1) != (c.name == "14.gif") {
				t.Errorf("%d animations", n)
			}
		})
	}
}

// samePixels checks that a PNG has the pixels of a GIF's first frame.
func samePixels(t *testing.T, g []byte, p string) {
	t.Helper()
	want, err := gif.Decode(bytes.NewReader(g))
	if err != nil {
		t.Fatal(err)
	}
	have, err := png.Decode(strings.NewReader(p))
	if err != nil || have.Bounds() != want.Bounds() {
		t.Fatalf("%v: %v", err, have)
	}
	for y := range have.Bounds().Dy() {
		for x := range have.Bounds().Dx() {
			if color.NRGBAModel.Convert(have.At(x, y)) != color.NRGBAModel.Convert(want.At(x, y)) {
				t.Fatalf("at %d, %d: %v, want %v", x, y, have.At(x, y), want.At(x, y))
			}
		}
	}
}

// TestYOLOReplacesCopies checks that the copy of an image that is another one now, of another
// format, does not stay beside its new copy, and that the images of a set are not labelled onto
// themselves.
func TestYOLOReplacesCopies(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "in/a")
	l := labelling{out: filepath.Join(folder, "out"), formats: []string{"yolo"},
		sources: []dataset.Source{{Name: "a", Path: path}}}
	jpeg, err := os.ReadFile("../../testdata/demo/pictures/001.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		contents []byte
		want     string
	}{{gifBytes(t, 1), "a.png"}, {jpeg, "a.jpg"}, {pngBytes(t, 20, 30, 1), "a.png"}} {
		writeFile(t, path, c.contents)
		if err := os.MkdirAll(l.out, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := l.run(); err != nil {
			t.Fatal(err)
		}
		have := namesOf(faultfs.Files(t, filepath.Join(l.out, "yolo/images")))
		if !slices.Equal(have, []string{c.want}) {
			t.Errorf("%q, want %q", have, c.want)
		}
	}
	for _, format := range []string{"yolo", "yolo-seg", "masks"} {
		own := filepath.Join(l.out, format, "images/a.png")
		writeFile(t, own, pngBytes(t, 20, 30, 1))
		l := labelling{out: l.out, formats: []string{format}, decoder: decoder(t),
			sources: []dataset.Source{{Name: "a.png", Path: own}}}
		if _, err := l.run(); err == nil || !strings.Contains(err.Error(), "is in the folder that "+format) {
			t.Errorf("%s: %v", format, err)
		}
	}
}
