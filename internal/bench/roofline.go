package bench

// This file: which share of the machine's limits was reached.

import (
	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/estimate"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj"
)

// File is one of the model's.
type File struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Type  string `json:"type"` // of most of it
}

// Machine is what the machine can do at most, with the model's number of threads.
type Machine struct {
	Read float64 `json:"read_bytes_per_second"`
	Int8 float64 `json:"int8_per_second,omitempty"`
	BF16 float64 `json:"bf16_per_second,omitempty"`
	F32  float64 `json:"f32_per_second,omitempty"`
}

// AddFiles describes the files and sets what package estimate says of the memory. cell is the type
// of the KV cache. Where r.Device is the processor, it also measures the machine with r.Threads
// threads and sets which share of its limits was reached.
func (r *Report) AddFiles(files store.Files, cell gguf.Type) (err error) {
	var l kernels.Limits
	if r.Device == "CPU" {
		if l, err = kernels.MeasureLimits(r.Threads); err != nil {
			return err
		}
		r.Machine = Machine{l.Read, l.Int8, l.BF16, l.F32}
	}
	var m estimate.Model
	err = store.WithFile(files.Text, func(f *gguf.File) error {
		c, err := gemma.Check(f)
		if err == nil {
			m.Text, m.TextBytes = c.TextConfig, f.Size
			r.addText(files.Text, f, l)
		}
		return err
	})
	if err != nil {
		return err
	}
	return store.WithFile(files.Vision, func(f *gguf.File) (err error) {
		if m.Vision, err = mmproj.Check(f); err != nil {
			return err
		}
		m.VisionBytes = f.Size
		r.addVision(files.Vision, f, l, int64(m.Vision.Tokens()), int64(m.Vision.EmbeddingLength*m.Vision.BlockCount))
		r.EstimatedBytes = m.Memory(cell, r.PrefillTokens, r.PrefillTokens+r.DecodeTokens).Total
		return nil
	})
}

// addText compares prefill and decode with the limits.
func (r *Report) addText(path string, f *gguf.File, l kernels.Limits) {
	table, _ := f.Tensor(gemma.TokenEmbd)
	w := workOf(f, l, table)
	r.TextFile = File{path, f.Size, w.mainType.String()}
	r.Prefill.setShare(w.seconds*float64(r.PrefillTokens), w.limit)
	if l.Read > 0 {
		r.Decode.setShare(float64((w.bytes+table.Bytes())*int64(r.DecodeTokens-1))/l.Read, "memory read")
	}
}

// addVision compares the encoder with the limits; width is the sum over its layers.
func (r *Report) addVision(path string, f *gguf.File, l kernels.Limits, tokens, width int64) {
	position, _ := f.Tensor(mmproj.PositionEmbd)
	w := workOf(f, l, position)
	r.VisionFile = File{path, f.Size, w.mainType.String()}
	if l.F32 > 0 { // attention: queries with keys, weights with values, in 32-bit floats
		attention := 4 * float64(tokens*tokens) * float64(width)
		r.Vision.setShare(w.seconds*float64(tokens)+attention/l.F32, w.limit)
	}
}

// work is what one position costs in the matrices of a file.
type work struct {
	mainType gguf.Type // the type of most of the bytes
	limit    string    // what products with that type are compared with
	seconds  float64   // at the machine's rates, two operations for each element; 0 if one is not known
	bytes    int64     // of the matrices
}

// workOf adds up the matrices of a file without its table.
func workOf(f *gguf.File, l kernels.Limits, table gguf.Tensor) work {
	var w work
	by, known := map[gguf.Type]int64{}, true
	for _, t := range f.Tensors {
		if t.Name == table.Name || len(t.Shape) < 2 {
			continue
		}
		rate, _ := rateOf(l, t.Type)
		known = known && rate > 0
		w.seconds += 2 * float64(t.Len()) / rate
		w.bytes += t.Bytes()
		if by[t.Type] += t.Bytes(); by[t.Type] > by[w.mainType] {
			w.mainType = t.Type
		}
	}
	if _, w.limit = rateOf(l, w.mainType); !known {
		w.seconds = 0
	}
	return w
}

// rateOf returns the limit that products with weights of a type are compared with, 0 if it is not
// known.
func rateOf(l kernels.Limits, t gguf.Type) (limit float64, name string) {
	switch {
	case t.Blocked():
		return l.Int8, "int8 products"
	case t == gguf.BF16 && l.BF16 > 0:
		return l.BF16, "bf16 products"
	}
	return l.F32, "f32 products"
}
