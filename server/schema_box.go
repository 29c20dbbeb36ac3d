package server

// This file: the box of an object by the names of its corners, and examples of objects.

import (
	"encoding/json"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// corner returns a number of a box x0, y0, x1, y1.
type corner func(xyxy []any) any

// boxNames are the ways to name a box's numbers; size says that the last two are its width and
// height.
var boxNames = []struct {
	names [4]string
	size  bool
}{
	{[4]string{"x1", "y1", "x2", "y2"}, false},
	{[4]string{"x0", "y0", "x1", "y1"}, false},
	{[4]string{"xmin", "ymin", "xmax", "ymax"}, false},
	{[4]string{"x_min", "y_min", "x_max", "y_max"}, false},
	{[4]string{"left", "top", "right", "bottom"}, false},
	{[4]string{"x", "y", "width", "height"}, true},
	{[4]string{"x", "y", "w", "h"}, true},
	{[4]string{"left", "top", "width", "height"}, true},
}

// cornersOf returns, where the properties of s name a box's four numbers, what each is; else nil.
func cornersOf(s *jsonschema.Schema) map[string]corner {
	if s == nil {
		return nil
	}
	for _, b := range boxNames {
		found := map[string]corner{}
		for i, name := range b.names {
			if s.Properties[name] == nil {
				break
			}
			found[name] = func(xyxy []any) any { return boxNumber(xyxy, i, b.size && i >= 2) }
		}
		if len(found) == len(b.names) {
			return found
		}
	}
	return nil
}

// boxNumber returns number i of a box, or if size is set its distance from number i-2.
func boxNumber(xyxy []any, i int, size bool) any {
	if len(xyxy) != 4 {
		return nil
	}
	if !size {
		return xyxy[i]
	}
	to, _ := xyxy[i].(json.Number)
	from, _ := xyxy[i-2].(json.Number)
	x1, _ := to.Float64()
	x0, _ := from.Float64()
	return json.Number(strconv.FormatFloat(x1-x0, 'f', -1, 64))
}

// boxBy returns a box as an object of its numbers.
func boxBy(corners map[string]corner, xyxy []any) any {
	out := map[string]any{}
	for name, number := range corners {
		out[name] = number(xyxy)
	}
	return out
}

// maxExamples is the longest list that a form is tried on.
const maxExamples = 64

// example is what an object could be: a form that holds none of some such objects holds none.
type example struct{ score, side float64 }

// examples are tried in this order. A score may have to be high; coordinates, in pixels, are rarely
// below 2.
var examples = []example{{0.5, 100.5}, {0.97, 400.25}, {0.03, 20.75}, {1, 1000}, {0.5, 4}}

// object returns the i-th of several objects with a label.
func (e example) object(label string, i int, hasMask bool) tasks.Detection {
	at := float64(i) / 8
	d := tasks.Detection{Label: label, XYXY: [4]float64{e.side/2 + at, e.side/2 + at, e.side + at, e.side + at},
		Loc: [4]int{100 + i, 100 + i, 200 + i, 200 + i}}
	d.Score.Score, d.Score.Box, d.Score.Label = e.score, e.score, e.score
	if hasMask {
		area := 1
		d.Seg, d.Area, d.Polygons = make([]int, 16), &area, [][]int{{0, 0, 1, 0, 1, 1}}
		d.Mask = &masks.Bitmap{}
	}
	return d
}
