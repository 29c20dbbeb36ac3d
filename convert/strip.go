package convert

// This file: a strip of rows from raw bytes to the tensor's bytes in its file.
// Before it: pipeline.go's reader. After it: the file.

import (
	"fmt"
	"io"
	"math"

	"github.com/pali-gguf/pali/tensor"
)

// worker does strips, one at a time, in memory of its own.
type worker struct {
	out      func(file int) io.WriterAt
	policies [2]Encoder
	values   []float32
	bytes    []byte
}

// do rearranges, widens, encodes and writes one strip.
func (w *worker) do(s strip) error {
	x, err := w.fetch(s)
	if err != nil {
		return err
	}
	return w.write(s, x)
}

// fetch rearranges, widens and checks one strip: whole rows of its target, valid until the next call.
func (w *worker) fetch(s strip) ([]float32, error) {
	t := s.piece.target
	n := s.to - s.from
	if need := n * t.width; need > cap(w.values) {
		w.values = make([]float32, need)
	}
	x := w.values[:n*t.width]
	have := max(min(s.to, t.rows)-s.from, 0) // rows that come from the checkpoint; the others are zero
	gather(x[:have*t.cols], s)
	if t.row.Mark&AddOne != 0 {
		for i := range x[:have*t.cols] {
			x[i]++
		}
	}
	if i := tensor.IndexOverflow(x[:have*t.cols], float32(math.Inf(1))); i >= 0 {
		return nil, s.refuse(x[i], i/t.cols, i%t.cols)
	}
	tensor.PadRows(x, have, t.cols, t.width)
	return x, nil
}

// write encodes x and writes it to its place.
func (w *worker) write(s strip, x []float32) error {
	t := s.piece.target
	size := t.blockBytes(s.to - s.from)
	if size > int64(cap(w.bytes)) {
		w.bytes = make([]byte, size)
	}
	b := w.bytes[:size]
	switch unfit, err := w.policies[t.file].Encode(t.tensor, b, x); {
	case err != nil:
		return fmt.Errorf("convert: %s: %w", t.tensor.Name, err)
	case unfit >= 0:
		return s.refuse(x[unfit], unfit/t.width, unfit%t.width)
	}
	at := t.tensor.Offset + t.blockBytes(s.piece.from+s.from)
	if _, err := w.out(t.file).WriteAt(b, at); err != nil {
		return fmt.Errorf("convert: %s: %w", t.tensor.Name, err)
	}
	return nil
}

// gather fills dst [rows, cols] with the strip's values in the tensor's order.
func gather(dst []float32, s strip) {
	d, raw := s.job.tensor.DType, s.buffer.raw[:s.piece.bytes]
	if s.piece.plain {
		tensor.ToFloat32(dst, raw[s.from*s.piece.target.cols*d.Size():], d)
		return
	}
	s.piece.move.Rows(dst, raw, d, s.from, s.from+len(dst)/s.piece.target.cols)
}

// refuse says what is wrong with a value of the strip, and where the checkpoint has it.
func (s strip) refuse(v float32, row, col int) error {
	t := s.piece.target
	row += s.from
	at := s.piece.first + row*t.cols + col
	if !s.piece.plain {
		at = s.piece.first + s.piece.move.RowAt[row] + s.piece.move.ColAt[col]
	}
	shape := s.job.tensor.Shape
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a], at = at%shape[a], at/shape[a]
	}
	where := fmt.Sprintf("convert: %s: element %v is %g", s.job.tensor.Name, index, v)
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return fmt.Errorf("%s, want a finite number", where)
	}
	better := "bf16"
	if math.IsInf(float64(tensor.FromBF16(tensor.ToBF16(v))), 0) {
		better = "f32"
	}
	return fmt.Errorf("%s, too large for %s (%v); %s holds it", where, t.tensor.Name, t.tensor.Type, better)
}
