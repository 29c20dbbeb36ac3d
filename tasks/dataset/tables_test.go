package dataset_test

// This file: tables and mask PNGs, read back as formats_test.go reads the other formats.

import (
	"bytes"
	"encoding/csv"
	"image"
	"image/png"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/tasks"
)

func TestTables(t *testing.T) {
	out, all := labelled(t)
	rows, err := csv.NewReader(strings.NewReader(faultfs.Files(t, out)["labels.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	questions, err := eval.ReadQuestions(t.Context(), filepath.Join(out, "labels.jsonl"),
		filepath.Join(out, "../pictures"))
	if err != nil {
		t.Fatal(err)
	}
	at, line := 1, 0
	for _, w := range all {
		left := w.objects
		for _, a := range w.answers {
			boxes, _ := tasks.ParseDetections(a.Text)
			kept := []string{}
			for len(left) > 0 && column(rows[at], "image") == w.name && column(rows[at], "prompt") == a.Prompt {
				row, x := rows[at], left[0]
				got := [4]float64{}
				for i, name := range []string{"x_min", "y_min", "x_max", "y_max"} {
					got[i], _ = strconv.ParseFloat(column(row, name), 64)
				}
				score, _ := strconv.ParseFloat(column(row, "score"), 64)
				if column(row, "label") == "" {
					break // an answer without objects
				}
				if column(row, "label") != x.label || !near(got, x.xyxy, 0.0006) ||
					math.Abs(score-x.score) > 0.0001 || !strings.Contains(a.Text, column(row, "text")) ||
					column(row, "width") != strconv.Itoa(w.width) ||
					x.mask != nil && column(row, "mask_area") != strconv.Itoa(x.mask.Area()) {
					t.Errorf("%q: %q, want %+v", w.name, row, x)
				}
				kept, left, at = append(kept, column(row, "text")), left[1:], at+1
			}
			want := a.Text
			if len(kept) < len(boxes) {
				want = strings.Join(kept, " ; ")
			}
			if len(kept) == 0 {
				row := rows[at]
				if column(row, "image") != w.name || column(row, "prompt") != a.Prompt ||
					column(row, "text") != want || column(row, "label") != "" {
					t.Errorf("%q: %q, want %q", w.name, row, want)
				}
				at++
			}
			if q := questions[line]; q.Image != w.name || q.Prefix != a.Prompt || q.Suffix.Texts[0] != want {
				t.Errorf("%q: %+v, want %q", w.name, q, want)
			}
			line++
		}
		if len(left) > 0 {
			t.Errorf("%q: no rows for %+v", w.name, left)
		}
	}
	if at != len(rows) || line != len(questions) {
		t.Errorf("%d rows, want %d; %d questions, want %d", len(rows), at, len(questions), line)
	}
}

func TestMaskPNGs(t *testing.T) {
	out, all := labelled(t)
	files := faultfs.Files(t, filepath.Join(out, "masks"))
	classes := strings.Split(files["classes.txt"], "\n")
	for _, w := range all {
		m, err := png.Decode(bytes.NewReader([]byte(files[baseNameOf(w.name)+".png"])))
		if err != nil {
			t.Fatalf("%q: %v", w.name, err)
		}
		p, ok := m.(*image.Paletted)
		if !ok || p.Rect.Dx() != w.width || p.Rect.Dy() != w.height {
			t.Fatalf("%q: %T of %v", w.name, m, m.Bounds())
		}
		want := make([]uint8, w.width*w.height)
		for _, x := range w.objects {
			if x.mask == nil {
				continue // each image has one mask
			}
			for i, in := range x.mask.Bits {
				if in {
					want[i] = uint8(slices.Index(classes, x.label) + 1)
				}
			}
		}
		if !bytes.Equal(p.Pix, want) {
			t.Errorf("%q: other pixels", w.name)
		}
	}
	if len(files) != len(names)+1 {
		t.Errorf("%d files", len(files))
	}
}
