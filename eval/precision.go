package eval

// This file: mean average precision as COCO defines it.

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pali-gguf/pali/tasks"
)

// Detected is one question's true objects and those of the answer.
type Detected struct{ Truth, Answer []tasks.Detection }

const (
	maxDetections = 100 // of a label in one answer
	recallSteps   = 100 // precision is read at multiples of 0.01, which are not the nearest floats to all hundredths
)

// AveragePrecision is the mean over the labels that have true objects, and over IoU thresholds, of
// the precision at 101 recalls. Boxes are ranked by Score. at gives the thresholds; COCO's are 0.5,
// 0.55, ..., 0.95. It returns 0 and false where there are no true objects.
//
// The rules are pycocotools' (cocoeval.py): within a question the surest box first takes the true
// box of its label that it overlaps most and that none has taken, of equal ones the last; at most
// 100 boxes of a label count; boxes of questions come in their order where their scores are equal.
func AveragePrecision(questions []Detected, at []float64) (float64, bool) {
	labels := map[string]bool{}
	for _, q := range questions {
		for _, o := range q.Truth {
			labels[o.Label] = true
		}
	}
	sum, n := 0.0, 0
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		for _, threshold := range at {
			sum += labelPrecision(questions, label, threshold)
			n++
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

// COCO lists the ten thresholds of COCO's mean average precision.
func COCO() []float64 {
	var at []float64
	for i := range 10 {
		at = append(at, float64(50+5*i)/100)
	}
	return at
}

// RankByPosition gives the boxes of each answer scores by their places in it, as if the model put
// the surest first: for comparing with its probabilities.
func RankByPosition(questions []Detected) []Detected {
	out := slices.Clone(questions)
	for i := range out {
		out[i].Answer = slices.Clone(out[i].Answer)
		for place := range out[i].Answer {
			out[i].Answer[place].Score.Score = -float64(place)
		}
	}
	return out
}

// Point is a place on a precision-recall curve: what the boxes with this score or a higher one come
// to.
type Point struct{ Score, Recall, Precision float64 }

// Curve ranks the boxes of all labels together and returns a point for each, at one IoU threshold.
// A box finds only true boxes of its label.
func Curve(questions []Detected, threshold float64) []Point {
	var all []ranked
	objects := 0
	for _, q := range questions {
		for _, label := range labelsOf([]Detected{q}) {
			truth := withLabel(q.Truth, label)
			objects += len(truth)
			all = append(all, match(truth, withLabel(q.Answer, label), threshold)...)
		}
	}
	precision, recall := alongRanks(all, objects)
	points := make([]Point, len(all))
	for i, r := range all {
		points[i] = Point{r.score, recall[i], precision[i]}
	}
	return points
}

// PooledPrecision is the average precision of all labels together, at one IoU threshold: the area
// under Curve.
func PooledPrecision(questions []Detected, threshold float64) float64 {
	var precision, recall []float64
	for _, p := range Curve(questions, threshold) {
		precision, recall = append(precision, p.Precision), append(recall, p.Recall)
	}
	return meanPrecision(precision, recall)
}

// labelsOf lists the labels of true boxes and of answers.
func labelsOf(questions []Detected) []string {
	labels := map[string]bool{}
	for _, q := range questions {
		for _, o := range slices.Concat(q.Truth, q.Answer) {
			labels[o.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(labels))
}

// alongRanks sorts the boxes, the surest first, and returns precision and recall of those up to
// each.
func alongRanks(all []ranked, objects int) (precision, recall []float64) {
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	precision, recall = make([]float64, len(all)), make([]float64, len(all))
	found := 0
	for i, r := range all {
		if r.found {
			found++
		}
		precision[i], recall[i] = float64(found)/float64(i+1), float64(found)/float64(objects)
	}
	return precision, recall
}

// ranked is a box of an answer, and whether it found a true one.
type ranked struct {
	score float64
	found bool
}

// labelPrecision is the average precision of one label at one threshold.
func labelPrecision(questions []Detected, label string, threshold float64) float64 {
	var all []ranked
	objects := 0
	for _, q := range questions {
		truth := withLabel(q.Truth, label)
		objects += len(truth)
		all = append(all, match(truth, withLabel(q.Answer, label), threshold)...)
	}
	return meanPrecision(alongRanks(all, objects))
}

// meanPrecision is the mean of the best precision that each recall or a higher one reaches.
func meanPrecision(precision, recall []float64) float64 {
	for i := len(precision) - 2; i >= 0; i-- {
		precision[i] = max(precision[i], precision[i+1])
	}
	sum := 0.0
	for step := range recallSteps + 1 {
		if i, _ := slices.BinarySearch(recall, float64(step)*0.01); i < len(precision) {
			sum += precision[i]
		}
	}
	return sum / (recallSteps + 1)
}

func withLabel(objects []tasks.Detection, label string) []tasks.Detection {
	return slices.DeleteFunc(slices.Clone(objects), func(o tasks.Detection) bool { return o.Label != label })
}

// match ranks the boxes of one answer and gives each a true one if it can.
func match(truth, answer []tasks.Detection, threshold float64) []ranked {
	slices.SortStableFunc(answer, func(a, b tasks.Detection) int { return cmp.Compare(b.Score.Score, a.Score.Score) })
	taken := make([]bool, len(truth))
	var out []ranked
	for _, a := range answer[:min(len(answer), maxDetections)] {
		best, at := threshold, -1
		for i, t := range truth {
			if v := IoU(a.Loc, t.Loc); !taken[i] && v >= best {
				best, at = v, i
			}
		}
		if at >= 0 {
			taken[at] = true
		}
		out = append(out, ranked{a.Score.Score, at >= 0})
	}
	return out
}
