package dataset_test

// This file: every format, read back by a strict reader and compared with the answers.

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// wantObject is an object as the answers have it.
type wantObject struct {
	label string
	xyxy  [4]float64
	mask  *masks.Bitmap
	score float64
}

// truth is an image as every file should have it.
type truth struct {
	name          string
	width, height int
	objects       []wantObject
	answers       []dataset.Answer
}

// truths computes the truth of each of sources from the answers, independently of the package.
func truths(t *testing.T, sources []dataset.Source, d *masks.Decoder, minScore float64) (all []truth) {
	t.Helper()
	for _, s := range sources {
		data, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		p, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		w := truth{name: s.Name, width: p.Width, height: p.Height, answers: answers(sha256.Sum256(data))}
		canvas := tasks.Canvas{Width: p.Width, Height: p.Height, Divisor: 1023}
		for i, a := range w.answers {
			boxes, _ := tasks.ParseDetections(a.Text)
			for k, b := range boxes {
				if b.Loc[0] == b.Loc[2] || b.Loc[1] == b.Loc[3] || a.Scores[k].Score < minScore {
					continue
				}
				x := wantObject{label: b.Label, xyxy: canvas.XYXY(b.Loc), score: a.Scores[k].Score}
				if x.label == "" {
					x.label = []string{"object", "A/C unit (white)"}[i]
				}
				if len(b.Seg) > 0 {
					values, err := d.Decode(b.Seg)
					if err != nil {
						t.Fatal(err)
					}
					x.mask, _ = masks.Paste(values, b.Loc, 1023, p.Width, p.Height)
				}
				w.objects = append(w.objects, x)
			}
		}
		all = append(all, w)
	}
	return all
}

// labelled labels the images of all names in all formats.
func labelled(t *testing.T) (out string, all []truth) {
	t.Helper()
	folder := t.TempDir()
	l := labelling{
		out: filepath.Join(folder, "out"), formats: dataset.FormatNames(),
		sources: writeImages(t, filepath.Join(folder, "pictures")), decoder: decoder(t), minScore: 0.3,
	}
	if err := os.Mkdir(l.out, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := l.run()
	if err != nil {
		t.Fatal(err)
	}
	all = truths(t, l.sources, l.decoder, l.minScore)
	objects := 0
	for _, w := range all {
		objects += len(w.objects)
	}
	if s.Images != len(names) || s.Objects != objects || objects < 15 || s.Dropped == 0 ||
		s.Unparsed != len(names) || len(s.Files) != 8 {
		t.Errorf("%+v; %d objects in the answers", s, objects)
	}
	if d := cmp.Diff([]string{"cat", "person's hat", "A/C unit (white)"}, s.Classes[:3]); d != "" {
		t.Errorf("classes: %s", d)
	}
	return l.out, all
}

// decodeStrict decodes the JSON text b into v, which has all its members; nothing may follow it.
func decodeStrict(t *testing.T, b string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more after %.200s", b)
	}
}

// near reports whether the elements of a and b differ by at most bound.
func near(a, b [4]float64, bound float64) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= bound) {
			return false
		}
	}
	return true
}

// filled draws a polygon by the even-odd rule, sampled at the centres of pixels.
func filled(points [][2]float64, width, height int) []bool {
	bits := make([]bool, width*height)
	for i := range bits {
		x, y := float64(i%width)+0.5, float64(i/width)+0.5
		for k, a := range points {
			b := points[(k+1)%len(points)]
			if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
				bits[i] = !bits[i]
			}
		}
	}
	return bits
}

// sameMask checks that a polygon is the outline of want.
func sameMask(t *testing.T, what string, points [][2]float64, want *masks.Bitmap) {
	t.Helper()
	if want == nil {
		if len(points) > 0 {
			t.Errorf("%s: an outline without a mask", what)
		}
		return
	}
	if !slices.Equal(filled(points, want.Width, want.Height), want.Bits) {
		t.Errorf("%s: the outline is not the mask's", what)
	}
}

