package eval

// This file: boxes and masks compared with the true ones. The definitions are those of
// scripts/demo/evaluate.py.

import (
	"encoding/json"

	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Detections are the objects of an answer. In JSON each has only what the scores need.
type Detections []tasks.Detection

// detectionJSON is a detection in a record of the journal.
type detectionJSON struct {
	Label string  `json:"label"`
	Loc   [4]int  `json:"loc"` // bins y0, x0, y1, x1
	Seg   []int   `json:"seg,omitempty"`
	Score float64 `json:"score"` // confidence, 0 to 1
}

// MarshalJSON writes the label, bins, codes and score of each object.
func (d Detections) MarshalJSON() ([]byte, error) {
	all := make([]detectionJSON, 0, len(d))
	for _, o := range d {
		all = append(all, detectionJSON{o.Label, o.Loc, o.Seg, o.Score.Score})
	}
	return marshal(all)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Detections) UnmarshalJSON(text []byte) error {
	var all []detectionJSON
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*d = nil
	for _, o := range all {
		*d = append(*d, tasks.Detection{Label: o.Label, Loc: o.Loc, Seg: o.Seg, Score: tasks.Score{Score: o.Score}})
	}
	return nil
}

// referenceDetections reads the objects of a true answer, each with a score of 1.
func referenceDetections(text string) Detections {
	found, _ := tasks.ParseDetections(text)
	for i := range found {
		found[i].Score.Score = 1
	}
	return found
}

// Mask draws an object's mask into a square; all squares have one size. For an object without a
// mask all pixels are false.
type Mask func(tasks.Detection) ([]bool, error)

// maskSide is the side in pixels of the square on which the IoU of masks is computed
// (scripts/demo/evaluate.py).
const maskSide = 256

// NewMask returns a Mask that draws with decoder.
func NewMask(decoder *masks.Decoder) Mask {
	return func(d tasks.Detection) ([]bool, error) {
		b, err := d.DrawMask(decoder, tasks.Canvas{Width: maskSide, Height: maskSide, Divisor: tasks.LocDivisor})
		if b == nil || err != nil {
			return make([]bool, maskSide*maskSide), err
		}
		return b.Bits, nil
	}
}

// iouThreshold is the least IoU of a box that counts as found.
const iouThreshold = 0.5

// IoU returns the intersection over union of the boxes a and b (bins y0, x0, y1, x1); 0 if the
// union is empty.
func IoU(a, b [4]int) float64 {
	inter := max(0, min(a[2], b[2])-max(a[0], b[0])) * max(0, min(a[3], b[3])-max(a[1], b[1]))
	union := area(a) + area(b) - inter
	if union == 0 {
		return 0
	}
	return float64(inter) / float64(union)
}

func area(b [4]int) int { return max(0, b[2]-b[0]) * max(0, b[3]-b[1]) }

// F1 returns the harmonic mean of precision and recall at IoU 0.5: each box of answer, in order, is
// matched to the box of truth with the same label that it overlaps most and that is not yet
// matched, if their IoU is at least 0.5. f1 is 1 where both are empty. ious has the IoU of each
// match. unparsed is the number of parts of the answer that are not objects; they count as false
// positives.
func F1(truth, answer []tasks.Detection, unparsed int) (f1 float64, ious []float64) {
	found := len(answer) + unparsed
	if len(truth)+found == 0 {
		return 1, nil
	}
	taken := make([]bool, len(truth))
	for _, a := range answer {
		best, at := -1.0, -1
		for i, t := range truth {
			if !taken[i] && t.Label == a.Label && IoU(a.Loc, t.Loc) > best {
				best, at = IoU(a.Loc, t.Loc), i
			}
		}
		if best >= iouThreshold {
			taken[at] = true
			ious = append(ious, best)
		}
	}
	return 2 * float64(len(ious)) / float64(len(truth)+found), ious
}

// MaskIoU returns the number of pixels inside both masks a and b over the number inside either; 0
// if both are empty. The masks have the same size.
func MaskIoU(a, b []bool) float64 {
	both, either := 0, 0
	for i := range a {
		if a[i] && b[i] {
			both++
		}
		if a[i] || b[i] {
			either++
		}
	}
	return float64(both) / float64(max(1, either))
}
