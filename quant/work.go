package quant

// This file: the tensors of a file, from one type to another. Before it: file.go, with both files laid out. After it: the file.
//
//	strips of rows ──▶ workers: read, widen, check, pad, encode ──WriteAt──▶ file

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

const (
	maxThreads = 64      // each has a strip as it is read, as values, and as it is written: 3 MiB
	stripSize  = 1 << 18 // values: 1 MiB as F32
)

// job is one tensor: rows x cols values come from the source, the rest of the target is zero.
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
			return nil, fmt.Errorf("%s is %v already, and rounding it again loses more: take the F32, F16 or BF16 file, or --requantize", from.Name, from.Type)
		}
		all = append(all, j)
	}
	return all, nil
}

// copied reports whether the target has the source's bytes.
func (j *job) copied() bool {
	return j.from.Type == j.to.Type && slices.Equal(j.from.Shape, j.to.Shape)
}

// run does all jobs.
func (s *Source) run(ctx context.Context, jobs []job, to io.WriterAt, p *Plan, o Options) error {
	group, gctx := errgroup.WithContext(ctx)
	strips := make(chan strip)
	group.Go(func() error {
		defer close(strips)
		return cut(gctx, jobs, strips)
	})
	threads := o.Threads
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	read := counter(jobs, o.Progress)
	for range min(threads, maxThreads) {
		w := worker{source: s, to: to, plan: p}
		group.Go(func() error {
			for next := range strips {
				if err := gctx.Err(); err != nil {
					return err
				}
				if err := w.do(next); err != nil {
					return fmt.Errorf("quant: %s: %w", next.from.Name, err)
				}
				read(len(w.raw))
			}
			return nil
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("quant: %w", context.Cause(ctx))
	}
	return err
}

// cut hands out all jobs in strips.
func cut(ctx context.Context, jobs []job, strips chan<- strip) error {
	for i := range jobs {
		j := &jobs[i]
		step := max(1, stripSize/j.width)
		for first := 0; first < j.height; first += step {
			select {
			case strips <- strip{j, first, min(first+step, j.height)}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// counter returns a function that is told of bytes read, by several goroutines, and calls progress.
func counter(jobs []job, progress func(done, total int64)) func(n int) {
	var mutex sync.Mutex
	var done, total int64
	for _, j := range jobs {
		total += j.from.Bytes()
	}
	return func(n int) {
		if progress == nil {
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		done += int64(n)
		progress(done, total)
	}
}

// worker does strips, one at a time, in memory of its own.
type worker struct {
	source   *Source
	to       io.WriterAt
	plan     *Plan
	raw, out []byte
	values   []float32
}

// do reads, widens, checks, pads, encodes and writes one strip.
func (w *worker) do(s strip) error {
	have := max(min(s.end, s.rows)-s.first, 0) // rows that the source has; the others are zero
	bytes := s.from.Type.RowBytes(s.cols)
	w.raw = slices.Grow(w.raw[:0], have*int(bytes))[:have*int(bytes)]
	if n, err := w.source.file.Data(s.from).ReadAt(w.raw, int64(s.first)*bytes); n < len(w.raw) {
		return err
	}
	w.values = slices.Grow(w.values[:0], (s.end-s.first)*s.width)[:(s.end-s.first)*s.width]
	x := w.values[:have*s.cols]
	if d, ok := floats[s.from.Type]; ok {
		tensor.ToFloat32(x, w.raw, d)
	} else if err := Decode(s.from.Type, x, w.raw); err != nil {
		return err
	}
	if i := tensor.IndexOverflow(x, float32(math.Inf(1))); i >= 0 {
		return fmt.Errorf("element %v is %v, want a finite number", s.index(i, s.cols), x[i])
	}
	at := s.to.Offset + int64(s.first)*s.to.Type.RowBytes(s.width)
	if s.copied() {
		_, err := w.to.WriteAt(w.raw, at)
		return err
	}
	tensor.PadRows(w.values, have, s.cols, s.width)
	return w.encode(s, at)
}

// encode stores the strip's values at their place.
func (w *worker) encode(s strip, at int64) error {
	size := int(s.to.Type.RowBytes(s.width)) * (s.end - s.first)
	w.out = slices.Grow(w.out[:0], size)[:size]
	unfit, err := w.plan.Encode(s.to, w.out, w.values)
	if err != nil {
		return err
	}
	if unfit >= 0 {
		return fmt.Errorf("element %v is %g, too large for %v", s.index(unfit, s.width), w.values[unfit], s.to.Type)
	}
	_, err = w.to.WriteAt(w.out, at)
	return err
}

// index returns where in its tensor value i of a strip with rows of cols values is.
func (s strip) index(i, cols int) []int {
	at, index := (s.first+i/cols)*s.cols+i%cols, make([]int, len(s.from.Shape))
	for a := len(index) - 1; a >= 0; a-- {
		index[a], at = at%s.from.Shape[a], at/s.from.Shape[a]
	}
	return index
}
