// Command scores shows what the scores of boxes are worth: the precision-recall curve of a model's
// detections when its boxes are ranked by their scores, and when they are ranked by their places in
// the answer, which is all that an answer's text says.
//
//	pali eval --per-question ROWS.jsonl ──▶ rows ──eval.Curve──▶ scores.md, scores.png
//
// "make scores" runs it on the demo checkpoint.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/pali-gguf/pali/eval"
)

func main() {
	out := pflag.StringP("output", "o", "docs", "folder for the page and its plot")
	pflag.Parse()
	if pflag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "scores: want one file of rows, as pali eval --per-question writes it")
		os.Exit(2)
	}
	if err := run(pflag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "scores:", err)
		os.Exit(1)
	}
}

func run(rows, out string) error {
	found, err := detections(rows)
	if err != nil {
		return err
	}
	ranks := []ranking{
		{"by score", color.RGBA{0, 114, 178, 255}, found},
		{"by place in the answer", color.RGBA{213, 94, 0, 255}, eval.RankByPosition(found)},
	}
	if err := drawCurves(filepath.Join(out, "scores.png"), ranks); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "scores.md"), page(ranks), 0o666)
}

// ranking is the same boxes with scores of one kind.
type ranking struct {
	name  string
	color color.Color
	found []eval.Detected
}

// detections reads the rows that are detections.
func detections(path string) (found []eval.Detected, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var r eval.Record
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if d, ok := r.Detected(); ok {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no detections in it", path)
	}
	return found, nil
}

// thresholds are the IoUs of the page's table.
var thresholds = []float64{0.5, 0.75, 0.9}

func page(ranks []ranking) []byte {
	var b bytes.Buffer
	truths, boxes, with, several := 0, 0, 0, 0
	for _, q := range ranks[0].found {
		truths, boxes = truths+len(q.Truth), boxes+len(q.Answer)
		if len(q.Answer) > 0 {
			with++
		}
		if len(q.Answer) > 1 {
			several++
		}
	}
	fmt.Fprintf(&b, `# What scores are worth

Written by `+"`make scores`"+`, on the demo checkpoint in f32 and the detections of testdata/quality: %d questions, %d true boxes. The model gave %d boxes in %d answers,
of which %d have more than one box. No published checkpoint was measured: they require a licence to be accepted.

A box's score is defined in [tasks/score.go](../tasks/score.go). Average precision with boxes ranked by it, over all labels together, and with boxes ranked by
their places in the answer, the first ones first, which is what there is without probabilities; the last line is COCO's mean over labels and IoUs.

| IoU | by score | by place |
|---|---|---|
`, len(ranks[0].found), truths, boxes, with, several)
	for _, at := range thresholds {
		fmt.Fprintf(&b, "| %.2f | %.1f %% | %.1f %% |\n", at, 100*eval.PooledPrecision(ranks[0].found, at),
			100*eval.PooledPrecision(ranks[1].found, at))
	}
	means := make([]float64, 2)
	for i, r := range ranks {
		means[i], _ = eval.AveragePrecision(r.found, eval.COCO())
	}
	fmt.Fprintf(&b, "| 0.5 to 0.95, mean over labels | %.1f %% | %.1f %% |\n\n![Precision over recall](scores.png)\n",
		100*means[0], 100*means[1])
	return b.Bytes()
}

func drawCurves(path string, ranks []ranking) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = "Detections of the demo checkpoint at IoU 0.5 (thick) and "+
		"0.75 (thin)", "recall", "precision"
	p.Y.Min, p.Y.Max, p.X.Min, p.X.Max = 0.5, 1, 0, 1
	p.Legend.Left, p.Legend.Padding = true, vg.Points(2)
	p.Add(plotter.NewGrid())
	for _, r := range ranks {
		for i, at := range thresholds[:2] {
			var points plotter.XYs
			for _, x := range eval.Curve(r.found, at) {
				points = append(points, plotter.XY{X: x.Recall, Y: x.Precision})
			}
			line, err := plotter.NewLine(points)
			if err != nil {
				return err
			}
			line.Color, line.Width = r.color, vg.Points(2-float64(i))
			if p.Add(line); i == 0 {
				p.Legend.Add(r.name, line)
			}
		}
	}
	return p.Save(7*vg.Inch, 5*vg.Inch, path)
}
