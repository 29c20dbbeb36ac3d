package gguf

// This file: from keys and shapes to the bytes before the data section and each tensor's offset.
// The tensors can then be written in any order.

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Layout is a file to be written: Header at 0, and each tensor's bytes at its Offset of a
// zero-filled file of Size bytes.
type Layout struct {
	Header  []byte // padded to the alignment
	Tensors []Tensor
	Size    int64 // bytes of the whole file
}

// NewLayout lays out a file with the keys kvs and the tensors, in this order, and sets the offsets
// in a copy of tensors. It fails if Read would not accept the result. The same arguments give the
// same bytes.
func NewLayout(kvs []KV, tensors []Tensor) (*Layout, error) {
	l, err := newLayout(kvs, tensors)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return l, nil
}

func newLayout(kvs []KV, tensors []Tensor) (*Layout, error) {
	if len(kvs) > maxKVs || len(tensors) > maxTensors {
		return nil, fmt.Errorf("%d keys and %d tensors, want at most %d and %d", len(kvs), len(tensors), maxKVs,
			maxTensors)
	}
	b := append([]byte(nil), Magic...)
	b = le.AppendUint32(b, Version)
	b = le.AppendUint64(b, uint64(len(tensors)))
	b = le.AppendUint64(b, uint64(len(kvs)))
	var err error
	for _, kv := range kvs {
		if b, err = appendKV(b, kv); err != nil {
			return nil, err
		}
	}
	l := &Layout{Tensors: slices.Clone(tensors)}
	var offset int64
	for i := range l.Tensors {
		t := &l.Tensors[i]
		if err := checkTensor(*t); err != nil {
			return nil, err
		}
		t.Shape, t.Offset = slices.Clone(t.Shape), offset
		b = appendTensor(b, *t)
		if offset += pad(t.Bytes(), Alignment); offset < 0 || offset > maxSize {
			return nil, fmt.Errorf("%s: the file would be too large", t.Name)
		}
	}
	if _, twice := index(len(kvs), func(i int) string { return kvs[i].Key }); twice != "" {
		return nil, fmt.Errorf("key %s twice", twice)
	}
	if _, twice := index(len(tensors), func(i int) string { return tensors[i].Name }); twice != "" {
		return nil, fmt.Errorf("tensor %s twice", twice)
	}
	start := pad(int64(len(b)), Alignment)
	if start > maxMetadata {
		return nil, fmt.Errorf("%d bytes of keys and tensor descriptions, want at most %d", start, maxMetadata)
	}
	l.Header = append(b, make([]byte, int(start)-len(b))...)
	for i := range l.Tensors {
		l.Tensors[i].Offset += start
	}
	l.Size = start + offset
	return l, nil
}

// File returns the description that Read will find in the file, whose tensors' data are zeros.
func (l *Layout) File() (*File, error) { return Read(zeroFilled(l.Header), l.Size) }

// zeroFilled is an endless file that begins with these bytes; the rest is zeros.
type zeroFilled []byte

// ReadAt fills p from offset at; it never fails.
func (z zeroFilled) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(z)) {
		n = copy(p, z[at:])
	}
	clear(p[n:])
	return len(p), nil
}

// maxSize is the largest file: sums of sizes stay far from overflow.
const maxSize = 1 << 60

var le = binary.LittleEndian

func appendString(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }

func appendKV(b []byte, kv KV) ([]byte, error) {
	if err := checkName(kv.Key, maxKey); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if v, ok := kv.Value.(uint32); kv.Key == alignmentKey && (!ok || v != Alignment) {
		return nil, fmt.Errorf("%s: have %v, want %d as uint32", kv.Key, kv.Value, Alignment)
	}
	t, n, err := typeOf(kv.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kv.Key, err)
	}
	b = appendString(b, kv.Key)
	if n >= 0 {
		if n > maxArray {
			return nil, fmt.Errorf("%s: %d elements, want at most %d", kv.Key, n, maxArray)
		}
		b = le.AppendUint32(b, uint32(typeArray))
		b = le.AppendUint32(b, uint32(t))
		b = le.AppendUint64(b, uint64(n))
	} else {
		b = le.AppendUint32(b, uint32(t))
	}
	var all []string
	switch v := kv.Value.(type) {
	case string:
		all = []string{v}
	case []string:
		all = v
	default:
		return binary.Append(b, le, v)
	}
	for _, s := range all {
		if err := checkString(s); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		b = appendString(b, s)
	}
	return b, nil
}

// checkString checks a string value.
func checkString(s string) error {
	if len(s) > maxString {
		return fmt.Errorf("string of %d bytes, want at most %d", len(s), maxString)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("string %s is not UTF-8", clip(s))
	}
	return nil
}

func appendTensor(b []byte, t Tensor) []byte {
	b = appendString(b, t.Name)
	b = le.AppendUint32(b, uint32(len(t.Shape)))
	for _, s := range slices.Backward(t.Shape) { // ne: the fastest dimension first
		b = le.AppendUint64(b, uint64(s))
	}
	b = le.AppendUint32(b, uint32(t.Type))
	return le.AppendUint64(b, uint64(t.Offset))
}
