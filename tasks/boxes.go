// Package tasks knows what PaliGemma is asked and what it answers: prompts out, boxes and masks' codes in.
//
// Before it: the words of a command line, or of a request. After it: a prompt for package runner, and of its answer objects with pixels in the image
// as a person sees it. This file: the answer's text to objects; score.go: how sure the model was; strict.go: answers that cannot have another form.
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

// LocDivisor is what a location's bin is divided by to give a share of the image's side: the training target is round(share*1023)
// (big_vision pp/proj/paligemma/segmentation.py). Others divide by 1024.
const LocDivisor = 1023

// Box is one object of an answer.
type Box struct {
	Label string
	Loc   [4]int // bins y0, x0, y1, x1, 0 to 1023; y0 <= y1 and x0 <= x1
	Seg   []int  // 16 codes 0 to 127, or none

	From, To int // bytes of the answer that the object was read from
}

// numbers is a run of locations and segment codes.
var numbers = regexp.MustCompile(`(?:<loc[0-9]{4}>|<seg[0-9]{3}>)+`)

// form is what a run must be.
var form = regexp.MustCompile(`^((?:<loc[0-9]{4}>){4})((?:<seg[0-9]{3}>){16})?$`)

// ParseBoxes reads the objects of an answer. A label is what stands between an object's numbers and the next ";", the next object or the end, without
// the blanks around it: any text, also none.
//
// Nothing is repaired, and nothing is dropped: what is no object comes back in unparsed, as it stands in the answer. That is text without numbers; three
// locations, or five; codes that are not 16, or stand before the locations; a bin over 1023 or a code over 127; corners of which the second lies before
// the first; numbers that are cut short.
func ParseBoxes(answer string) (boxes []Box, unparsed []string) {
	from := 0
	for _, part := range strings.SplitAfter(answer, ";") {
		some, rest := parsePart(strings.TrimSuffix(part, ";"), from)
		boxes, unparsed = append(boxes, some...), append(unparsed, rest...)
		from += len(part)
	}
	return boxes, unparsed
}

// parsePart reads what stands between two ";", which begins at byte from of the answer: mostly one object.
func parsePart(part string, from int) (boxes []Box, unparsed []string) {
	keep := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			unparsed = append(unparsed, text)
		}
	}
	runs := numbers.FindAllStringIndex(part, -1)
	if len(runs) == 0 {
		keep(part)
		return nil, unparsed
	}
	keep(part[:runs[0][0]])
	for i, run := range runs {
		end := len(part)
		if i+1 < len(runs) {
			end = runs[i+1][0]
		}
		raw := strings.TrimSpace(part[run[0]:end])
		if b, ok := parseObject(part[run[0]:run[1]], part[run[1]:end]); ok {
			b.From, b.To = from+run[0], from+run[0]+len(raw)
			boxes = append(boxes, b)
		} else {
			keep(raw)
		}
	}
	return boxes, unparsed
}

// parseObject reads an object's numbers and its label.
func parseObject(run, label string) (Box, bool) {
	m := form.FindStringSubmatch(run)
	if m == nil || strings.Contains(label, "<loc") || strings.Contains(label, "<seg") {
		return Box{}, false
	}
	b := Box{Label: strings.TrimSpace(label)}
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
	return b, b.Loc[0] <= b.Loc[2] && b.Loc[1] <= b.Loc[3]
}

// Pixels returns the box x0, y0, x1, y1 in an image of the given size; divisor is LocDivisor, or 1024.
func (b Box) Pixels(divisor float64, width, height int) [4]float64 {
	at := func(bin, side int) float64 { return float64(bin) / divisor * float64(side) }
	return [4]float64{at(b.Loc[1], width), at(b.Loc[0], height), at(b.Loc[3], width), at(b.Loc[2], height)}
}
