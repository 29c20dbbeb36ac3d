package main

// This file: the values of two files, read side by side. Before it: two listings. After it: compare.go, which writes down what differs.
//
//	.gguf with .gguf   strips of rows from both
//	.npz  with .gguf   what convert makes of the archive's arrays, as they come, and the same rows of the GGUF file
//	.npz  with .npz    two streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/tensor"
)

// stripValues is about how many values are compared at a time: 1 MiB of floats.
const stripValues = 1 << 18

// comparison is two open files and what has been seen of them.
type comparison struct {
	a, b         *listing
	checkpoint   *convert.Checkpoint // where one is an archive and the other a GGUF file
	pairs        []*tensorPair       // in A's order
	byName       map[string]*tensorPair
	onlyA, onlyB []string
	skipped      []skippedTensor
}

// tensorPair is a tensor that both files have.
type tensorPair struct {
	name   string
	a, b   listedTensor
	shape  []int // of the common part
	padded []int // shape of the padded side, if one is

	mutex sync.Mutex
	parts map[int]quant.Loss // by the first row: joined in order, so that the sums do not depend on the threads
}

// newComparison finds what the two files have in common. It fails where that is nothing.
func newComparison(a, b *listing) (*comparison, error) {
	c := &comparison{a: a, b: b, byName: map[string]*tensorPair{}}
	inA, err := c.tensors(a, b)
	if err != nil {
		return nil, err
	}
	inB, err := c.tensors(b, a)
	if err != nil {
		return nil, err
	}
	left := map[string]listedTensor{}
	for _, t := range inB {
		left[t.name] = t
	}
	for _, t := range inA {
		other, both := left[t.name]
		if both {
			c.pair(t, other)
			delete(left, t.name)
		} else {
			c.onlyA = append(c.onlyA, t.name)
		}
	}
	for _, t := range inB {
		if _, alone := left[t.name]; alone {
			c.onlyB = append(c.onlyB, t.name)
		}
	}
	if len(c.pairs) == 0 {
		why := "no tensor has the same name in both"
		if len(c.skipped) > 0 {
			why = fmt.Sprintf("%s: %s", plain(c.skipped[0].Name), c.skipped[0].Reason)
		}
		return nil, fmt.Errorf("%s and %s cannot be compared: %s", a.path, b.path, why)
	}
	return c, nil
}

// tensors lists what of l can be compared with other: beside a GGUF file, an archive is a checkpoint, and one half of it is meant.
func (c *comparison) tensors(l, other *listing) ([]listedTensor, error) {
	if l.archive == nil || other.archive != nil {
		return l.tensors, nil
	}
	architecture, _ := other.file.Lookup(mmproj.KeyArchitecture)
	var err error
	if c.checkpoint, err = convert.ReadCheckpoint(l.archive, architecture == mmproj.Architecture); err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	var out []listedTensor
	for _, t := range c.checkpoint.Tensors() {
		out = append(out, listedTensor{name: t.Name, kind: t.DType.String(), shape: t.Shape, bytes: t.Bytes()})
	}
	return out, nil
}

// pair adds a tensor that both files have, or says why it is not compared.
func (c *comparison) pair(a, b listedTensor) {
	p := &tensorPair{name: a.name, a: a, b: b, shape: append([]int{}, a.shape...), parts: map[int]quant.Loss{}}
	why := ""
	switch {
	case !floats(a.kind) || !floats(b.kind):
		why = fmt.Sprintf("elements %s and %s, want floats", a.kind, b.kind)
	case slices.Equal(a.shape, b.shape):
	case pads(a.name, a.shape, b.shape):
		p.padded = b.shape
	case pads(a.name, b.shape, a.shape):
		p.shape, p.padded = append([]int{}, b.shape...), a.shape
	default:
		why = fmt.Sprintf("shapes %s and %s", shapeText(a.shape), shapeText(b.shape))
	}
	if why != "" {
		c.skipped = append(c.skipped, skippedTensor{a.name, why})
		return
	}
	c.pairs = append(c.pairs, p)
	c.byName[p.name] = p
}

// floats reports whether elements of a type stand for floats of at most 32 bits.
func floats(kind string) bool {
	return !slices.Contains([]string{"I8", "I16", "I32", "I64", "F64"}, kind)
}

// pads reports whether large is small padded with zeros on the vision MLP's hidden axis, to a multiple of 32 as convert pads it.
func pads(name string, small, large []int) bool {
	axis := 0
	switch {
	case !strings.HasPrefix(name, "v.blk."):
		return false
	case strings.HasSuffix(name, ".ffn_down.weight"):
		axis = 1
	case !strings.HasSuffix(name, ".ffn_up.weight") && !strings.HasSuffix(name, ".ffn_up.bias"):
		return false
	}
	if len(small) != len(large) || len(small) <= axis || large[axis]%32 != 0 || small[axis] > large[axis] || large[axis]-small[axis] >= 256 {
		return false
	}
	like := slices.Clone(small)
	like[axis] = large[axis]
	return slices.Equal(like, large)
}

// read compares all pairs. It shows a bar on w where that is a terminal, and ends early when ctx does.
func (c *comparison) read(ctx context.Context, threads int, w io.Writer) error {
	bar := progress.Bytes(w, "compare")
	defer bar.Close()
	switch {
	case c.checkpoint != nil && c.b.archive != nil:
		return c.readCheckpoint(ctx, threads, c.a.file, bar, func(p *tensorPair, first int, ours, theirs rows) { p.add(first, theirs, ours) })
	case c.checkpoint != nil:
		return c.readCheckpoint(ctx, threads, c.b.file, bar, func(p *tensorPair, first int, ours, theirs rows) { p.add(first, ours, theirs) })
	case c.a.file != nil:
		return c.readFiles(ctx, threads, bar)
	}
	return c.readArchives(ctx, bar)
}

