package gguf

// This file: where the tensors' data are: the offsets of the description become positions in the
// file, and every byte after the metadata belongs to one tensor or is padding.

import (
	"fmt"
	"io"
	"slices"
)

// alignment returns the file's alignment.
func alignment(f *File) (int64, error) {
	v, ok := f.Lookup(alignmentKey)
	if !ok {
		return Alignment, nil
	}
	a, ok := v.(uint32)
	if !ok {
		return 0, fmt.Errorf("%s: have %T, want uint32", alignmentKey, v)
	}
	if a < minAlignment || a > maxAlignment || a&(a-1) != 0 {
		return 0, fmt.Errorf("%s: have %d, want a power of two from %d to %d", alignmentKey, a, minAlignment,
			maxAlignment)
	}
	return int64(a), nil
}

// checkOffsets turns the tensors' offsets into positions in the file and checks that they cover
// everything after the metadata, which ends at position end: in order, without holes or overlaps,
// with zeros as padding.
func checkOffsets(f *File, end, alignment int64) error {
	start := pad(end, alignment)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.Offset != pad(end, alignment)-start {
			return fmt.Errorf("tensor %d: %s: data at offset %d, want %d: there would be a hole or an overlap", i,
				t.Name, t.Offset, pad(end, alignment)-start)
		}
		t.Offset += start
		if err := f.zeros(end, t.Offset); err != nil {
			return fmt.Errorf("tensor %d: %s: %w", i, t.Name, err)
		}
		if t.Bytes() > f.Size-t.Offset {
			return fmt.Errorf("cut short: tensor %d: %s: %d bytes at %d go past the end of the file (%d bytes): "+
				"copy or download it again", i, t.Name, t.Bytes(), t.Offset, f.Size)
		}
		end = t.Offset + t.Bytes()
	}
	if f.Size != end && f.Size != pad(end, alignment) {
		return fmt.Errorf("the file has %d bytes, want %d: there is something after the last tensor", f.Size,
			pad(end, alignment))
	}
	return f.zeros(end, f.Size)
}

// zeros checks that the padding of f in [from, to), less than maxAlignment bytes, is zero.
func (f *File) zeros(from, to int64) error {
	if from >= to {
		return nil
	}
	if to > f.Size {
		return fmt.Errorf("cut short: padding goes past the end of the file (%d bytes): copy or download it again",
			f.Size)
	}
	p := make([]byte, to-from)
	if _, err := f.r.ReadAt(p, from); err != nil && err != io.EOF {
		return fmt.Errorf("padding at %d: %w", from, err)
	}
	if slices.ContainsFunc(p, func(c byte) bool { return c != 0 }) {
		return fmt.Errorf("padding at %d is not zero", from)
	}
	return nil
}
