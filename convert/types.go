package convert

// This file: which type each tensor is stored in, and how wide the vision MLP is stored.
// Before it: the type asked for and a row's Keep. After it: plan.go, which lays the files out.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

// Types lists the types a file can be converted to, with what the conversion must know of each.
var Types = []TypeInfo{
	{gguf.F32, tensor.F32, 0, float32(math.Inf(1))},
	{gguf.F16, tensor.F16, 1, 65520},         // half-way between the largest half, 65504, and the next power of two
	{gguf.BF16, tensor.BF16, 32, 0x1.ffp127}, // the same for bfloat16
	{gguf.Q8_0, 0, 7, 127 * 65520},           // a block's scale is a half: its largest magnitude / 127
	{gguf.Q4_0, 0, 2, 8 * 65520},             // a block's scale is a half: its largest magnitude / 8
}

// TypeInfo is one line of Types.
type TypeInfo struct {
	Type     gguf.Type
	Narrow   tensor.DType // what tensor.Narrow calls it; 0: a block type, encoded by Options.Encode
	FileType uint32       // general.file_type (llama.h, enum llama_ftype)
	Overflow float32      // the smallest magnitude that the type turns into an infinity
}

// info returns the line of a type.
func info(t gguf.Type) (TypeInfo, error) {
	i := slices.IndexFunc(Types, func(x TypeInfo) bool { return x.Type == t })
	if i < 0 {
		return TypeInfo{}, fmt.Errorf("convert: type %v: cannot be converted to, want F32, F16, BF16, Q8_0 or Q4_0", t)
	}
	return Types[i], nil
}

// blocked reports whether elements share blocks.
func blocked(t gguf.Type) bool {
	elements, _ := t.Block()
	return elements > 1
}

// storedType returns the type of a row's tensor whose rows have cols elements, in a file for which asked was asked.
//
//	norms, biases, 1-D tensors, position table, patch kernel   F32, always
//	token table in a 4-bit file                                Q8_0: it is the input and, tied, the classifier
//	rows that the block does not divide                        F16
//	everything else                                            as asked
func storedType(keep Keep, asked gguf.Type, cols int) gguf.Type {
	t := asked
	switch {
	case keep == KeepF32:
		t = gguf.F32
	case keep == KeepByte && asked == gguf.Q4_0:
		t = gguf.Q8_0
	}
	if elements, _ := t.Block(); cols%elements != 0 {
		t = gguf.F16
	}
	return t
}

// hiddenWidth returns the width that the vision MLP's n hidden units are stored with. A block type pads them with zeros to the next
// multiple of 256 (every block and super-block divides it) if that adds no more than a sixteenth, else to the next multiple of 32:
// 4304 becomes 4352, 344 becomes 352. It is exact: a hidden unit with zero weights and bias is gelu(0) = 0, and meets zeros on its way out.
func hiddenWidth(asked gguf.Type, n int) int {
	if !blocked(asked) {
		return n
	}
	if wide := (n + 255) / 256 * 256; (wide-n)*16 <= n {
		return wide
	}
	return (n + 31) / 32 * 32
}

// TypeNames lists the names of Types.
func TypeNames() []string {
	var names []string
	for _, t := range Types {
		names = append(names, t.Type.String())
	}
	return names
}

// ParseType finds a type by its name, in any case: "q8_0".
func ParseType(name string) (gguf.Type, error) {
	for _, t := range Types {
		if strings.EqualFold(t.Type.String(), name) {
			return t.Type, nil
		}
	}
	return 0, fmt.Errorf("type %q: want %s", name, strings.ToLower(strings.Join(TypeNames(), ", ")))
}