func TestCOCO(t *testing.T) {
	out, all := labelled(t)
	var f struct {
		Info     struct{ Description string }
		Licenses []int
		Images   []struct {
			ID            int
			FileName      string `json:"file_name"`
			Width, Height int
		}
		Annotations []struct {
			ID           int
			ImageID      int `json:"image_id"`
			CategoryID   int `json:"category_id"`
			BBox         [4]float64
			Area         float64
			Segmentation [][]float64
			IsCrowd      int
			Score        float64
		}
		Categories []struct {
			ID                  int
			Name, Supercategory string
		}
	}
	decodeStrict(t, faultfs.Files(t, out)["coco.json"], &f)
	at := 0
	for i, w := range all {
		if m := f.Images[i]; m.ID != i+1 || m.FileName != w.name || m.Width != w.width || m.Height != w.height {
			t.Errorf("%+v, want %+v", m, w)
		}
		for _, x := range w.objects {
			a := f.Annotations[at]
			at++
			want := [4]float64{x.xyxy[0], x.xyxy[1], x.xyxy[2] - x.xyxy[0], x.xyxy[3] - x.xyxy[1]}
			area := want[2] * want[3]
			if x.mask != nil {
				area = float64(x.mask.Area())
			}
			if a.ID != at || a.ImageID != i+1 || f.Categories[a.CategoryID-1].Name != x.label ||
				!near(a.BBox, want, 0.0006) || a.Score != x.score || math.Abs(a.Area-area) > 0.001 || a.IsCrowd != 0 {
				t.Errorf("%s: %+v, want %+v", w.name, a, x)
			}
			var points [][2]float64
			for _, flat := range a.Segmentation {
				for k := 0; k < len(flat); k += 2 {
					points = append(points, [2]float64{flat[k], flat[k+1]})
				}
			}
			sameMask(t, w.name, points, x.mask)
		}
	}
	if at != len(f.Annotations) || len(all) != len(f.Images) || f.Licenses == nil {
		t.Errorf("%d annotations, want %d", len(f.Annotations), at)
	}
	for i, c := range f.Categories {
		if c.ID != i+1 {
			t.Errorf("category %d is %+v", i, c)
		}
	}
}

// otherBaseNames are the base names that are not just the name without ".png".
var otherBaseNames = map[string]string{"two/a.PNG": "two/a_PNG", "no ending": "no ending", ".hidden": "_hidden",
	"line\nbreak.png": "line_break"}

// baseNameOf returns the base name that the files of an image should have.
func baseNameOf(name string) string {
	if s, ok := otherBaseNames[name]; ok {
		return s
	}
	return strings.TrimSuffix(name, ".png")
}

func TestYOLO(t *testing.T) {
	out, all := labelled(t)
	for _, kind := range []string{"yolo", "yolo-seg"} {
		files := faultfs.Files(t, filepath.Join(out, kind))
		classes := yoloClasses(t, files["data.yaml"])
		if have := files["classes.txt"]; have != strings.Join(classes, "\n")+"\n" {
			t.Errorf("classes.txt: %q, want %q", have, classes)
		}
		delete(files, "data.yaml")
		delete(files, "classes.txt")
		for _, w := range all {
			s := baseNameOf(w.name)
			copied := "images/" + s + path.Ext(w.name)
			if w.name == ".hidden" || w.name == "no ending" {
				copied = "images/" + s + ".png"
			}
			original, err := os.ReadFile(filepath.Join(out, "../pictures", w.name))
			if have, ok := files[copied]; err != nil || !ok || have != string(original) {
				t.Errorf("%s: no copy %q: %v", kind, copied, err)
			}
			lines := strings.Split(files["labels/"+s+".txt"], "\n")
			delete(files, copied)
			delete(files, "labels/"+s+".txt")
			for _, x := range w.objects {
				if kind == "yolo-seg" && x.mask == nil {
					continue
				}
				if kind == "yolo-seg" && x.mask.Area() == 0 {
					continue
				}
				line := strings.Split(lines[0], " ")
				lines = lines[1:]
				class, err := strconv.Atoi(line[0])
				if err != nil || classes[class] != x.label {
					t.Fatalf("%s %q: %v, want %q", kind, w.name, line, x.label)
				}
				var v []float64
				for _, word := range line[1:] {
					n, err := strconv.ParseFloat(word, 64)
					if err != nil || n < 0 || n > 1 {
						t.Fatalf("%s %q: %v", kind, w.name, line)
					}
					v = append(v, n)
				}
				if kind == "yolo" {
					width, height := float64(w.width), float64(w.height)
					want := [4]float64{
						(x.xyxy[0] + x.xyxy[2]) / 2 / width, (x.xyxy[1] + x.xyxy[3]) / 2 / height,
						(x.xyxy[2] - x.xyxy[0]) / width, (x.xyxy[3] - x.xyxy[1]) / height,
					}
					if len(v) != 4 || !near([4]float64(v), want, 1e-6) {
						t.Errorf("%q: %v, want %v", w.name, v, want)
					}
					continue
				}
				var points [][2]float64
				for k := 0; k < len(v); k += 2 {
					points = append(points, [2]float64{v[k] * float64(w.width), v[k+1] * float64(w.height)})
				}
				sameMask(t, w.name, points, x.mask)
			}
			if strings.Join(lines, "") != "" {
				t.Errorf("%s %q: more lines: %q", kind, w.name, lines)
			}
		}
		if len(files) > 0 {
			t.Errorf("%s: more files: %v", kind, files)
		}
	}
}

