// Package quant turns floats into ggml's blocks and back.
//
// Before it: rows of 32-bit floats from package convert. After it: the bytes of a GGUF tensor. Both ways are ggml's own functions, so that a file
// written here is what llama.cpp itself would have written.
package quant

import (
	"fmt"
	"math"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
)

// Encode writes src, rows of cols floats, to dst as blocks of type t. It has the form of convert.Encoder.
// It fails on a NaN or an infinity, and where cols is no multiple of t's block. Safe for concurrent use.
func Encode(t gguf.Type, dst []byte, src []float32, cols int) error {
	elements, _ := t.Block()
	if elements == 0 || cols%elements != 0 || len(src)%cols != 0 {
		return fmt.Errorf("quant: %v: %d floats in rows of %d do not fill blocks of %d", t, len(src), cols, elements)
	}
	for i, v := range src {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("quant: element %d is %v", i, v)
		}
	}
	ggml.Quantize(ggml.Type(t), dst, src, cols)
	return nil
}

// Decode reads len(dst) elements of type t from src. It fails where len(dst) is no multiple of t's block. Safe for concurrent use.
func Decode(t gguf.Type, dst []float32, src []byte) error {
	elements, bytes := t.Block()
	if elements == 0 || len(dst)%elements != 0 || len(src) < len(dst)/elements*bytes {
		return fmt.Errorf("quant: %v: %d bytes are not %d elements", t, len(src), len(dst))
	}
	ggml.Dequantize(ggml.Type(t), dst, src)
	return nil
}
