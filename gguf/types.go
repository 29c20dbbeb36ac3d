package gguf

// This file: the element types and the values a GGUF file can hold. The whole package uses these
// types.

import "fmt"

// Type is an element type, numbered as ggml does (ggml.h, enum ggml_type).
type Type uint32

// The types that this program reads or writes.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	IQ4_XS Type = 23
	I32    Type = 26
	F64    Type = 28
	BF16   Type = 30
)

// types gives, for every type ggml has a number for and a file may hold, its name and its block:
// the number of elements and of bytes. A test compares the table with ggml's own.
var types = map[Type]struct {
	name            string
	elements, bytes int
}{
	0: {"F32", 1, 4}, 1: {"F16", 1, 2}, 2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20},
	6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24}, 8: {"Q8_0", 32, 34},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144}, 13: {"Q5_K", 256, 176},
	14: {"Q6_K", 256, 210},
	20: {"IQ4_NL", 32, 18}, 23: {"IQ4_XS", 256, 136},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8}, 28: {"F64", 1, 8}, 30: {"BF16", 1, 2},
}

// Known reports whether the type is one this program can read.
func (t Type) Known() bool { _, ok := types[t]; return ok }

// Block returns how many elements share a block, and the block's size in bytes. It returns 0, 0 for
// an unknown type.
func (t Type) Block() (elements, bytes int) { b := types[t]; return b.elements, b.bytes }

// Blocked reports whether elements share blocks: then no type of package tensor holds them.
func (t Type) Blocked() bool { elements, _ := t.Block(); return elements > 1 }

// RowBytes returns the size of one row of n elements; n must be a multiple of the block.
func (t Type) RowBytes(n int) int64 {
	elements, bytes := t.Block()
	return int64(n/elements) * int64(bytes)
}

// String returns the type's name: "Q8_0".
func (t Type) String() string {
	if b, ok := types[t]; ok {
		return b.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// KV is one key and its value. Value is one of uint8, int8, uint16, int16, uint32, int32, uint64,
// int64, float32, float64, bool, string, or a slice of one of these.
type KV struct {
	Key   string
	Value any
}

// Tensor describes one tensor of a file.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int // NumPy order: the file's ne reversed
	Offset int64 // first byte, from the beginning of the file; set by Open and by NewLayout
}

// Len returns the number of elements.
func (t Tensor) Len() int64 {
	n := int64(1)
	for _, s := range t.Shape {
		n *= int64(s)
	}
	return n
}

// Bytes returns the size of the tensor's data, without padding.
func (t Tensor) Bytes() int64 {
	elements, bytes := t.Type.Block()
	return t.Len() / int64(elements) * int64(bytes)
}
