// Package quant turns floats into ggml's blocks and back, and decides which tensor of a file gets
// which type.
//
//	"q4_k_m" ──recipe.go──▶ a type for each kind of tensor and layer ──plan.go──▶ a file's types
//	floats ──quant.go──▶ ggml's blocks, or the value that they cannot hold
//
// Before it: rows of 32-bit floats from package convert. After it: the bytes of a GGUF tensor. Both
// ways are ggml's own functions, so that a file written here is what llama.cpp itself would have
// written.
package quant

import (
	"fmt"
	"slices"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

// matrixTypes lists the types that a matrix can be stored in.
var matrixTypes = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q6_K, gguf.Q5_K, gguf.Q5_1, gguf.Q5_0,
	gguf.Q4_K, gguf.Q4_1, gguf.Q4_0, gguf.IQ4_NL, gguf.IQ4_XS, gguf.Q3_K}

// floats gives the name that package tensor has for a type whose elements stand alone.
var floats = map[gguf.Type]tensor.DType{gguf.F32: tensor.F32, gguf.F16: tensor.F16, gguf.BF16: tensor.BF16}

// limit returns the smallest magnitude that a type may turn into an infinity. A block's scale is a
// half. It is the block's largest magnitude over a fixed number in types that do not search for the
// best scale; of the others, a search may leave the block's range, but not by much.
func limit(t gguf.Type, weighted bool) float32 {
	if d, ok := floats[t]; ok {
		return d.Limit()
	}
	half := tensor.F16.Limit()
	switch {
	case t == gguf.Q8_0: // does not look at weights
		return 127 * half
	case t == gguf.Q5_0 && !weighted:
		return 16 * half
	case t == gguf.Q4_0 && !weighted:
		return 8 * half
	}
	return half / 2
}

// maxWeight bounds an importance weight, so that no sum of an encoder leaves the range of a float.
const maxWeight = 1e12

// Encode stores src, some rows of the matrix t, in t's type at dst: a Plan is a convert.Encoder.
// overflow is as for the function Encode.
func (p *Plan) Encode(t gguf.Tensor, dst []byte, src []float32) (overflow int, err error) {
	return Encode(t.Type, dst, src, t.Shape[len(t.Shape)-1], p.weights[t.Name])
}

// Encode writes src, rows of cols floats, to dst in t, a type that a matrix can have (F32 to Q3_K).
// weights is nil, or the importance of each column: block types round so that the weighted squares
// of the errors are least; a block whose weights are all 0 is treated as unweighted. overflow is
// the position of the first value that is not a number, or too large for the type, and -1 if there
// is none; where there is one, dst is not written. Encode fails where cols is not a multiple of the
// block, and on weights that are too few, negative or above 1e12. It is safe for concurrent use.
func Encode(t gguf.Type, dst []byte, src []float32, cols int, weights []float32) (overflow int, err error) {
	elements, _ := t.Block()
	if elements == 0 || cols%elements != 0 || len(src)%cols != 0 {
		return -1, fmt.Errorf("quant: %v: %d floats in rows of %d do not fill blocks of %d", t, len(src), cols,
			elements)
	}
	if err := checkWeights(weights, cols); err != nil {
		return -1, err
	}
	if i := tensor.IndexOverflow(src, limit(t, weights != nil)); i >= 0 {
		return i, nil
	}
	if d, ok := floats[t]; ok {
		tensor.FromFloat32(dst, src, d)
	} else {
		ggml.Quantize(ggml.Type(t), dst, clearTinyBlocks(src, elements), cols, fillZeroBlocks(weights, elements))
	}
	return -1, nil
}

// smallest is a magnitude below which a block's values are all stored as 0, since its scale is a half.
// The inverse of the scale, which ggml multiplies with and turns into an integer, is a float from
// here on; of smaller values it may be infinite, which processors turn into different integers.
const smallest = 0x1p-90

// clearTinyBlocks returns src with 0 for the blocks of elements values that are all below smallest.
func clearTinyBlocks(src []float32, elements int) []float32 {
	out := src
	for at := 0; at < len(src); at += elements {
		block, zeros := src[at:at+elements], true
		for _, v := range block {
			if !(v > -smallest && v < smallest) {
				zeros = false
				break
			}
		}
		if !zeros || !slices.ContainsFunc(block, func(v float32) bool { return v != 0 }) {
			continue
		}
		if &out[0] == &src[0] {
			out = slices.Clone(src)
		}
		clear(out[at : at+elements])
	}
	return out
}

// fillZeroBlocks returns the weights with 1 for all columns of a block where every one is 0: there
// ggml would divide by their sum.
func fillZeroBlocks(weights []float32, elements int) []float32 {
	changed := false
	for at := 0; at < len(weights); at += elements {
		if slices.ContainsFunc(weights[at:at+elements], func(w float32) bool { return w > 0 }) {
			continue
		}
		if !changed {
			weights, changed = slices.Clone(weights), true
		}
		for i := range elements {
			weights[at+i] = 1
		}
	}
	return weights
}

func checkWeights(weights []float32, cols int) error {
	if weights != nil && len(weights) != cols {
		return fmt.Errorf("quant: %d weights for %d columns", len(weights), cols)
	}
	for i, w := range weights {
		if !(w >= 0 && w <= maxWeight) {
			return fmt.Errorf("quant: the weight of column %d is %g, want 0 to %g", i, w, float32(maxWeight))
		}
	}
	return nil
}

// Decode reads len(dst) elements of type t from src. It fails where len(dst) is not a multiple of
// t's block. It is safe for concurrent use.
func Decode(t gguf.Type, dst []float32, src []byte) error {
	elements, bytes := t.Block()
	if elements == 0 || len(dst)%elements != 0 || len(src) < len(dst)/elements*bytes {
		return fmt.Errorf("quant: %v: %d bytes are not %d elements", t, len(src), len(dst))
	}
	return ggml.Dequantize(ggml.Type(t), dst, src)
}