// yoloClasses reads the classes of data.yaml, which must be exactly in our format.
func yoloClasses(t *testing.T, text string) (classes []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 6 || !strings.HasPrefix(lines[0], "# ") || lines[1] != "train: images" ||
		lines[2] != "val: images" || lines[3] != fmt.Sprint("nc: ", len(lines)-5) || lines[4] != "names:" {
		t.Fatalf("data.yaml: %q", text)
	}
	for i, line := range lines[5:] {
		quoted, ok := strings.CutPrefix(line, fmt.Sprintf("  %d: ", i))
		name, err := strconv.Unquote(quoted)
		if !ok || err != nil {
			t.Fatalf("data.yaml: %q: %v", line, err)
		}
		classes = append(classes, name)
	}
	return classes
}

func TestVOC(t *testing.T) {
	out, all := labelled(t)
	files := faultfs.Files(t, filepath.Join(out, "voc"))
	for _, w := range all {
		var a struct {
			XMLName  xml.Name `xml:"annotation"`
			Folder   string   `xml:"folder"`
			Filename string   `xml:"filename"`
			W        int      `xml:"size>width"`
			H        int      `xml:"size>height"`
			D        int      `xml:"size>depth"`
			Objects  []struct {
				Name string `xml:"name"`
				X0   int    `xml:"bndbox>xmin"`
				Y0   int    `xml:"bndbox>ymin"`
				X1   int    `xml:"bndbox>xmax"`
				Y1   int    `xml:"bndbox>ymax"`
			} `xml:"object"`
		}
		name := baseNameOf(w.name) + ".xml"
		if err := xml.Unmarshal([]byte(files[name]), &a); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		delete(files, name)
		if path.Join(a.Folder, a.Filename) != w.name || a.W != w.width || a.H != w.height || a.D != 3 ||
			len(a.Objects) != len(w.objects) {
			t.Errorf("%q: %+v", w.name, a)
			continue
		}
		for i, x := range w.objects {
			o := a.Objects[i]
			got := [4]float64{float64(o.X0 - 1), float64(o.Y0 - 1), float64(o.X1), float64(o.Y1)}
			if o.Name != x.label || !near(got, x.xyxy, 1) || o.X0 < 1 || o.Y0 < 1 || o.X1 > w.width ||
				o.Y1 > w.height || o.X1 < o.X0 || o.Y1 < o.Y0 {
				t.Errorf("%q: %+v, want %+v", w.name, o, x)
			}
		}
	}
	if len(files) > 0 {
		t.Errorf("more files: %v", files)
	}
}

func TestLabelMe(t *testing.T) {
	out, all := labelled(t)
	files := faultfs.Files(t, filepath.Join(out, "labelme"))
	for _, w := range all {
		var f struct {
			Version                 string
			Flags                   struct{}
			ImagePath               string
			ImageData               *string
			ImageHeight, ImageWidth int
			Shapes                  []struct {
				Label       string
				Points      [][2]float64
				GroupID     *int `json:"group_id"`
				Description string
				ShapeType   string `json:"shape_type"`
				Flags       struct{}
				Mask        *string
			}
		}
		name := baseNameOf(w.name) + ".json"
		decodeStrict(t, files[name], &f)
		delete(files, name)
		_, err := os.Stat(filepath.Join(out, "labelme", path.Dir(name), f.ImagePath))
		if err != nil || path.Base(f.ImagePath) != path.Base(w.name) {
			t.Errorf("%q: %q: %v", w.name, f.ImagePath, err)
		}
		if f.ImageHeight != w.height || f.ImageWidth != w.width || len(f.Shapes) != len(w.objects) {
			t.Errorf("%q: %+v", w.name, f)
			continue
		}
		for i, x := range w.objects {
			s := f.Shapes[i]
			if s.Label != x.label || s.Description != fmt.Sprintf("score %.3f", x.score) {
				t.Errorf("%q: %+v, want %+v", w.name, s, x)
			}
			if s.ShapeType == "rectangle" {
				got := [4]float64{s.Points[0][0], s.Points[0][1], s.Points[1][0], s.Points[1][1]}
				if !near(got, x.xyxy, 0.0006) || x.mask != nil && x.mask.Area() > 0 {
					t.Errorf("%q: %+v, want %+v", w.name, s, x)
				}
				continue
			}
			sameMask(t, w.name, s.Points, x.mask)
		}
	}
	if len(files) > 0 {
		t.Errorf("more files: %v", files)
	}
}
