package gguf

// This file: the limits of a file and the rules for one key and one tensor, which reading and
// writing share.

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits. Real files stay far below: a PaliGemma has 257,152 pieces, some 30 keys and at most 508
// tensors.
const (
	maxKVs      = 65536
	maxTensors  = 65536
	maxKey      = 256 // bytes of a key
	maxName     = 63  // bytes of a tensor's name: ggml keeps names in 64 bytes with a terminator
	maxDims     = 4   // GGML_MAX_DIMS
	maxDim      = math.MaxInt32
	maxString   = 16 << 20  // bytes of a string value
	maxArray    = 64 << 20  // elements of an array
	maxMetadata = 256 << 20 // bytes before the data section

	minAlignment, maxAlignment = 8, 4096
)

// Magic is the first bytes of every GGUF file.
const Magic = "GGUF"

// Version is the format's version that this package reads and writes.
const Version = 3

// Alignment is the alignment of every file that NewLayout lays out, and of files without a
// general.alignment.
const Alignment = 32

const alignmentKey = "general.alignment"

// pad returns n rounded up to a multiple of alignment, a power of two.
func pad(n, alignment int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// clip quotes s, a text from a file, for an error, cut to a length that fits a line.
func clip(s string) string {
	const limit = 64
	if len(s) > limit {
		return fmt.Sprintf("%q... (%d bytes)", s[:limit], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// checkName checks s, a key or a tensor's name: 1 to maxLen bytes of printable ASCII without
// blanks. A C string ends at a NUL and a Go string does not, so that a name with one would be two
// names.
func checkName(s string, maxLen int) error {
	switch {
	case s == "":
		return fmt.Errorf("empty name")
	case len(s) > maxLen:
		return fmt.Errorf("name of %d bytes, want at most %d", len(s), maxLen)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("name %s, want printable ASCII", clip(s))
	}
	return nil
}

// checkTensor checks t by itself, whatever its offset.
func checkTensor(t Tensor) error {
	if err := checkName(t.Name, maxName); err != nil {
		return err
	}
	if !t.Type.Known() {
		return fmt.Errorf("%s: %v is not known", t.Name, t.Type)
	}
	if len(t.Shape) < 1 || len(t.Shape) > maxDims {
		return fmt.Errorf("%s: %d dimensions, want 1 to %d", t.Name, len(t.Shape), maxDims)
	}
	// elements: no type has more than 8 bytes for one, so that sizes in bytes cannot overflow
	const limit = math.MaxInt64 / 8
	n := int64(1)
	for _, s := range t.Shape {
		if s < 1 || s > maxDim {
			return fmt.Errorf("%s: shape %v, want every dimension from 1 to %d", t.Name, t.Shape, maxDim)
		}
		if int64(s) > limit/n {
			return fmt.Errorf("%s: shape %v has too many elements", t.Name, t.Shape)
		}
		n *= int64(s)
	}
	if elements, _ := t.Type.Block(); t.Shape[len(t.Shape)-1]%elements != 0 {
		return fmt.Errorf("%s: rows of %d elements, want a multiple of %d for %v", t.Name, t.Shape[len(t.Shape)-1],
			elements, t.Type)
	}
	return nil
}

// index returns the positions of n names ordered by name, for find, and a name that is there twice,
// or "". A map would need several times the file's own size.
func index(n int, name func(int) string) (order []int32, duplicate string) {
	order = make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(name(int(a)), name(int(b))) })
	for i := 1; i < n; i++ {
		if name(int(order[i])) == name(int(order[i-1])) {
			return order, name(int(order[i]))
		}
	}
	return order, ""
}

// find returns the position of the name want, given the order that index returned.
func find(order []int32, name func(int) string, want string) (int, bool) {
	i, ok := slices.BinarySearchFunc(order, want, func(k int32, want string) int {
		return strings.Compare(name(int(k)),
			want)
	})
	if !ok {
		return 0, false
	}
	return int(order[i]), true
}
