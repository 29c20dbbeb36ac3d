// Package tensor is a named array in NumPy order whose bytes are read on demand.
//
// Before it: a reader of files, which makes tensors, as package npz does. After it: code that reads
// them piece by piece, converts their elements to 32-bit floats and rearranges their axes by a
// pattern of letters.
package tensor

import (
	"fmt"
	"io"
)

// DType is the type of an array's elements. All are stored little endian.
type DType uint8

// The element types.
const (
	F32 DType = iota + 1
	F16
	BF16
	I32
)

// Size returns the bytes of one element.
func (d DType) Size() int {
	switch d {
	case F32, I32:
		return 4
	case F16, BF16:
		return 2
	}
	return 0
}

// String returns the type's name as GGUF spells it.
func (d DType) String() string {
	switch d {
	case F32:
		return "F32"
	case F16:
		return "F16"
	case BF16:
		return "BF16"
	case I32:
		return "I32"
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Tensor is a named array. None of it is in memory until it is opened.
type Tensor struct {
	Name  string
	DType DType
	Shape []int // NumPy order; empty for a scalar

	// Open returns the array's bytes from the first to the last, in C order. Reading to the end
	// checks whatever the file can check (a zip member's CRC-32), and fails if it does not hold.
	// Several readers may be open at once.
	Open func() (io.ReadCloser, error)
}

// Len returns the number of elements. The shape was checked when t was made, so that it does not
// overflow.
func (t Tensor) Len() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Bytes returns the size of the array in bytes.
func (t Tensor) Bytes() int64 { return int64(t.Len()) * int64(t.DType.Size()) }

// Float32s reads the whole array (F32, F16 or BF16) as 32-bit floats. It is meant for small arrays
// and tests.
func (t Tensor) Float32s() ([]float32, error) {
	if t.DType == I32 {
		return nil, fmt.Errorf("tensor: %s: I32 elements, want floats", t.Name)
	}
	raw, err := t.readAll()
	if err != nil {
		return nil, err
	}
	out := make([]float32, t.Len())
	ToFloat32(out, raw, t.DType)
	return out, nil
}

// Int32s reads the whole array (I32).
func (t Tensor) Int32s() ([]int32, error) {
	if t.DType != I32 {
		return nil, fmt.Errorf("tensor: %s: %v elements, want I32", t.Name, t.DType)
	}
	raw, err := t.readAll()
	if err != nil {
		return nil, err
	}
	out := make([]int32, t.Len())
	for i := range out {
		out[i] = int32(le32(raw[4*i:]))
	}
	return out, nil
}

func (t Tensor) readAll() ([]byte, error) {
	r, err := t.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw := make([]byte, t.Bytes())
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("tensor: %s: %w", t.Name, err)
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); err { // the reader checks its file's checksum here
	case io.EOF:
		return raw, nil
	case nil:
		return nil, fmt.Errorf("tensor: %s: more bytes than the %d of its elements", t.Name, len(raw))
	default:
		return nil, fmt.Errorf("tensor: %s: %w", t.Name, err)
	}
}
