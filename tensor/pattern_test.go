package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// arrangement is a random pattern and a shape for it.
type arrangement struct {
	left  []string
	right [][]string
	shape []int
}

func (a arrangement) String() string {
	var groups []string
	for _, g := range a.right {
		if s := strings.Join(g, " "); len(g) == 1 {
			groups = append(groups, s)
		} else {
			groups = append(groups, "("+s+")")
		}
	}
	return strings.Join(a.left, " ") + " -> " + strings.Join(groups, " ")
}

// drawArrangement gives up to five axes, most of them short, one perhaps longer than a tile, some
// replaced by an index.
func drawArrangement(t *rapid.T) arrangement {
	var a arrangement
	var names []string
	for i := range rapid.IntRange(1, 5).Draw(t, "axes") {
		size := rapid.IntRange(1, 6).Draw(t, "size")
		if i == 1 {
			size = rapid.SampledFrom([]int{1, 3, tile - 1, tile, tile + 1, 2*tile + 5}).Draw(t, "long")
		}
		name := string(rune('a' + i))
		if rapid.IntRange(0, 5).Draw(t, "index?") == 0 {
			name = strconv.Itoa(rapid.IntRange(0, size-1).Draw(t, "index"))
		} else {
			names = append(names, name)
		}
		a.left, a.shape = append(a.left, name), append(a.shape, size)
	}
	for _, name := range rapid.Permutation(names).Draw(t, "order") {
		if n := len(a.right); n > 0 && rapid.Bool().Draw(t, "merge") {
			a.right[n-1] = append(a.right[n-1], name)
		} else {
			a.right = append(a.right, []string{name})
		}
	}
	return a
}

// naive rearranges by the meaning of the pattern: for each place in the result, where each axis
// stands, and from that the place in the source.
func naive(a arrangement, src []float32) (shape []int, out []float32) {
	size := map[string]int{}
	for i, name := range a.left {
		size[name] = a.shape[i]
	}
	var order []string
	for _, g := range a.right {
		n := 1
		for _, name := range g {
			n *= size[name]
		}
		shape = append(shape, n)
		order = append(order, g...)
	}
	place := map[string]int{}
	var walk func(axes []string)
	walk = func(axes []string) {
		if len(axes) > 0 {
			for place[axes[0]] = 0; place[axes[0]] < size[axes[0]]; place[axes[0]]++ {
				walk(axes[1:])
			}
			return
		}
		at := 0
		for i, name := range a.left {
			n, err := strconv.Atoi(name)
			if err != nil {
				n = place[name]
			}
			at = at*a.shape[i] + n
		}
		out = append(out, src[at])
	}
	walk(order)
	return shape, out
}

// rearrange is the code under test, all rows at once.
func rearrange(t *rapid.T, pattern string, shape []int, src []byte, d DType) (Gather, []float32) {
	m, err := ParsePattern(pattern).Gather(shape)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(m.RowAt)*len(m.ColAt))
	m.Rows(out, src, d, 0, len(m.RowAt))
	return m, out
}

// source fills a shape with bits that differ from element to element, and widens them.
func source(shape []int, d DType) ([]byte, []float32) {
	n := Tensor{Shape: shape}.Len()
	raw := make([]byte, n*d.Size())
	for i := range n {
		if d == F32 {
			binary.LittleEndian.PutUint32(raw[4*i:], uint32(i)*2654435761)
		} else {
			binary.LittleEndian.PutUint16(raw[2*i:], uint16(i*40503))
		}
	}
	v := make([]float32, n)
	ToFloat32(v, raw, d)
	return raw, v
}

// equalBits compares floats as bits, so that a NaN equals itself.
func equalBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestRearrange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrangement(t)
		d := rapid.SampledFrom([]DType{F32, F16, BF16}).Draw(t, "type")
		raw, v := source(a.shape, d)
		shape, want := naive(a, v)
		m, got := rearrange(t, a.String(), a.shape, raw, d)
		if !slices.Equal(m.Shape, shape) || !equalBits(got, want) {
			t.Fatalf("%s of %v: have shape %v, want %v, elements equal: %v", a, a.shape, m.Shape, shape,
				equalBits(got, want))
		}
		from := rapid.IntRange(0, len(m.RowAt)).Draw(t, "from")
		to := rapid.IntRange(from, len(m.RowAt)).Draw(t, "to")
		some := make([]float32, (to-from)*len(m.ColAt))
		m.Rows(some, raw, d, from, to)
		if !equalBits(some, want[from*len(m.ColAt):to*len(m.ColAt)]) {
			t.Fatalf("%s of %v: rows %d to %d differ from the same rows of the whole", a, a.shape, from, to)
		}
	})
}

