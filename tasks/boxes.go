// Package tasks reads the model's answers: boxes out of text.
//
// Before it: the text of an answer (package runner). After it: pixels in the picture as a person sees it.
//
// # The form of an answer
//
//	answer := object ( " ; " object )*
//	object := loc loc loc loc [ seg x16 ] [ " " label ]
//	loc    := "<loc" digit{4} ">"    seg := "<seg" digit{3} ">"
//
// The four locations are y_min, x_min, y_max, x_max (big_vision pp/proj/paligemma/segmentation.py).
package tasks

import (
	"regexp"
	"strconv"
	"strings"
)

// LocDivisor is what a location's bin is divided by to give a share of the picture's side: the training target is round(share*1023)
// (big_vision pp/proj/paligemma/segmentation.py).
const LocDivisor = 1023

// Box is one object of an answer.
type Box struct {
	Label string
	Loc   [4]int // bins y0, x0, y1, x1, 0 to 1023
	Seg   []int  // 16 codes 0 to 127, or none
}

var object = regexp.MustCompile(`^((?:<loc\d{4}>){4})((?:<seg\d{3}>){16})?(.*)$`)

// ParseBoxes reads the objects of an answer. What does not have an object's form, or holds a bin beyond 1023 or a code beyond 127, comes back in unparsed as it is.
func ParseBoxes(answer string) (boxes []Box, unparsed []string) {
	for _, part := range strings.Split(answer, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if b, ok := parseBox(part); ok {
			boxes = append(boxes, b)
		} else {
			unparsed = append(unparsed, part)
		}
	}
	return boxes, unparsed
}

func parseBox(part string) (Box, bool) {
	m := object.FindStringSubmatch(part)
	if m == nil || strings.Contains(m[3], "<loc") || strings.Contains(m[3], "<seg") {
		return Box{}, false
	}
	b := Box{Label: strings.TrimSpace(m[3])}
	for i := range b.Loc {
		b.Loc[i], _ = strconv.Atoi(m[1][9*i+4 : 9*i+8]) // four digits, by the pattern
		if b.Loc[i] > 1023 {
			return Box{}, false
		}
	}
	for s := m[2]; s != ""; s = s[8:] {
		code, _ := strconv.Atoi(s[4:7])
		if code > 127 {
			return Box{}, false
		}
		b.Seg = append(b.Seg, code)
	}
	return b, true
}

// Pixels returns the box x0, y0, x1, y1 in a picture of the given size.
func (b Box) Pixels(width, height int) [4]float64 {
	at := func(bin, side int) float64 { return float64(bin) / LocDivisor * float64(side) }
	return [4]float64{at(b.Loc[1], width), at(b.Loc[0], height), at(b.Loc[3], width), at(b.Loc[2], height)}
}
