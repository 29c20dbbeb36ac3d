package eval

// This file: mean average precision as COCO defines it.

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pali-gguf/pali/tasks"
)

// Detected has the true objects of one question and those of the answer.
type Detected struct{ Truth, Answer []tasks.Detection }

const (
	maxDetections = 100 // of a label in one answer
	recallSteps   = 100 // precision is read at float multiples of 0.01, which are not all the nearest to a hundredth
)

// AveragePrecision returns the mean, over the labels that have true objects and over the IoU
// thresholds in at, of the precision at 101 recalls. Boxes are ranked by Score. COCO's thresholds
// are 0.5, 0.55, ..., 0.95. It returns 0 and false if questions has no true objects.
//
// The rules are pycocotools' (cocoeval.py): within a question the boxes, in descending order of
// score, are matched to the true box of their label that they overlap most and that is not yet
// matched, the last of several; at most 100 boxes of a label count; boxes with equal scores keep
// the order of their questions.
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

// COCO returns the ten IoU thresholds of COCO's mean average precision.
func COCO() []float64 {
	var at []float64
	for i := range 10 {
		at = append(at, float64(50+5*i)/100)
	}
	return at
}

// RankByPosition returns a copy of questions in which the boxes of each answer have scores by their
// positions in it, the first the highest: to compare with ranking by the model's probabilities.
func RankByPosition(questions []Detected) []Detected {
	out := slices.Clone(questions)
	for i := range out {
		out[i].Answer = slices.Clone(out[i].Answer)
		for position := range out[i].Answer {
			out[i].Answer[position].Score.Score = -float64(position)
		}
	}
	return out
}

// Point is a point of a precision-recall curve: recall and precision of the boxes with at least
// this score.
type Point struct{ Score, Recall, Precision float64 }

// Curve ranks the boxes of all labels together and returns a point for each, at one IoU threshold.
// A box matches only true boxes of its own label.
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

// PooledPrecision returns the average precision of all labels together, at one IoU threshold: the
// area under Curve.
func PooledPrecision(questions []Detected, threshold float64) float64 {
	var precision, recall []float64
	for _, p := range Curve(questions, threshold) {
		precision, recall = append(precision, p.Precision), append(recall, p.Recall)
	}
	return meanPrecision(precision, recall)
}

// labelsOf returns the labels of the true boxes and of the answers, sorted.
func labelsOf(questions []Detected) []string {
	labels := map[string]bool{}
	for _, q := range questions {
		for _, o := range slices.Concat(q.Truth, q.Answer) {
			labels[o.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(labels))
}

// alongRanks sorts all by descending score and returns, for each box, precision and recall of the
// boxes up to it. objects is the number of true boxes.
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

// ranked is a box of an answer, and whether it matched a true one.
type ranked struct {
	score float64
	found bool
}

// labelPrecision returns the average precision of one label at one threshold.
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

// meanPrecision returns the mean, over the recalls, of the best precision at that recall or a
// higher one.
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

// match sorts answer by descending score and matches its boxes to those of truth.
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
