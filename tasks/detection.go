package tasks

// This file: the objects of an answer, from its text to boxes in pixels, scores and masks.
//
//	answer := object ( " ; " object )*
//	object := loc loc loc loc [ seg x16 ] [ " " label ]
//	loc    := "<loc" digit{4} ">"    seg := "<seg" digit{3} ">"
//
// The four locations are y_min, x_min, y_max, x_max (big_vision pp/proj/paligemma/segmentation.py).

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

// LocDivisor is what a location's bin is divided by to give a share of the image's side: the
// training target is round(share*1023) (big_vision pp/proj/paligemma/segmentation.py). Others
// divide by 1024.
const LocDivisor = 1023

// Detection is an object that the model found.
type Detection struct {
	Label string `json:"label"`
	Score
	XYXY [4]float64 `json:"xyxy"` // x0, y0, x1, y1 in pixels of the image as it is seen
	Loc  [4]int     `json:"loc"`  // bins y0, x0, y1, x1, 0 to 1023; y0 <= y1 and x0 <= x1
	// Tile is, where the image was asked about in parts, the one whose bins they are: x0, y0, x1,
	// y1 in pixels.
	Tile *[4]int       `json:"tile,omitempty"`
	Seg  []int         `json:"seg,omitempty"`  // 16 codes of the mask, 0 to 127, or none
	Mask *masks.Bitmap `json:"mask,omitempty"` // of the image's size; nil without a mask
	Area *int          `json:"area,omitempty"` // pixels of the mask
	// x0, y0, x1, y1, ... of each outline; holes go the other way round
	Polygons [][]int `json:"polygons,omitempty"`

	From, To int `json:"-"` // bytes of the answer that the object was read from
}

// Canvas says where bins lie: in an image of this size, each a share bin/Divisor of its side.
type Canvas struct {
	Width, Height int
	Divisor       float64 // LocDivisor, or 1024
}

// XYXY returns the box x0, y0, x1, y1 in pixels of bins y0, x0, y1, x1.
func (c Canvas) XYXY(loc [4]int) [4]float64 {
	at := func(bin, side int) float64 { return float64(bin) / c.Divisor * float64(side) }
	return [4]float64{at(loc[1], c.Width), at(loc[0], c.Height), at(loc[3], c.Width), at(loc[2], c.Height)}
}

// Detections returns the objects of the answer r with scores, and with boxes and masks in pixels of
// c, and in unparsed the parts of the answer that are not objects (ParseDetections). decoder may be
// nil: then objects get no masks.
func Detections(r *runner.Result, c Canvas, decoder *masks.Decoder) (found []Detection, unparsed []string, err error) {
	found, unparsed = ParseDetections(r.Text)
	for i := range found {
		d := &found[i]
		d.Score, d.XYXY = ScoreObject(r.Steps, d.From, d.To), c.XYXY(d.Loc)
		bitmap, err := d.DrawMask(decoder, c)
		if err != nil {
			return nil, nil, err
		}
		if bitmap != nil {
			d.SetMask(bitmap)
		}
	}
	return found, unparsed, nil
}

// DrawMask decodes the object's codes and draws the mask into its box, in a bitmap of the size of
// c: an empty one if the box has no pixel. It returns nil if the object has no codes, or decoder is
// nil.
func (d *Detection) DrawMask(decoder *masks.Decoder, c Canvas) (*masks.Bitmap, error) {
	if decoder == nil || len(d.Seg) == 0 {
		return nil, nil
	}
	values, err := decoder.Decode(d.Seg)
	if err != nil {
		return nil, err
	}
	bitmap, _ := masks.Paste(values, d.Loc, c.Divisor, c.Width, c.Height)
	return bitmap, nil
}

// SetMask sets the object's mask, and with it its area and polygons.
func (d *Detection) SetMask(bitmap *masks.Bitmap) {
	area := bitmap.Area()
	d.Mask, d.Area, d.Polygons = bitmap, &area, nil
	for _, outline := range bitmap.Polygons() {
		var flat []int
		for _, p := range outline {
			flat = append(flat, p[0], p[1])
		}
		d.Polygons = append(d.Polygons, flat)
	}
}

// numbers is a run of locations and segment codes.
var numbers = regexp.MustCompile(`(?:<loc[0-9]{4}>|<seg[0-9]{3}>)+`)

// form is what a run must be.
var form = regexp.MustCompile(`^((?:<loc[0-9]{4}>){4})((?:<seg[0-9]{3}>){16})?$`)

// ParseDetections reads the objects of an answer's text: Label, Loc, Seg, From and To of each. A
// label is what stands between an object's numbers and the next ";", the next object or the end,
// without the blanks around it: any text, also none.
//
// Nothing is repaired, and nothing is dropped: what is not an object comes back in unparsed, as it
// stands in the answer. That is text without numbers; three locations, or five; codes that are not
// 16, or stand before the locations; a bin over 1023 or a code over 127; corners of which the
// second lies before the first; numbers that are cut short.
func ParseDetections(answer string) (found []Detection, unparsed []string) {
	from := 0
	for _, part := range strings.SplitAfter(answer, ";") {
		some, rest := parsePart(strings.TrimSuffix(part, ";"), from)
		found, unparsed = append(found, some...), append(unparsed, rest...)
		from += len(part)
	}
	return found, unparsed
}

// parsePart reads what stands between two ";", which begins at byte from of the answer: mostly one
// object.
func parsePart(part string, from int) (found []Detection, unparsed []string) {
	addUnparsed := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			unparsed = append(unparsed, text)
		}
	}
	runs := numbers.FindAllStringIndex(part, -1)
	if len(runs) == 0 {
		addUnparsed(part)
		return nil, unparsed
	}
	addUnparsed(part[:runs[0][0]])
	for i, run := range runs {
		end := len(part)
		if i+1 < len(runs) {
			end = runs[i+1][0]
		}
		raw := strings.TrimSpace(part[run[0]:end])
		if d, ok := parseObject(part[run[0]:run[1]], part[run[1]:end]); ok {
			d.From, d.To = from+run[0], from+run[0]+len(raw)
			found = append(found, d)
		} else {
			addUnparsed(raw)
		}
	}
	return found, unparsed
}

// parseObject reads an object's numbers and its label.
func parseObject(run, label string) (Detection, bool) {
	m := form.FindStringSubmatch(run)
	if m == nil || strings.Contains(label, "<loc") || strings.Contains(label, "<seg") {
		return Detection{}, false
	}
	d := Detection{Label: strings.TrimSpace(label)}
	for i := range d.Loc {
		d.Loc[i], _ = strconv.Atoi(m[1][9*i+4 : 9*i+8]) // four digits, by the pattern
		if d.Loc[i] > 1023 {
			return Detection{}, false
		}
	}
	for s := m[2]; s != ""; s = s[8:] {
		code, _ := strconv.Atoi(s[4:7])
		if code > 127 {
			return Detection{}, false
		}
		d.Seg = append(d.Seg, code)
	}
	return d, d.Loc[0] <= d.Loc[2] && d.Loc[1] <= d.Loc[3]
}