// TestInverse rearranges and back again. Brackets change no element's place, so the way back names
// the merged axes apart.
func TestInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrangement(t)
		for i := range a.left { // an index drops elements: make it an axis
			if name := string(rune('a' + i)); a.left[i] != name {
				a.left[i] = name
				a.right = append(a.right, []string{name})
			}
		}
		raw, want := source(a.shape, F32)
		_, there := rearrange(t, a.String(), a.shape, raw, F32)
		back := slices.Concat(a.right...)
		shape := make([]int, len(back))
		for i, name := range back {
			shape[i] = a.shape[slices.Index(a.left, name)]
		}
		raw = make([]byte, 4*len(there))
		FromFloat32(raw, there, F32)
		if _, got := rearrange(t, fmt.Sprint(strings.Join(back, " "), " -> ", strings.Join(a.left, " ")), shape, raw,
			F32); !equalBits(got, want) {
			t.Fatalf("%s of %v: not the same after the way back", a, a.shape)
		}
	})
}

// TestConverterPatterns checks results worked out by hand for patterns of the converter's tables.
func TestConverterPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		shape   []int
		want    string // of elements 0, 1, 2 ...
	}{
		{"i o -> o i", []int{2, 3}, "[3 2] [0 3 1 4 2 5]"},
		{"n d h -> (n h) d", []int{2, 2, 2}, "[4 2] [0 2 1 3 4 6 5 7]"},
		{"1 d h -> h d", []int{2, 2, 2}, "[2 2] [4 6 5 7]"},
		{"h w c d -> d c h w", []int{1, 2, 2, 2}, "[2 2 1 2] [0 4 2 6 1 5 3 7]"},
		{"0 t d -> t d", []int{1, 2, 2}, "[2 2] [0 1 2 3]"},
		{"2 d -> d", []int{3, 2}, "[2] [4 5]"},
		{"d -> () d", []int{2}, "[1 2] [0 1]"},
		{"a b -> b a", []int{0, 3}, "[3 0] []"},
		{"a b -> b a", []int{3, 0}, "[0 3] []"},
		{"1 ->", []int{3}, "[] [1]"},
	} {
		m, err := ParsePattern(c.pattern).Gather(c.shape)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, Tensor{Shape: c.shape}.Len())
		for i := range v {
			v[i] = float32(i)
		}
		raw := make([]byte, 4*len(v))
		FromFloat32(raw, v, F32)
		out := make([]float32, len(m.RowAt)*len(m.ColAt))
		m.Rows(out, raw, F32, 0, len(m.RowAt))
		if got := fmt.Sprint(m.Shape, out); got != c.want {
			t.Errorf("%s of %v: have %s, want %s", c.pattern, c.shape, got, c.want)
		}
	}
}

func TestGatherRefuses(t *testing.T) {
	for _, c := range []struct {
		pattern string
		shape   []int
		want    string
	}{
		{"a b -> b a", []int{2}, "tensor: 1 axes, want 2 (a b)"},
		{"a b -> b a", []int{2, 2, 2}, "tensor: 3 axes, want 2 (a b)"},
		{"a -> a", nil, "tensor: 0 axes, want 1 (a)"},
		{"2 a -> a", []int{2, 5}, "tensor: index 2 on an axis of 2"},
		{"0 a -> a", []int{0, 5}, "tensor: index 0 on an axis of 0"},
	} {
		if _, err := ParsePattern(c.pattern).Gather(c.shape); err == nil || err.Error() != c.want {
			t.Errorf("%s of %v: have %v, want %s", c.pattern, c.shape, err, c.want)
		}
	}
}

func TestParsePatternPanics(t *testing.T) {
	for _, s := range []string{"a b", "a b -> a", "a -> a b", "a b -> a a", "a a -> a", "a -> a a", "a b -> (a b",
		"a b -> a c", "a a a ->", "a a -> a a"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was accepted", s)
				}
			}()
			ParsePattern(s)
		}()
	}
}

// BenchmarkRows transposes the model's largest kind of matrix, [2048,16384], as the converter does:
// some hundred rows at a time.
func BenchmarkRows(b *testing.B) {
	for _, d := range []DType{F32, F16, BF16} {
		for _, pattern := range []string{"i o -> o i", "i o -> i o"} {
			b.Run(d.String()+" "+pattern, func(b *testing.B) {
				raw, _ := source([]int{2048, 16384}, d)
				for i := 1; i < len(raw); i += 2 {
					raw[i] = raw[i]&0x83 | 0x38 // numbers near 1, not NaN
				}
				m, err := ParsePattern(pattern).Gather([]int{2048, 16384})
				if err != nil {
					b.Fatal(err)
				}
				const rows = 256
				dst := make([]float32, rows*len(m.ColAt))
				b.SetBytes(int64(len(raw)))
				for b.Loop() {
					for from := 0; from < len(m.RowAt); from += rows {
						m.Rows(dst, raw, d, from, from+rows)
					}
				}
			})
		}
	}
}
