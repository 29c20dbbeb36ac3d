package convert

// This file: a checkpoint's tensors as the files hold them, before their values are rounded: for
// the comparison of a file with the checkpoint that it came from.

import (
	"context"
	"slices"

	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/tensor"
)

// Checkpoint is one half of a checkpoint, the decoder or the vision encoder with the projector: all
// arrays are present and fit together.
type Checkpoint struct {
	layout *layout
	half   *output
}

// ReadCheckpoint finds the checkpoint in src and checks it as Run does. It returns the vision
// encoder with the projector if vision is set, else the decoder. It reads no elements; src must
// stay open as long as they are read.
func ReadCheckpoint(src Source, vision bool) (*Checkpoint, error) {
	c, err := readCheckpoint(src)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(c, nil, nil)
	if err != nil {
		return nil, err
	}
	half := &l.text
	if vision {
		half = &l.vision
	}
	l.jobs = slices.DeleteFunc(l.jobs, func(j job) bool { return j.spans[0].target.out != half })
	return &Checkpoint{l, half}, nil
}

// Tensors lists the tensors in the file's order: names as the file has them, shapes without
// padding, types as the checkpoint has them.
func (c *Checkpoint) Tensors() []tensor.Tensor {
	types := map[*target]tensor.DType{}
	for _, j := range c.layout.jobs {
		for _, s := range j.spans {
			types[s.target] = j.tensor.DType
		}
	}
	var out []tensor.Tensor
	for _, t := range c.half.targets {
		out = append(out, tensor.Tensor{Name: t.tensor.Name, DType: types[t], Shape: t.tensor.Shape})
	}
	return out
}

// RowRange is some whole rows of one tensor. A row is as long as the tensor's last axis.
type RowRange struct {
	Tensor string
	First  int // the row that Values begin with
	Values []float32
}

// Read reads every tensor, in the source's order, and gives its rows to one of threads goroutines
// (0: one for each processor), each of which calls a function of its own, which newDo made, with
// one range after another. The values are those that Run would store; a function must
// not keep them. progress is called as Options.Progress is. Read ends when ctx does.
func (c *Checkpoint) Read(ctx context.Context, threads int, newDo func() func(RowRange) error,
	progress func(done, total int64)) error {
	return c.layout.run(ctx, threads, func() strips.Worker[strip] { return &reader{do: newDo()} }, progress)
}

// reader passes the values of strips to do.
type reader struct {
	fetcher
	do func(RowRange) error
}

func (r *reader) Store(s strip, x []float32) error {
	return r.do(RowRange{s.span.target.tensor.Name, s.span.from + s.from, x})
}
