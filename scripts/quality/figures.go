package main

// This file: journals to figures.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/pali-gguf/pali/eval"
)

// metric is a score, a share from 0 to 1.
type metric struct {
	name string
	of   func(eval.Summary) (value float64, n int)
}

var metrics = []metric{
	{"answers", taskMean("answer", "exact")},
	{"captions", taskMean("caption ", "exact")},
	{"boxes F1", taskMean("detect", "F1 at IoU 0.5")},
	{"boxes IoU", taskMean("detect", "mean IoU of hits")},
	{"boxes mAP", taskMean("detect", "mAP at IoU 0.5 to 0.95")},
	{"masks IoU", taskMean("segment", "mask IoU")},
	{"all", func(s eval.Summary) (float64, int) { return s.Score.Value, s.Score.N }},
}

// taskMean finds a score of a task, or of all tasks that begin so: their mean.
func taskMean(task, name string) func(eval.Summary) (float64, int) {
	return func(s eval.Summary) (float64, int) {
		sum, n := 0.0, 0
		for _, x := range s.Scores {
			if x.Metric == name && strings.HasPrefix(x.Task, task) && x.Value != nil {
				sum, n = sum+*x.Value*float64(x.N), n+x.N
			}
		}
		return sum / float64(max(n, 1)), n
	}
}

// figure is what was measured of a pair.
type figure struct {
	pair
	eval.Summary
	textBytes, visionBytes int64
	scores                 []float64 // of metrics, in percent
	losses                 []float64 // against f32, in points
	noise                  float64   // standard error of the last loss, in points
}

// worst is the largest loss of any score, and which it is.
func (f figure) worst() (loss float64, name string) {
	loss = math.Inf(-1)
	for i, v := range f.losses {
		if v > loss {
			loss, name = v, metrics[i].name
		}
	}
	return loss, name
}

// results are the figures of all pairs.
type results struct {
	byPair map[pair]figure
	exact  figure               // both in f32
	counts []int                // of metrics: how many each is over
	sizes  map[string]estimated // by type

	questions         string // the file
	spread, spreadMax float64
}

// get returns a pair's figures.
func (r *results) get(text, vision string) figure {
	return r.byPair[pair{half{Type: text}, half{Type: vision}}]
}

// figures reads all journals.
func (m *measurement) figures() (*results, error) {
	r := &results{byPair: map[pair]figure{}, questions: m.questions}
	exact := pair{half{Type: reference}, half{Type: reference}}
	rows, err := readRows(m.journal(exact))
	if err != nil {
		return nil, err
	}
	for _, p := range append([]pair{exact}, pairs()...) {
		f, err := m.figure(p, rows)
		if err != nil {
			return nil, err
		}
		if p == exact {
			r.exact = f
		}
		f.losses = make([]float64, len(metrics))
		for i := range metrics {
			f.losses[i] = r.exact.scores[i] - f.scores[i]
		}
		r.byPair[p] = f
	}
	if r.spread, r.spreadMax, err = m.columnSpread(); err != nil {
		return nil, err
	}
	for _, x := range metrics {
		_, n := x.of(r.exact.Summary)
		r.counts = append(r.counts, n)
	}
	return r, nil
}

// figure reads a pair's journal. exact are the rows of the reference.
func (m *measurement) figure(p pair, exact []eval.Record) (figure, error) {
	f := figure{pair: p}
	rows, err := readRows(m.journal(p))
	if err != nil {
		return f, err
	}
	if len(rows) != len(exact) {
		return f, fmt.Errorf("%s: %d answers, want %d", m.journal(p), len(rows), len(exact))
	}
	for path, size := range map[string]*int64{m.text(p.Text): &f.textBytes, m.vision(p.Vision): &f.visionBytes} {
		info, err := os.Stat(path)
		if err != nil {
			return f, err
		}
		*size = info.Size()
	}
	f.Summary = eval.Summarize(rows)
	for _, x := range metrics {
		v, n := x.of(f.Summary)
		if n == 0 {
			return f, fmt.Errorf("%s: no question is scored by %s", m.journal(p), x.name)
		}
		f.scores = append(f.scores, 100*v)
	}
	var differences []float64
	for i := range rows {
		a, ok := exact[i].Scores.Primary()
		b, _ := rows[i].Scores.Primary()
		if ok {
			differences = append(differences, 100*(a-b))
		}
	}
	f.noise = standardError(differences)
	return f, nil
}

// readRows reads a complete journal.
func readRows(path string) ([]eval.Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var rows []eval.Record
	for d := json.NewDecoder(bufio.NewReader(file)); d.More(); {
		var r eval.Record
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// standardError is that of the mean of values.
func standardError(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return 0
	}
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / (n - 1) / n)
}
