package ggml

// This file: floats to blocks and back by ggml's own functions.

// #include "glue.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"
)

// Quantize calls ggml_quantize_chunk: it writes src, rows of cols floats, to dst as blocks of type
// t. weights is the importance of each column, or nil. Quantize panics where cols is not a multiple
// of the block, dst is too short, or weights has another length than cols. src must be finite. Safe
// for concurrent use.
func Quantize(t Type, dst []byte, src []float32, cols int, weights []float32) {
	if len(src) == 0 {
		return
	}
	rows := len(src) / cols
	if cols%t.BlockSize() != 0 || rows*cols != len(src) || len(dst) < rows*cols/t.BlockSize()*t.Size() ||
		weights != nil && len(weights) != cols {
		panic(fmt.Sprintf("ggml: Quantize: %d floats in rows of %d to %d bytes of %s with %d weights",
			len(src), cols, len(dst), t.Name(), len(weights)))
	}
	to := dst
	if !aligned(dst) {
		to = make([]byte, rows*cols/t.BlockSize()*t.Size())
		defer copy(dst, to)
	}
	C.ggml_quantize_chunk(C.uint(t), (*C.float)(unsafe.Pointer(&src[0])), unsafe.Pointer(&to[0]), 0,
		C.int64_t(rows), C.int64_t(cols), (*C.float)(unsafe.SliceData(weights)))
}

// aligned reports whether blocks may lie at b: C reads their halves, and the floats of some, as
// numbers in memory, which must not begin just anywhere.
func aligned(b []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%4 == 0 }

// Dequantize calls the to_float function of type t's traits: it reads len(dst) elements from src.
// F32 is copied. It fails where t has no such function, len(dst) is not a multiple of t's block, or
// src is too short. Safe for concurrent use.
func Dequantize(t Type, dst []float32, src []byte) error {
	if t >= TypeCount || t.BlockSize() == 0 {
		return fmt.Errorf("ggml: type %d does not exist", t)
	}
	if len(dst)%t.BlockSize() != 0 || len(src) < len(dst)/t.BlockSize()*t.Size() {
		return fmt.Errorf("ggml: %d bytes of %s are not %d elements", len(src), t.Name(), len(dst))
	}
	if len(dst) == 0 {
		return nil
	}
	if t == F32 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), src)
		return nil
	}
	if !aligned(src) {
		src = slices.Clone(src[:len(dst)/t.BlockSize()*t.Size()])
	}
	if !C.pali_to_float(C.uint(t), unsafe.Pointer(&src[0]), (*C.float)(unsafe.Pointer(&dst[0])), C.int64_t(len(dst))) {
		return fmt.Errorf("ggml: %s does not convert to floats", t.Name())
	}
	return nil
}
