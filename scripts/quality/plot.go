package main

// This file: the two plots.

import (
	"cmp"
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// series is a row of points of one kind: the types of one file, the other file being f32.
type series struct {
	name   string
	shape  draw.GlyphDrawer
	color  color.Color
	points []point
}

type point struct {
	label string
	bytes int64
	figure
}

// Colours that colour-blind people tell apart (Okabe and Ito).
var (
	blue   = color.RGBA{0, 114, 178, 255}
	orange = color.RGBA{213, 94, 0, 255}
)

// allSeries lists the points of both plots: the types of blocks.
func (r *results) allSeries() []series {
	all := []series{
		{name: "text file (mmproj in f32)", shape: draw.CircleGlyph{}, color: blue},
		{name: "the same with imatrix", shape: draw.RingGlyph{}, color: blue},
		{name: "mmproj file (text in f32)", shape: draw.BoxGlyph{}, color: orange},
		{name: "the same with imatrix", shape: draw.SquareGlyph{}, color: orange},
	}
	exact := half{Type: reference}
	for _, t := range types() {
		if t == reference || t == "f16" || t == "bf16" {
			continue
		}
		plain, weighted := half{Type: t}, half{Type: t, Weights: calibrated}
		for i, p := range []pair{{plain, exact}, {weighted, exact}, {exact, plain}, {exact, weighted}} {
			f, ok := r.byPair[p]
			if !ok {
				continue
			}
			x := point{label: t, bytes: f.textBytes, figure: f}
			if i >= 2 {
				x.bytes = f.visionBytes
			}
			if i%2 == 1 {
				x.label = "" // below or above the point without the matrix
			}
			all[i].points = append(all[i].points, x)
		}
	}
	return all
}

// axis is what a plot shows over the size of the files.
type axis struct {
	title, label string
	scale        plot.Normalizer
	ticks        plot.Ticker
	of           func(figure) float64
}

var (
	divergence = axis{"Divergence from f32, by size", "mean KL divergence, nats", plot.LogScale{}, powers{},
		func(f figure) float64 { return f.Against.KLMean }}
	lost = axis{"Score lost against f32, by size", "points of the score over all questions", plot.LinearScale{},
		plot.DefaultTicks{},
		func(f figure) float64 { return f.losses[len(f.losses)-1] }}
)

// powers marks the powers of ten.
type powers struct{}

func (powers) Ticks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = fmt.Sprintf("%.0e", t.Value)
		}
	}
	return ticks
}

// draw writes a plot of all series in a format of gonum's: "png", "svg".
func (r *results) draw(w io.Writer, y axis, format string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = y.title, "file of the demo checkpoint, MB", y.label
	p.Y.Scale, p.Y.Tick.Marker = y.scale, y.ticks
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(2)
	p.Add(plotter.NewGrid())
	for _, s := range r.allSeries() {
		if err := s.add(p, y); err != nil {
			return err
		}
	}
	c, err := p.WriterTo(8*vg.Inch, 5*vg.Inch, format)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(w)
	return err
}

// add draws the series' points with their names, to the right and to the left by turns.
func (s series) add(p *plot.Plot, y axis) error {
	if len(s.points) == 0 {
		return nil
	}
	slices.SortStableFunc(s.points, func(a, b point) int { return cmp.Compare(y.of(a.figure), y.of(b.figure)) })
	var labels plotter.XYLabels
	for i, x := range s.points {
		labels.XYs = append(labels.XYs, plotter.XY{X: float64(x.bytes) / 1e6, Y: y.of(x.figure)})
		labels.Labels = append(labels.Labels, []string{"  " + x.label, x.label + "  "}[i%2])
	}
	scatter, err := plotter.NewScatter(labels.XYs)
	if err != nil {
		return err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: vg.Points(3), Shape: s.shape}
	names, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range names.TextStyle {
		names.TextStyle[i].Font.Size = vg.Points(8)
		names.TextStyle[i].YAlign = text.YCenter
		if i%2 == 1 {
			names.TextStyle[i].XAlign = text.XRight
		}
	}
	p.Add(scatter, names)
	p.Legend.Add(s.name, scatter)
	return nil
}
