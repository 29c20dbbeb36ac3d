package convert

// This file: what has to be done, in the order in which the source's bytes lie, and the
// result: both files, laid out.

import (
	"fmt"
	"io"
	"slices"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/tensor"
)

// spanBytes is the size a span is cut to where an array can be cut anywhere between two rows, as
// the token table can.
const spanBytes = 8 << 20

// layout is the whole conversion.
type layout struct {
	jobs           []job // in the source's order
	text, vision   output
	paddedFFNWidth int // the vision MLP's stored width
}

// output is one file that is being made.
type output struct {
	encoder Encoder   // nil: the types are F32, and nothing is written
	targets []*target // in the file's order
	gguf    *gguf.Layout
	to      io.WriterAt
}

// target is one tensor of a file: rows x cols values come from the checkpoint, the rest of height x
// width is zero.
type target struct {
	out           *output
	flags         Flags
	tensor        gguf.Tensor // its Offset is set once the file is laid out
	rows, cols    int
	height, width int
}

// span is a run of an array's bytes that makes some rows of one tensor.
type span struct {
	target     *target
	gather     *tensor.Gather
	contiguous bool // gather keeps the order: rows follow each other without gaps
	first      int  // the span's first element, counted from the array's first
	bytes      int
	from       int // the target's row that the span's first row makes
	rows       int
}

// job is one array and its spans, which together are all of its bytes, in order.
type job struct {
	tensor tensor.Tensor
	spans  []span
}

// newLayout prepares the conversion of c to files of two encoders. Without them the types are F32,
// and nothing is padded.
func newLayout(c *checkpoint, text, vision Encoder) (*layout, error) {
	l := &layout{text: output{encoder: text}, vision: output{encoder: vision},
		paddedFFNWidth: c.visionConfig.FeedForwardLength}
	if vision != nil && vision.Blocks() {
		l.paddedFFNWidth = mmproj.PaddedWidth(l.paddedFFNWidth)
	}
	gathers := map[string]*tensor.Gather{} // by Mapping.To: the layers share one
	byName := map[string]*target{}         // the files have no name in common
	for _, a := range c.arrays {
		j := job{tensor: a.tensor}
		layers, per := 1, a.tensor.Len() // elements of one layer
		if a.mappings[0].layered() && a.layer < 0 {
			layers = a.tensor.Shape[0]
			per /= layers
		}
		out := &l.text
		if a.half == c.vision {
			out = &l.vision
		}
		for layer := range layers {
			for i, m := range a.mappings {
				gather := gathers[m.To]
				if gather == nil {
					var err error
					if gather, err = a.half.gather(m); err != nil {
						return nil, err
					}
					gathers[m.To] = gather
				}
				t := l.newTarget(out, m, m.name(max(a.layer, layer)), gather)
				byName[t.tensor.Name] = t
				n := per / len(a.mappings)
				j.spans = append(j.spans, splitSpans(t, gather, layer*per+i*n, n, a)...)
			}
		}
		l.jobs = append(l.jobs, j)
	}
	if err := l.text.choose(gemma.Tensors(c.textConfig), byName); err != nil {
		return nil, err
	}
	return l, l.vision.choose(mmproj.Tensors(c.visionConfig), byName)
}

// choose orders the targets as the file has them, and has the encoder choose their types.
func (o *output) choose(order []gguf.Tensor, byName map[string]*target) error {
	for _, want := range order {
		t := byName[want.Name]
		if t == nil {
			return fmt.Errorf("convert: the schema has no array for %s", want.Name)
		}
		o.targets = append(o.targets, t)
	}
	if o.encoder == nil {
		return nil
	}
	tensors := o.tensors()
	if err := o.encoder.Choose(tensors); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	for i, t := range o.targets {
		t.tensor.Type = tensors[i].Type
	}
	return nil
}

// tensors returns the tensors of the file, in the file's order.
func (o *output) tensors() []gguf.Tensor {
	var out []gguf.Tensor
	for _, t := range o.targets {
		out = append(out, t.tensor)
	}
	return out
}

// gather prepares the rearrangement of the array of m for one layer.
func (h *half) gather(m Mapping) (*tensor.Gather, error) {
	pattern, _ := m.inner()
	shape := make([]int, len(pattern.Left))
	for i, letter := range pattern.Left {
		shape[i] = h.sizes[letter]
	}
	gather, err := pattern.Gather(shape)
	return &gather, err
}

// newTarget prepares the tensor that a mapping makes of one layer. Its type is left open.
func (l *layout) newTarget(out *output, m Mapping, name string, gather *tensor.Gather) *target {
	t := &target{out: out, flags: m.Flags, rows: len(gather.RowAt), cols: len(gather.ColAt)}
	t.tensor = gguf.Tensor{Name: name, Shape: slices.Clone(gather.Shape)}
	if axis := mmproj.PaddedAxis(name); axis >= 0 {
		t.tensor.Shape[axis] = l.paddedFFNWidth
	}
	t.width = t.tensor.Shape[len(t.tensor.Shape)-1]
	t.height = int(t.tensor.Len()) / t.width
	return t
}

// splitSpans divides the n elements of array a from element first on, which gather turns into t,
// into spans. Only a gather that leaves every element where it is can be split.
func splitSpans(t *target, gather *tensor.Gather, first, n int, a array) []span {
	size := a.tensor.DType.Size()
	whole := span{target: t, gather: gather, first: first, bytes: n * size, rows: t.height,
		contiguous: keepsOrder(gather)}
	rowBytes := t.cols * size
	if !whole.contiguous || t.height != t.rows || whole.bytes <= spanBytes {
		return []span{whole}
	}
	var out []span
	step := max(1, spanBytes/rowBytes)
	for from := 0; from < t.rows; from += step {
		rows := min(step, t.rows-from)
		out = append(out, span{target: t, gather: gather, first: first + from*t.cols, bytes: rows * rowBytes,
			from: from,
			rows: rows, contiguous: true})
	}
	return out
}

// keepsOrder reports whether m leaves every element where it is.
func keepsOrder(m *tensor.Gather) bool {
	cols := len(m.ColAt)
	for r, at := range m.RowAt {
		if at != r*cols {
			return false
		}
	}
	for c, at := range m.ColAt {
		if at != c {
			return false
		}
	}
	return true
}

// layOut makes the two files' headers and sets every target's place in its file.
func (l *layout) layOut(c *checkpoint, name string, pieces []sentencepiece.Piece) error {
	if err := l.text.layOut(textKVs(c, name, l.text.encoder.FileType(), pieces)); err != nil {
		return err
	}
	return l.vision.layOut(visionKVs(c, name, l.vision.encoder.FileType(), l.paddedFFNWidth))
}

func (o *output) layOut(kvs []gguf.KV) error {
	var err error
	if o.gguf, err = gguf.NewLayout(append(kvs, o.encoder.Keys()...), o.tensors()); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	for i, t := range o.targets {
		t.tensor.Offset = o.gguf.Tensors[i].Offset
	}
	return nil
}

// types counts the tensors of each type.
func (o *output) types() map[gguf.Type]int {
	n := map[gguf.Type]int{}
	for _, t := range o.targets {
		n[t.tensor.Type]++
	}
	return n
}

// largest returns the size of the largest span in bytes.
func (l *layout) largest() int {
	n := 1
	for _, j := range l.jobs {
		for _, s := range j.spans {
			n = max(n, s.bytes)
		}
	}
	return n
}

// bytes returns the size of all arrays.
func (l *layout) bytes() (n int64) {
	for _, j := range l.jobs {
		n += j.tensor.Bytes()
	}
	return n
}