// rows is some rows of a tensor.
type rows struct {
	values []float32
	cols   int
}

// add gathers the differences between rows of the two sides, from the first on: as many as both have, as far as both reach.
func (p *tensorPair) add(first int, a, b rows) {
	var l quant.Loss
	if a.cols == b.cols {
		n := min(len(a.values), len(b.values))
		l.Add(a.values[:n], b.values[:n])
	} else {
		n := min(a.cols, b.cols)
		for i := range min(len(a.values)/a.cols, len(b.values)/b.cols) {
			l.Add(a.values[i*a.cols:i*a.cols+n], b.values[i*b.cols:i*b.cols+n])
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.parts[first] = l
}

// loss joins what was gathered.
func (p *tensorPair) loss() quant.Loss {
	var all quant.Loss
	for _, first := range slices.Sorted(maps.Keys(p.parts)) {
		all.Join(p.parts[first])
	}
	return all
}

// readCheckpoint compares the archive's half of the checkpoint with a GGUF file. add gets the archive's rows, then the file's.
func (c *comparison) readCheckpoint(ctx context.Context, threads int, f *gguf.File, bar *progress.Bar, add func(p *tensorPair, first int, ours, theirs rows)) error {
	return c.checkpoint.Read(ctx, threads, func(r convert.RowRange) error {
		p := c.byName[r.Tensor]
		if p == nil {
			return nil
		}
		ours := p.a
		if c.b.archive != nil {
			ours = p.b
		}
		x := rows{r.Values, lastAxis(ours.shape)}
		n := min(len(x.values)/x.cols, rowCount(p.shape)-r.First)
		if n <= 0 { // padding
			return nil
		}
		m := memory.Get().(*stripMemory)
		defer memory.Put(m)
		y, err := m.read(f, p.name, r.First, n)
		if err != nil {
			return err
		}
		add(p, r.First, x, y)
		return nil
	}, bar.Set)
}

// readFiles compares two GGUF files, several strips at a time.
func (c *comparison) readFiles(ctx context.Context, threads int, bar *progress.Bar) error {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	var total, done int64
	for _, p := range c.pairs {
		total += p.a.bytes
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(threads)
	for _, p := range c.pairs {
		count := rowCount(p.shape)
		step := max(1, stripValues/lastAxis(p.a.shape))
		for first := 0; first < count && running.Err() == nil; first += step {
			group.Go(func() error { return c.strip(p, first, min(step, count-first)) })
			bar.Set(done+p.a.bytes*int64(first)/int64(count), total)
		}
		done += p.a.bytes
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// strip compares n rows of two GGUF files' tensor.
func (c *comparison) strip(p *tensorPair, first, n int) error {
	a, b := memory.Get().(*stripMemory), memory.Get().(*stripMemory)
	defer memory.Put(a)
	defer memory.Put(b)
	x, err := a.read(c.a.file, p.name, first, n)
	if err != nil {
		return fmt.Errorf("%s: %w", c.a.path, err)
	}
	y, err := b.read(c.b.file, p.name, first, n)
	if err != nil {
		return fmt.Errorf("%s: %w", c.b.path, err)
	}
	p.add(first, x, y)
	return nil
}

// stripMemory is the memory for one strip. It is used again: what is thrown away would double the program's size before it is collected.
type stripMemory struct {
	raw    []byte
	values []float32
}

var memory = sync.Pool{New: func() any { return &stripMemory{} }}

// read decodes n rows of a GGUF file's tensor. They are valid until the next call.
func (m *stripMemory) read(f *gguf.File, name string, first, n int) (rows, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return rows{}, fmt.Errorf("%s is missing", name)
	}
	cols := lastAxis(t.Shape)
	size := t.Type.RowBytes(cols)
	m.raw = slices.Grow(m.raw[:0], n*int(size))[:n*int(size)]
	m.values = slices.Grow(m.values[:0], n*cols)[:n*cols]
	if _, err := f.Data(t).ReadAt(m.raw, int64(first)*size); err != nil {
		return rows{}, fmt.Errorf("%s: %w", name, err)
	}
	return rows{m.values, cols}, quant.Decode(t.Type, m.values, m.raw)
}

// readArchives compares the arrays of two archives, one after the other.
func (c *comparison) readArchives(ctx context.Context, bar *progress.Bar) error {
	var total, done int64
	for _, p := range c.pairs {
		total += p.a.bytes
	}
	for _, p := range c.pairs {
		if err := c.streams(ctx, p, func(share float64) { bar.Set(done+int64(share*float64(p.a.bytes)), total) }); err != nil {
			return err
		}
		done += p.a.bytes
	}
	return nil
}

// streams compares an array of two archives from its first element to its last, and tells progress which share of it has been read.
func (c *comparison) streams(ctx context.Context, p *tensorPair, progress func(share float64)) error {
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
	for from, n := 0, a.Len(); from < n; from += stripValues {
		x, err := a.next(min(stripValues, n-from))
		if err != nil {
			return err
		}
		y, err := b.next(len(x))
		if err != nil {
			return err
		}
		p.add(from, rows{x, len(x)}, rows{y, len(x)})
		progress(float64(from+len(x)) / float64(n))
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
	path string
}

func openFloats(l *listing, name string) (*floatReader, error) {
	t, ok := l.archive.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%s: %s is missing", l.path, plain(name))
	}
	r, err := t.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	return &floatReader{t, r, l.path}, nil
}

// next returns the next n elements.
func (r *floatReader) next(n int) ([]float32, error) {
	raw := make([]byte, n*r.DType.Size())
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	out := make([]float32, n)
	tensor.ToFloat32(out, raw, r.DType)
	return out, nil
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
