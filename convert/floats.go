package convert

// This file: a checkpoint's tensors as the files hold them, before their values are rounded. Before it: an opened archive. After it: whoever
// compares a file with the checkpoint it came from.

import (
	"context"
	"slices"

	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tensor"
)

// Checkpoint is one half of a checkpoint, the decoder or the vision encoder with the projector: all arrays are there and fit together.
type Checkpoint struct{ plan *plan }

// ReadCheckpoint finds the checkpoint in an archive and checks it as Run does. It reads no elements; the archive must stay open as long as
// they are read.
func ReadCheckpoint(src *npz.Archive, vision bool) (*Checkpoint, error) {
	c, err := readCheckpoint(src)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(c, [2]Encoder{})
	if err != nil {
		return nil, err
	}
	file := textFile
	if vision {
		file = visionFile
	}
	p.jobs = slices.DeleteFunc(p.jobs, func(j job) bool { return j.pieces[0].target.file != file })
	p.targets[1-file] = nil
	return &Checkpoint{p}, nil
}

// Tensors lists the tensors in the file's order: names as the file has them, shapes without padding, types as the checkpoint has them.
func (c *Checkpoint) Tensors() []tensor.Tensor {
	types := map[*target]tensor.DType{}
	for _, j := range c.plan.jobs {
		for _, p := range j.pieces {
			types[p.target] = j.tensor.DType
		}
	}
	var out []tensor.Tensor
	for _, t := range slices.Concat(c.plan.targets[:]...) {
		out = append(out, tensor.Tensor{Name: t.tensor.Name, DType: types[t], Shape: t.tensor.Shape})
	}
	return out
}

// Rows is a run of whole rows of one tensor. A row is as long as the tensor's last axis.
type RowRange struct {
	Tensor string
	First  int // the row that Values begin with
	Values []float32
}

// Read reads every tensor, in the archive's order, and calls do with its rows, from so many goroutines (0: one for each processor) at once. The
// values are those that Run would store; do must not keep them. progress is called as Options.Progress is. Read ends when ctx does.
func (c *Checkpoint) Read(ctx context.Context, threads int, do func(RowRange) error, progress func(done, total int64)) error {
	return c.plan.work(ctx, threads, func() func(strip) error {
		w := &worker{}
		return func(s strip) error {
			x, err := w.fetch(s)
			if err != nil {
				return err
			}
			return do(RowRange{s.piece.target.tensor.Name, s.piece.from + s.from, x})
		}
	}, progress)
}
