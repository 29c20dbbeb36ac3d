package inspect

// This file: the values of two files, read side by side.
//
//	.gguf with .gguf   strips of rows from both
//	.npz  with .gguf   what convert makes of the arrays, and the same rows of the GGUF file
//	.npz  with .npz    two streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/tensor"
)

// pair is a tensor that both files have.
type pair struct {
	name   string
	a, b   Tensor
	shape  []int // of the common part
	padded []int // shape of the padded side, if one is

	mutex sync.Mutex
	parts map[int]quant.Loss // by the first row: merged in order, so that the sums do not depend on the threads
}

// add gathers the differences between the rows a and b of the two sides, of colsA and colsB values,
// from row first on: of as many rows as both have, and as far as both reach.
func (p *pair) add(first int, a []float32, colsA int, b []float32, colsB int) {
	var l quant.Loss
	if colsA == colsB {
		n := min(len(a), len(b))
		l.Add(a[:n], b[:n])
	} else {
		n := min(colsA, colsB)
		for i := range min(len(a)/colsA, len(b)/colsB) {
			l.Add(a[i*colsA:i*colsA+n], b[i*colsB:i*colsB+n])
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.parts[first] = l
}

// loss merges what was gathered.
func (p *pair) loss() quant.Loss {
	var all quant.Loss
	for _, first := range slices.Sorted(maps.Keys(p.parts)) {
		all.Merge(p.parts[first])
	}
	return all
}

// read compares all pairs.
func (c *comparison) read(ctx context.Context, threads int, progress func(done, total int64)) error {
	switch {
	case c.checkpoint != nil:
		return c.readCheckpoint(ctx, threads, progress)
	case c.a.File != nil:
		return c.readFiles(ctx, threads, progress)
	}
	return c.readArchives(ctx, progress)
}

// readCheckpoint compares the archive's half of the checkpoint with a GGUF file.
func (c *comparison) readCheckpoint(ctx context.Context, threads int, progress func(done, total int64)) error {
	file := c.b.File
	if file == nil {
		file = c.a.File
	}
	return c.checkpoint.Read(ctx, threads, func() func(convert.RowRange) error {
		var r rowReader
		return func(rows convert.RowRange) error {
			p := c.byName[rows.Tensor]
			if p == nil {
				return nil
			}
			colsA, colsB := lastAxis(p.a.Shape), lastAxis(p.b.Shape)
			ours := colsA
			if c.a.File != nil {
				ours = colsB
			}
			n := min(len(rows.Values)/ours, rowCount(p.shape)-rows.First)
			if n <= 0 { // padding
				return nil
			}
			theirs, err := r.read(file, p.name, rows.First, n)
			if err != nil {
				return err
			}
			if c.a.File != nil {
				p.add(rows.First, theirs, colsA, rows.Values, colsB)
			} else {
				p.add(rows.First, rows.Values, colsA, theirs, colsB)
			}
			return nil
		}
	}, progress)
}

// strip is some rows of two GGUF files' tensor.
type strip struct {
	*pair
	first, end int
}

// readFiles compares two GGUF files.
func (c *comparison) readFiles(ctx context.Context, threads int, progress func(done, total int64)) error {
	var total int64
	for _, p := range c.pairs {
		total += p.a.Bytes
	}
	count := strips.Progress(total, progress)
	return strips.Run(ctx, threads, func(_ context.Context, hand func(strip) error) error {
		for _, p := range c.pairs {
			for first, end := range strips.Rows(rowCount(p.shape), lastAxis(p.a.Shape), 1) {
				if err := hand(strip{p, first, end}); err != nil {
					return err
				}
			}
		}
		return nil
	}, func() strips.Worker[strip] { return &comparer{fileA: c.a, fileB: c.b, count: count} })
}

// comparer compares strips, one at a time.
type comparer struct {
	fileA, fileB *Listing
	a, b         rowReader
	count        func(n int) // bytes of A
}

// Fetch reads the rows of the strip s from A.
func (c *comparer) Fetch(s strip) ([]float32, error) {
	x, err := c.a.read(c.fileA.File, s.name, s.first, s.end-s.first)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.fileA.path(), err)
	}
	return x, nil
}

// Store reads the rows of the strip s from B, and gathers their differences from x, those of A.
func (c *comparer) Store(s strip, x []float32) error {
	y, err := c.b.read(c.fileB.File, s.name, s.first, s.end-s.first)
	if err != nil {
		return fmt.Errorf("%s: %w", c.fileB.path(), err)
	}
	s.add(s.first, x, lastAxis(s.pair.a.Shape), y, lastAxis(s.pair.b.Shape))
	c.count(len(c.a.raw))
	return nil
}

// rowReader reads rows of GGUF files, in memory of its own.
type rowReader struct {
	raw    []byte // what was read last
	memory []byte
	values []float32
}

// read decodes n rows of a GGUF file's tensor. They are valid until the next call.
func (r *rowReader) read(f *gguf.File, name string, first, n int) ([]float32, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%s is missing", name)
	}
	cols := lastAxis(t.Shape)
	size := t.Type.RowBytes(cols)
	r.raw = strips.Room(&r.memory, n*int(size))
	x := strips.Room(&r.values, n*cols)
	if _, err := f.Data(t).ReadAt(r.raw, int64(first)*size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, quant.Decode(t.Type, x, r.raw)
}

// readArchives compares the arrays of two archives, one after the other.
func (c *comparison) readArchives(ctx context.Context, progress func(done, total int64)) error {
	var total int64
	for _, p := range c.pairs {
		total += p.a.Bytes
	}
	count := strips.Progress(total, progress)
	for _, p := range c.pairs {
		if err := c.stream(ctx, p, count); err != nil {
			return err
		}
	}
	return nil
}

// stream compares an array of two archives from its first element to its last.
func (c *comparison) stream(ctx context.Context, p *pair, count func(n int)) error {
	a, err := openFloats(c.a, p.name)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := openFloats(c.b, p.name)
	if err != nil {
		return err
	}
	defer b.Close()
	for from, n := 0, a.Len(); from < n; from += strips.Size {
		x, err := a.next(min(strips.Size, n-from))
		if err != nil {
			return err
		}
		y, err := b.next(len(x))
		if err != nil {
			return err
		}
		p.add(from, x, len(x), y, len(x))
		count(len(x) * a.DType.Size())
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(a.end(), b.end())
}

// floatReader reads an array as 32-bit floats.
type floatReader struct {
	tensor.Tensor
	io.ReadCloser
	path   string
	raw    []byte
	values []float32
}

func openFloats(l *Listing, name string) (*floatReader, error) {
	t, ok := l.Archive.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%s: %s is missing", l.path(), Plain(name))
	}
	r, err := t.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.path(), err)
	}
	return &floatReader{Tensor: t, ReadCloser: r, path: l.path()}, nil
}

// next returns the next n elements. They are valid until the next call.
func (r *floatReader) next(n int) ([]float32, error) {
	raw, x := strips.Room(&r.raw, n*r.DType.Size()), strips.Room(&r.values, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	tensor.ToFloat32(x, raw, r.DType)
	return x, nil
}

// end reads the array's end, where the archive compares its checksum.
func (r *floatReader) end() error {
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	return nil
}

// rowCount is the product of all axes but the last.
func rowCount(shape []int) int {
	n := 1
	for _, s := range shape[:max(0, len(shape)-1)] {
		n *= s
	}
	return n
}

// lastAxis is the length of a row.
func lastAxis(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}
