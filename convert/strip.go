package convert

// This file: a strip of rows from raw bytes to values, and to the tensor's bytes in its file.

import (
	"fmt"
	"math"

	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/tensor"
)

// fetcher rearranges and widens strips, one at a time, in memory of its own.
type fetcher struct{ values []float32 }

// Fetch rearranges, widens, checks and pads the strip s: whole rows of its target.
func (f *fetcher) Fetch(s strip) ([]float32, error) {
	t := s.span.target
	x := strips.Room(&f.values, (s.to-s.from)*t.width)
	have := max(min(s.to, t.rows)-s.from, 0) // rows that come from the checkpoint; the others are zero
	real := x[:have*t.cols]
	rearrange(real, s)
	s.buffer.release()
	if t.flags&AddOne != 0 {
		for i := range real {
			real[i]++
		}
	}
	if i := tensor.IndexOverflow(real, float32(math.Inf(1))); i >= 0 {
		return nil, s.valueError(x[i], i/t.cols, i%t.cols)
	}
	tensor.PadRows(x, have, t.cols, t.width)
	return x, nil
}

// rearrange fills dst [rows, cols] with the strip's values in the tensor's order.
func rearrange(dst []float32, s strip) {
	d, raw := s.job.tensor.DType, s.buffer.raw[:s.span.bytes]
	if s.span.contiguous {
		tensor.ToFloat32(dst, raw[s.from*s.span.target.cols*d.Size():], d)
		return
	}
	s.span.gather.Rows(dst, raw, d, s.from, s.from+len(dst)/s.span.target.cols)
}

// writer stores strips in their file.
type writer struct {
	fetcher
	bytes []byte
}

// Store encodes x, the values of the strip s, and writes them to their place in the file.
func (w *writer) Store(s strip, x []float32) error {
	t := s.span.target
	b := strips.Room(&w.bytes, int(t.blockBytes(s.to-s.from)))
	switch overflow, err := t.out.encoder.Encode(t.tensor, b, x); {
	case err != nil:
		return fmt.Errorf("convert: %s: %w", t.tensor.Name, err)
	case overflow >= 0:
		return s.valueError(x[overflow], overflow/t.width, overflow%t.width)
	}
	if _, err := t.out.to.WriteAt(b, t.tensor.Offset+t.blockBytes(s.span.from+s.from)); err != nil {
		return fmt.Errorf("convert: %s: %w", t.tensor.Name, err)
	}
	return nil
}

// valueError says what is wrong with a value of the strip, and where the checkpoint has it.
func (s strip) valueError(v float32, row, col int) error {
	t := s.span.target
	row += s.from
	at := s.span.first + row*t.cols + col
	if !s.span.contiguous {
		at = s.span.first + s.span.gather.RowAt[row] + s.span.gather.ColAt[col]
	}
	wrong := strips.NotFinite
	if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
		better := "bf16"
		if math.IsInf(float64(tensor.FromBF16(tensor.ToBF16(v))), 0) {
			better = "f32"
		}
		wrong = fmt.Sprintf("too large for %s (%v); %s holds it", t.tensor.Name, t.tensor.Type, better)
	}
	return fmt.Errorf("convert: %s: %w", s.job.tensor.Name, strips.ValueError(s.job.tensor.Shape, at, v, wrong))
}
