package tensor

// This file: rearranging axes by letters, "l n d h -> l (n h) d", as big_vision's own source writes
// it, into rows of a matrix.

import (
	"fmt"
	"slices"
	"strings"
)

// Pattern is a parsed rearrangement. On the left stands one name for each axis of the source, or a
// number: the index taken on that axis. On the right the same names in the result's order; brackets
// merge axes into one.
type Pattern struct {
	Left  []string   // "l", "1", "d", "f"
	Right [][]string // one group for each axis of the result
}

// ParsePattern reads the pattern s. It panics on a malformed one: patterns are written in this
// program, not read from files.
func ParsePattern(s string) Pattern {
	left, right, ok := strings.Cut(s, "->")
	if !ok {
		panic("tensor: pattern without ->: " + s)
	}
	p := Pattern{Left: strings.Fields(left)}
	open := false
	for _, f := range strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(right)) {
		switch {
		case f == "(":
			open = true
			p.Right = append(p.Right, nil)
		case f == ")":
			open = false
		case open:
			p.Right[len(p.Right)-1] = append(p.Right[len(p.Right)-1], f)
		default:
			p.Right = append(p.Right, []string{f})
		}
	}
	if open || !sameAxes(p) {
		panic("tensor: the two sides do not hold the same axes, each once: " + s)
	}
	return p
}

// sameAxes reports whether each name of p stands once on the left and once on the right.
func sameAxes(p Pattern) bool {
	var left []string
	for _, a := range p.Left {
		if !isIndex(a) {
			left = append(left, a)
		}
	}
	right := slices.Concat(p.Right...)
	slices.Sort(left)
	slices.Sort(right)
	return slices.Equal(left, right) && len(slices.Compact(left)) == len(right)
}

func isIndex(axis string) bool { return axis[0] >= '0' && axis[0] <= '9' }

// Gather is a rearrangement of one source array of known shape into a matrix of Rows x Cols: the
// element at row r and column c of the result is the source's element RowAt[r] + ColAt[c]. The
// columns are the result's last axis, the rows all others.
type Gather struct {
	Shape        []int // of the result
	RowAt, ColAt []int
}

// Gather prepares p for a source of the given shape. It fails where shape does not fit the pattern.
func (p Pattern) Gather(shape []int) (Gather, error) {
	if len(shape) != len(p.Left) {
		return Gather{}, fmt.Errorf("tensor: %d axes, want %d (%s)", len(shape), len(p.Left), strings.Join(p.Left, " "))
	}
	size, stride := map[string]int{}, map[string]int{}
	base, step := 0, 1
	for i := len(shape) - 1; i >= 0; i-- {
		if a := p.Left[i]; isIndex(a) {
			n := 0
			fmt.Sscan(a, &n)
			if n >= shape[i] {
				return Gather{}, fmt.Errorf("tensor: index %d on an axis of %d", n, shape[i])
			}
			base += n * step
		} else {
			size[a], stride[a] = shape[i], step
		}
		step *= shape[i]
	}
	m := Gather{RowAt: []int{base}, ColAt: []int{0}}
	for i, group := range p.Right {
		n := 1
		for _, a := range group {
			n *= size[a]
			if i < len(p.Right)-1 {
				m.RowAt = offsets(m.RowAt, size[a], stride[a])
			} else {
				m.ColAt = offsets(m.ColAt, size[a], stride[a])
			}
		}
		m.Shape = append(m.Shape, n)
	}
	return m, nil
}

// offsets returns at[i] + j*stride for every i and, varying faster, every j below n.
func offsets(at []int, n, stride int) []int {
	out := make([]int, 0, len(at)*n)
	for _, a := range at {
		for j := range n {
			out = append(out, a+j*stride)
		}
	}
	return out
}

// tile is the side of the square that Rows transposes at a time: 16 KiB of floats, which fit a
// processor's first-level cache.
const tile = 64

// Rows writes rows [from, to) of the result, converted to 32-bit floats, to dst [to-from, columns].
// src is the whole source, of type d.
func (m Gather) Rows(dst []float32, src []byte, d DType, from, to int) {
	cols, size := len(m.ColAt), d.Size()
	if cols == 0 {
		return
	}
	width := run(m.ColAt)
	for from < to {
		rows := m.RowAt[from:min(from+tile, to)]
		if n := run(rows); n > width {
			rows = rows[:n]
			m.transpose(dst, src[rows[0]*size:], d, n)
		} else {
			rows = rows[:1]
			// every run of columns is as long as the first, or continues into the next
			for c := 0; c < cols; c += width {
				ToFloat32(dst[c:c+width], src[(rows[0]+m.ColAt[c])*size:], d)
			}
		}
		from += len(rows)
		dst = dst[len(rows)*cols:]
	}
}

// transpose writes n rows (at most tile) that are adjacent in the source to dst, where src begins
// at the first one's base. Their columns are not adjacent, so each run of n neighbours is converted
// into a tile that is then read across.
func (m Gather) transpose(dst []float32, src []byte, d DType, n int) {
	var buf [tile * tile]float32
	size, cols := d.Size(), len(m.ColAt)
	for from := 0; from < cols; from += tile {
		at := m.ColAt[from:min(from+tile, cols)]
		for j, a := range at {
			ToFloat32(buf[j*n:j*n+n], src[a*size:], d)
		}
		for i := range n {
			k := i
			for j := range dst[i*cols+from : i*cols+from+len(at)] {
				dst[i*cols+from+j] = buf[k]
				k += n
			}
		}
	}
}

// run returns the number of first offsets in at that increase by one.
func run(at []int) int {
	n := 1
	for n < len(at) && at[n] == at[0]+n {
		n++
	}
	return n
}
