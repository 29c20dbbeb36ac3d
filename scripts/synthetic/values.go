package main

// This file: an array's numbers.

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/tensor"
)

// blockLength is how many numbers are drawn for an array; a larger one repeats them. It is odd, so
// that every row of a matrix starts elsewhere in the block and no two neighbouring rows are equal.
const blockLength = 1<<20 + 7

// inputs lists, for each weight, the axes over which an output is summed: their product is the
// fan-in. big_vision: models/vit.py, models/ppp/gemma.py. The two tables, of tokens and of
// positions, are scaled by the length of a row.
var inputs = []struct {
	suffix string
	axes   []int
}{
	{"img/embedding/kernel", []int{0, 1, 2}},
	{"img/pos_embedding", []int{2}},
	{"img/head/kernel", []int{0}},
	{"/out/kernel", []int{1, 2}},
	{"/Dense_0/kernel", []int{1}},
	{"/Dense_1/kernel", []int{1}},
	{"/query/kernel", []int{1}},
	{"/key/kernel", []int{1}},
	{"/value/kernel", []int{1}},
	{"/input_embedding", []int{1}},
	{"/q_einsum/w", []int{2}},
	{"/kv_einsum/w", []int{3}},
	{"/attn_vec_einsum/w", []int{1, 2}},
	{"/gating_einsum", []int{2}},
	{"/mlp/linear", []int{1}},
}

// deviation returns the standard deviation of an array's numbers: fan-in^-0.5 of a weight, so that
// activations neither grow nor vanish from layer to layer; of a bias or a norm's scale, what
// tinymodel says.
func deviation(f tinymodel.Form) float64 {
	for _, w := range inputs {
		if strings.HasSuffix(f.Name, w.suffix) {
			fan := 1
			for _, axis := range w.axes {
				fan *= f.Shape[axis]
			}
			return 1 / math.Sqrt(float64(fan))
		}
	}
	return f.Deviation
}

// values gives an array's bytes: its block, again and again.
type values struct {
	block []byte
	at    int
}

// newValues draws an array's block. It depends on the seed and the array's name, shape and type.
func newValues(f tinymodel.Form, d tensor.DType, seed uint64) *values {
	n := 1
	for _, size := range f.Shape {
		n = min(n*size, blockLength)
	}
	name := fnv.New64a()
	name.Write([]byte(f.Name))
	r := rand.New(rand.NewPCG(seed, name.Sum64()))
	spread := deviation(f)
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(f.Mean + spread*r.NormFloat64())
	}
	x := &values{block: make([]byte, n*d.Size())}
	tensor.FromFloat32(x.block, v, d)
	return x
}

// fill writes the next bytes to the whole of b and returns their number.
func (v *values) fill(b []byte) int {
	for done := 0; done < len(b); {
		n := copy(b[done:], v.block[v.at:])
		done += n
		v.at = (v.at + n) % len(v.block)
	}
	return len(b)
}
