package dataset

// This file: YOLO's folders, as Ultralytics reads them: images has copies of the images, labels a
// text file for each, and data.yaml the classes. A line is an object: its class from 0, and for
// yolo its box as centre and size, for yolo-seg its outline, all as shares of the image's sides. An
// image without objects has no label file. Copies are renamed where two images would have the same
// label file.

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// yoloData is the file that describes the folder.
const yoloData = "data.yaml"

// yoloFiles returns the files of an image in the folder: its labels and its copy.
func yoloFiles(img *labelledImage, s Source) []string {
	return []string{"labels/" + img.baseName + ".txt", "images/" + img.baseName + extension(s.Name)}
}

// yoloReads reports whether a trainer reads the file: not those that it writes itself, as
// labels.cache.
func yoloReads(name string) bool {
	return strings.HasPrefix(name, "images/") || strings.HasPrefix(name, "labels/") && strings.HasSuffix(name, ".txt")
}

type yoloWriter struct {
	e      *Export
	folder string
	masks  bool
}

func openYOLO(e *Export, folder string) (writer, error) {
	return &yoloWriter{e, folder, filepath.Base(folder) == "yolo-seg"}, nil
}

func (w *yoloWriter) add(img *labelledImage) error {
	var lines strings.Builder
	for _, o := range img.objects() {
		var values []float64
		if w.masks {
			for _, c := range o.outline() {
				values = append(values, float64(c[0])/float64(img.width), float64(c[1])/float64(img.height))
			}
		} else {
			x, y := 1/float64(img.width), 1/float64(img.height)
			x0, y0, x1, y1 := o.XYXY[0], o.XYXY[1], o.XYXY[2], o.XYXY[3]
			values = []float64{(x0 + x1) / 2 * x, (y0 + y1) / 2 * y, (x1 - x0) * x, (y1 - y0) * y}
		}
		if len(values) == 0 {
			continue // an object without a mask
		}
		lines.WriteString(strconv.Itoa(o.class))
		for _, v := range values {
			fmt.Fprintf(&lines, " %.6f", v)
		}
		lines.WriteByte('\n')
	}
	files := yoloFiles(img, img.Source)
	if err := w.e.put(filepath.Join(w.folder, filepath.FromSlash(files[0])), []byte(lines.String())); err != nil {
		return err
	}
	return w.e.copy(filepath.Join(w.folder, filepath.FromSlash(files[1])), img)
}

func (w *yoloWriter) end() error {
	var b strings.Builder
	b.WriteString("# Labelled by pali. All images are in images: move some of them, with their labels, " +
		"to another folder to validate with.\n")
	fmt.Fprintf(&b, "train: images\nval: images\nnc: %d\nnames:\n", len(w.e.classes))
	if len(w.e.classes) == 0 {
		b.WriteString("  {}\n")
	}
	for i, c := range w.e.classes {
		fmt.Fprintf(&b, "  %d: %s\n", i, yamlText(c))
	}
	return w.e.put(filepath.Join(w.folder, yoloData), []byte(b.String()))
}

func (w *yoloWriter) abort() {}

// yamlText quotes s for YAML: as JSON does, and also escapes characters that YAML does not allow.
func yamlText(s string) string {
	quoted, _ := json.Marshal(s) // never fails for a string
	var b strings.Builder
	for _, r := range string(quoted) {
		if r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
