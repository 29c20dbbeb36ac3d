package dataset

// This file: YOLO's folders, as Ultralytics reads them: images has copies of the images, labels a
// text file for each, data.yaml and, for LabelImg and Label Studio, classes.txt the classes. A line
// is an object: its class from 0, and for yolo its box as centre and size, for yolo-seg its
// outline, all as shares of the image's sides. An image without objects has no label file.
//
// Ultralytics lists the files below images that are not hidden and have an extension of its list,
// whose format its list has too. Of each one's absolute path it replaces the last "/images/" by
// "/labels/", and the extension by ".txt" (ultralytics/data: base.py, utils.py). So copies have no
// folder named images above them but ours: train/images/1.jpg becomes images/train/1.jpg. They are
// renamed where two would have the same label file, and get another extension, or become PNGs,
// where its list lacks theirs.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The names in YOLO's folder.
const (
	yoloImages  = "images"
	yoloLabels  = "labels"
	yoloData    = "data.yaml" // describes the folder
	yoloClasses = "classes.txt"
)

// yoloMinSide is the least side of an image, in pixels, that Ultralytics reads.
const yoloMinSide = 10

// yoloExtensions has the extensions that Ultralytics lists, and that are kept, for each format that
// it reads; the first is given to files with another one.
var yoloExtensions = map[string][]string{
	"JPEG": {".jpg", ".jpeg"}, "PNG": {".png"}, "BMP": {".bmp"}, "WebP": {".webp"},
}

// yoloFiles returns the files that an image may have in the folder: its labels, and its copy, which
// has one of several extensions.
func yoloFiles(img *labelledImage) []string {
	all := []string{yoloLabels + "/" + img.yoloName + ".txt"}
	for _, some := range yoloExtensions {
		for _, ext := range some {
			all = append(all, yoloImages+"/"+img.yoloName+ext)
		}
	}
	if own := extension(img.Name); yoloKeeps(own) && strings.ToLower(own) != own {
		all = append(all, yoloImages+"/"+img.yoloName+own)
	}
	return all
}

// yoloKeeps reports whether a copy keeps the extension ext.
func yoloKeeps(ext string) bool {
	for _, some := range yoloExtensions {
		if slices.Contains(some, strings.ToLower(ext)) {
			return true
		}
	}
	return false
}

// yoloReads reports whether a trainer reads the file: not those that it writes itself, as
// labels.cache.
func yoloReads(name string) bool {
	return strings.HasPrefix(name, yoloImages+"/") ||
		strings.HasPrefix(name, yoloLabels+"/") && strings.HasSuffix(name, ".txt")
}

type yoloWriter struct {
	e      *Export
	folder string
	masks  bool
	small  int // images that Ultralytics leaves out
}

func openYOLO(e *Export, folder string) (writer, error) {
	return &yoloWriter{e: e, folder: folder, masks: filepath.Base(folder) == "yolo-seg"}, nil
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
	if err := w.putImage(img); err != nil {
		return err
	}
	if img.width < yoloMinSide || img.height < yoloMinSide {
		w.small++
	}
	return w.e.put(w.path(yoloLabels, img.yoloName+".txt"), []byte(lines.String()))
}

// putImage copies the image, and removes a copy with another extension.
func (w *yoloWriter) putImage(img *labelledImage) error {
	format, err := formatOf(img)
	if err != nil {
		return err
	}
	ext, known := extension(img.Name), yoloExtensions[format]
	switch {
	case known == nil:
		ext = ".png"
	case !yoloKeeps(ext):
		ext = known[0]
	}
	path := w.path(yoloImages, img.yoloName+ext)
	for _, other := range yoloFiles(img)[1:] {
		if other = w.path(other); !strings.EqualFold(other, path) {
			if err := w.e.remove(other); err != nil {
				return err
			}
		}
	}
	if known == nil {
		return w.e.putPNG(path, img)
	}
	return w.e.copy(path, img)
}

// path returns the path of a file in the folder, from parts with slashes.
func (w *yoloWriter) path(parts ...string) string {
	return filepath.Join(w.folder, filepath.FromSlash(strings.Join(parts, "/")))
}

func (w *yoloWriter) end() error {
	w.note()
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
	if err := w.e.put(w.path(yoloData), []byte(b.String())); err != nil {
		return err
	}
	return w.e.put(w.path(yoloClasses), []byte(classLines(w.e.classes)))
}

// note says what Ultralytics will not find.
func (w *yoloWriter) note() {
	switch {
	case w.small == 1:
		w.e.note("%s: 1 image has less than %d pixels on a side: Ultralytics leaves it out", w.folder, yoloMinSide)
	case w.small > 1:
		w.e.note("%s: %d images have less than %d pixels on a side: Ultralytics leaves them out", w.folder, w.small,
			yoloMinSide)
	}
	if path, err := filepath.Abs(w.folder); err == nil && strings.ContainsAny(path, "*?[") {
		w.e.note("%s: its path has one of * ? [, which Ultralytics takes for a pattern: move the folder to train on it",
			w.folder)
	}
}

func (w *yoloWriter) abort() {}

// yamlText quotes s for YAML: as JSON does, and also escapes characters that YAML does not allow.
func yamlText(s string) string {
	quoted, _ := compact(s) // never fails for a string
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
