package convert

// This file: what has to be done, in the order in which the archive's bytes lie.
// Before it: the checked arrays and the policies. After it: run.go opens the files, pipeline.go does the work.

import (
	"fmt"
	"slices"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/tensor"
)

// cutBytes is the size a piece is cut to where an array can be cut anywhere between two rows, as the token table can.
const cutBytes = 8 << 20

// target is one tensor of one file: rows x cols values come from the checkpoint, the rest of height x width is zero.
type target struct {
	file          int
	row           Mapping
	tensor        gguf.Tensor // its Offset is set once the file is laid out
	rows, cols    int
	height, width int
}

// piece is a run of an array's bytes that makes some rows of one tensor.
type piece struct {
	target *target
	move   *tensor.Gather
	plain  bool // the move keeps the order: rows follow each other without gaps
	first  int  // the piece's first element, counted from the array's first
	bytes  int
	from   int // the target's row that the piece's first row makes
	rows   int
}

// job is one array and its pieces, which together are all of its bytes, in order.
type job struct {
	tensor tensor.Tensor
	pieces []piece
}

// plan is the whole conversion.
type plan struct {
	jobs    []job        // in the archive's order
	targets [2][]*target // of each file, in the file's order
	hidden  int          // the vision MLP's stored width
	layouts [2]*gguf.Layout
}

// newPlan prepares the conversion of c to files of the two policies. Without them the types are F32, and nothing is padded.
func newPlan(c *checkpoint, policies [2]Encoder) (*plan, error) {
	p := &plan{hidden: c.vision.FeedForwardLength}
	if o := policies[visionFile]; o != nil && o.Blocks() {
		p.hidden = mmproj.PaddedWidth(p.hidden)
	}
	byName := [2]map[string]*target{{}, {}}
	moves := map[string]*tensor.Gather{} // by Row.To: the layers share one
	for _, a := range c.arrays {
		j := job{tensor: a.tensor}
		layers, per := 1, a.tensor.Len() // elements of one layer
		if a.rows[0].layered() && a.layer < 0 {
			layers = a.tensor.Shape[0]
			per /= layers
		}
		for l := range layers {
			for i, row := range a.rows {
				m := moves[row.To]
				if m == nil {
					var err error
					if m, err = c.move(a.file, row); err != nil {
						return nil, err
					}
					moves[row.To] = m
				}
				t := p.newTarget(a.file, row, row.name(max(a.layer, l)), m)
				byName[a.file][t.tensor.Name] = t
				n := per / len(a.rows)
				j.pieces = append(j.pieces, cut(t, m, l*per+i*n, n, a)...)
			}
		}
		p.jobs = append(p.jobs, j)
	}
	for file := range towers {
		for _, name := range c.names(file) {
			p.targets[file] = append(p.targets[file], byName[file][name])
		}
		if policies[file] == nil {
			continue
		}
		tensors := p.tensors(file)
		if err := policies[file].Choose(tensors); err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		for i, t := range p.targets[file] {
			t.tensor.Type = tensors[i].Type
		}
	}
	return p, nil
}

// tensors returns the tensors of a file, in the file's order.
func (p *plan) tensors(file int) []gguf.Tensor {
	var out []gguf.Tensor
	for _, t := range p.targets[file] {
		out = append(out, t.tensor)
	}
	return out
}

// move prepares the rearrangement of a row for one layer.
func (c *checkpoint) move(file int, row Mapping) (*tensor.Gather, error) {
	pattern, _ := row.inner()
	shape := make([]int, len(pattern.Left))
	for i, letter := range pattern.Left {
		shape[i] = c.sizes[file][letter]
	}
	m, err := pattern.Move(shape)
	return &m, err
}

// newTarget prepares the tensor that a row makes of one layer. Its type is left open.
func (p *plan) newTarget(file int, row Mapping, name string, m *tensor.Gather) *target {
	t := &target{file: file, row: row, rows: len(m.RowAt), cols: len(m.ColAt)}
	t.tensor = gguf.Tensor{Name: name, Shape: slices.Clone(m.Shape)}
	if pattern, _ := row.inner(); file == visionFile {
		for i, group := range pattern.Right {
			if slices.Equal(group, []string{"f"}) {
				t.tensor.Shape[i] = p.hidden
			}
		}
	}
	t.width = t.tensor.Shape[len(t.tensor.Shape)-1]
	t.height = int(t.tensor.Len()) / t.width
	return t
}

// cut divides the n elements of array a from element first on, which make t by the move m, into pieces. Only a move that keeps the
// array's outermost axis outermost can be cut.
func cut(t *target, m *tensor.Gather, first, n int, a array) []piece {
	size := a.tensor.DType.Size()
	whole := piece{target: t, move: m, first: first, bytes: n * size, rows: t.height, plain: plain(m)}
	rowBytes := t.cols * size
	if !whole.plain || t.height != t.rows || whole.bytes <= cutBytes {
		return []piece{whole}
	}
	var out []piece
	step := max(1, cutBytes/rowBytes)
	for from := 0; from < t.rows; from += step {
		rows := min(step, t.rows-from)
		out = append(out, piece{target: t, move: m, first: first + from*t.cols, bytes: rows * rowBytes, from: from, rows: rows, plain: true})
	}
	return out
}

// plain reports whether a move leaves every element where it is.
func plain(m *tensor.Gather) bool {
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

// names lists a file's tensors in the file's order: the table's order, with the layered rows once for each layer.
func (c *checkpoint) names(file int) []string {
	var before, after []string
	var layered []Mapping
	for _, row := range towers[file].rows {
		switch {
		case row.Mark&OnlyGemma2 != 0 && !c.gemma2:
		case row.layered():
			layered = append(layered, row)
		case layered == nil:
			before = append(before, row.To)
		default:
			after = append(after, row.To)
		}
	}
	for l := range c.sizes[file]["l"] {
		for _, row := range layered {
			before = append(before, row.name(l))
		}
	}
	return append(before, after...)
}

// largest returns the size of the largest piece in bytes.
func (p *plan) largest() int {
	n := 1
	for _, j := range p.jobs {
		for _, piece := range j.pieces {
			n = max(n, piece.bytes)
		}
	}
	return n
}

// bytes returns the size of all arrays.
func (p *plan) bytes() (n int64) {
	for _, j := range p.jobs {
		n += j.tensor.Bytes()
	}
	return n
}
