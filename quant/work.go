package quant

// This file: the tensors of a file, from one type to another.
//
//	strips of rows ──▶ workers: read, widen, check, pad, encode ──WriteAt──▶ file

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/tensor"
)

// job is one tensor: rows x cols values come from the source, the rest of height x width is zero.
type job struct {
	from, to      gguf.Tensor
	rows, cols    int
	height, width int
}

// strip is some rows of a job's target.
type strip struct {
	*job
	first, end int
}

// jobs lists the work, in the order of both files.
func (s *Source) jobs(layout *gguf.Layout, requantize bool) ([]job, error) {
	var all []job
	for i, from := range s.file.Tensors {
		to := layout.Tensors[i]
		j := job{from: from, to: to, cols: from.Shape[len(from.Shape)-1], width: to.Shape[len(to.Shape)-1]}
		j.rows, j.height = int(from.Len())/j.cols, int(to.Len())/j.width
		if from.Type.Blocked() && !j.copied() && !requantize {
			return nil, &RequantizeError{from.Name, from.Type}
		}
		all = append(all, j)
	}
	return all, nil
}

// RequantizeError says that a matrix of the source is in blocks already, without
// Options.Requantize.
type RequantizeError struct {
	Tensor string
	Type   gguf.Type
}

func (e *RequantizeError) Error() string {
	return fmt.Sprintf("%s is %v already, and rounding it again loses more: take the F32, F16 or BF16 file", e.Tensor,
		e.Type)
}

// copied reports whether the target has the source's bytes.
func (j *job) copied() bool {
	return j.from.Type == j.to.Type && slices.Equal(j.from.Shape, j.to.Shape)
}

// run does all jobs and writes their tensors to the file.
func (s *Source) run(ctx context.Context, jobs []job, to io.WriterAt, p *Plan, o Options) error {
	var total int64
	for _, j := range jobs {
		total += j.from.Bytes()
	}
	count := strips.Progress(total, o.Progress)
	return strips.Run(ctx, o.Threads, func(_ context.Context, hand func(strip) error) error {
		for i := range jobs {
			for first, end := range strips.Rows(jobs[i].height, jobs[i].width, 1) {
				if err := hand(strip{&jobs[i], first, end}); err != nil {
					return err
				}
			}
		}
		return nil
	}, func() strips.Worker[strip] { return &worker{source: s.file, to: to, plan: p, count: count} })
}

// worker does strips, one at a time, in memory of its own.
type worker struct {
	source *gguf.File
	to     io.WriterAt
	plan   *Plan
	count  func(n int) // bytes read

	raw     []byte // of the strip, as the source has it
	in, out []byte // memory for a strip as the source and as the file has it
	values  []float32
}

// Fetch reads, widens, checks and pads the strip s.
func (w *worker) Fetch(s strip) ([]float32, error) {
	x, err := w.fetch(s)
	if err != nil {
		return nil, fmt.Errorf("quant: %s: %w", s.from.Name, err)
	}
	return x, nil
}

func (w *worker) fetch(s strip) ([]float32, error) {
	have := max(min(s.end, s.rows)-s.first, 0) // rows that the source has; the others are zero
	bytes := s.from.Type.RowBytes(s.cols)
	w.raw = strips.Room(&w.in, have*int(bytes))
	if n, err := w.source.Data(s.from).ReadAt(w.raw, int64(s.first)*bytes); n < len(w.raw) {
		return nil, err
	}
	values := strips.Room(&w.values, (s.end-s.first)*s.width)
	x := values[:have*s.cols]
	if d, ok := floats[s.from.Type]; ok {
		tensor.ToFloat32(x, w.raw, d)
	} else if err := Decode(s.from.Type, x, w.raw); err != nil {
		return nil, err
	}
	if i := tensor.IndexOverflow(x, float32(math.Inf(1))); i >= 0 {
		return nil, s.valueError(x[i], i, s.cols, strips.NotFinite)
	}
	tensor.PadRows(values, have, s.cols, s.width)
	return values, nil
}

// Store encodes x, the values of the strip s, and writes them to their place; bytes that do not
// change are copied.
func (w *worker) Store(s strip, x []float32) error {
	b, err := w.raw, error(nil)
	if !s.copied() {
		b, err = w.encode(s, x)
	}
	if err == nil {
		_, err = w.to.WriteAt(b, s.to.Offset+int64(s.first)*s.to.Type.RowBytes(s.width))
	}
	if err != nil {
		return fmt.Errorf("quant: %s: %w", s.from.Name, err)
	}
	w.count(len(w.raw))
	return nil
}

// encode returns the strip's values as the file has them.
func (w *worker) encode(s strip, x []float32) ([]byte, error) {
	b := strips.Room(&w.out, int(s.to.Type.RowBytes(s.width))*(s.end-s.first))
	overflow, err := w.plan.Encode(s.to, b, x)
	if err == nil && overflow >= 0 {
		err = s.valueError(x[overflow], overflow, s.width, fmt.Sprintf("too large for %v", s.to.Type))
	}
	return b, err
}

// valueError says what is wrong with value i of the strip, whose rows have width values where it
// stands.
func (s strip) valueError(v float32, i, width int, wrong string) error {
	return strips.ValueError(s.from.Shape, (s.first+i/width)*s.cols+i%width, v, wrong)
}
