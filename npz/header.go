package npz

// This file: an array's header, read and written.
//
// The format is numpy/lib/_format_impl.py: magic (6 bytes), version (2), length of the text (2
// bytes, from version 2 on 4), and the text, a Python dict literal ending in "\n".

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

const npyMagic = "\x93NUMPY"

// header is the content of the text.
type header struct {
	dtype   tensor.DType
	shape   []int
	fortran bool // the first axis runs fastest
	big     bool // the highest byte of each element comes first
}

// dtypeOf holds NumPy's names for the element types that are read; the first of a type is the one
// written.
var dtypeOf = []struct {
	descr string
	dtype tensor.DType
}{{"<f4", tensor.F32}, {"<f2", tensor.F16}, {"|V2", tensor.BF16}, {"<V2", tensor.BF16}, {"<i4", tensor.I32}}

// preambleLen returns the number of bytes before the text and of its length field, by the version
// in b, the member's first 8 bytes.
func preambleLen(b []byte) (int, error) {
	if string(b[:6]) != npyMagic {
		return 0, fmt.Errorf("array begins with %q, want %q", b[:6], npyMagic)
	}
	switch {
	case b[6] == 1 && b[7] == 0:
		return 10, nil
	case (b[6] == 2 || b[6] == 3) && b[7] == 0:
		return 12, nil
	}
	return 0, fmt.Errorf("array format version %d.%d, want 1.0, 2.0 or 3.0", b[6], b[7])
}

// textLen returns the length of the text that preamble gives.
func textLen(preamble []byte) (int, error) {
	n := uint32(u16(preamble[8:]))
	if len(preamble) == 12 {
		n = u32(preamble[8:])
	}
	if n == 0 || n > maxHeader {
		return 0, fmt.Errorf("array header of %d bytes, want 1 to %d", n, maxHeader)
	}
	return int(n), nil
}

// parseHeader reads the text: exactly the three keys, in any order, with blanks and newlines
// anywhere between, as Python takes them.
func parseHeader(text []byte) (header, error) {
	p := literal{text: text}
	var h header
	seen := map[string]bool{}
	if !p.take('{') {
		return h, p.wrong("{")
	}
	for !p.take('}') {
		key, ok := p.str()
		if !ok || !p.take(':') {
			return h, p.wrong("'key':")
		}
		if seen[key] {
			return h, fmt.Errorf("array header: key %s twice", quote(key))
		}
		seen[key] = true
		var err error
		switch key {
		case "descr":
			h.dtype, h.big, err = p.descr()
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.shape()
		default:
			err = fmt.Errorf("array header: key %s, want descr, fortran_order and shape", quote(key))
		}
		if err != nil {
			return h, err
		}
		if !p.take(',') && !p.at('}') {
			return h, p.wrong(", or }")
		}
	}
	if len(seen) != 3 {
		return h, fmt.Errorf("array header: %d keys, want descr, fortran_order and shape", len(seen))
	}
	if p.skip(); p.i < len(text) {
		return h, fmt.Errorf("array header: ends in %s, want spaces and a newline", quote(string(text[p.i:])))
	}
	return h, nil
}

// literal reads the few Python literals that a header holds.
type literal struct {
	text []byte
	i    int
}

// skip goes on to what is not blank.
func (p *literal) skip() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

// at skips blanks and reports whether c comes next.
func (p *literal) at(c byte) bool {
	p.skip()
	return p.i < len(p.text) && p.text[p.i] == c
}

func (p *literal) take(c byte) bool {
	if !p.at(c) {
		return false
	}
	p.i++
	return true
}

func (p *literal) wrong(want string) error {
	return fmt.Errorf("array header: have %s at byte %d, want %s", quote(string(p.text[p.i:min(p.i+16, len(p.text))])),
		p.i, want)
}

// str reads 'text' or "text", without escapes.
func (p *literal) str() (string, bool) {
	for _, q := range []byte{'\'', '"'} {
		if p.take(q) {
			start := p.i
			for ; p.i < len(p.text); p.i++ {
				switch c := p.text[p.i]; {
				case c == q:
					p.i++
					return string(p.text[start : p.i-1]), true
				case c == '\\' || c < ' ':
					return "", false
				}
			}
		}
	}
	return "", false
}

// descr reads the element type, and whether the highest byte comes first.
func (p *literal) descr() (d tensor.DType, big bool, err error) {
	const want = "want <f4 (float32), <f2 (float16), |V2 (bfloat16) or <i4 (int32)"
	if p.at('[') || p.at('(') {
		return 0, false, fmt.Errorf("structured element type, %s", want)
	}
	s, ok := p.str()
	if !ok {
		return 0, false, p.wrong("an element type in quotes")
	}
	for _, d := range dtypeOf {
		if s == d.descr {
			return d.dtype, false, nil
		}
		if kind, little := strings.CutPrefix(d.descr, "<"); little && kind != "V2" && s == ">"+kind {
			return d.dtype, true, nil
		}
	}
	if strings.HasSuffix(s, "O") {
		return 0, false,
			fmt.Errorf("element type %s holds pickled Python objects, which are never read; %s", quote(s), want)
	}
	return 0, false, fmt.Errorf("element type %s, %s", quote(s), want)
}

func (p *literal) boolean() (bool, error) {
	p.skip()
	for _, w := range []string{"False", "True"} {
		if strings.HasPrefix(string(p.text[p.i:min(p.i+len(w), len(p.text))]), w) {
			p.i += len(w)
			return w == "True", nil
		}
	}
	return false, p.wrong("True or False")
}

// shape reads (), (3,), (3, 4) and so on.
func (p *literal) shape() ([]int, error) {
	if !p.take('(') {
		return nil, p.wrong("a shape in brackets")
	}
	shape := []int{}
	for comma := true; !p.take(')'); {
		if !comma {
			return nil, p.wrong(", or )")
		}
		if len(shape) == maxDims {
			return nil, fmt.Errorf("array header: more than %d axes", maxDims)
		}
		p.skip()
		start := p.i
		for p.i < len(p.text) && '0' <= p.text[p.i] && p.text[p.i] <= '9' {
			p.i++
		}
		digits := string(p.text[start:min(p.i, start+20)])
		n, err := strconv.Atoi(digits)
		if err != nil || digits[0] == '0' && len(digits) > 1 {
			p.i = start
			return nil, p.wrong("an axis: a whole number")
		}
		shape = append(shape, n)
		if p.i < len(p.text) && p.text[p.i] == 'L' { // Python 2 writes a long number so
			p.i++
		}
		comma = p.take(',')
		if len(shape) == 1 && !comma {
			return nil, p.wrong("a comma after the first axis")
		}
	}
	if _, err := elementCount(shape); err != nil {
		return nil, fmt.Errorf("array header: %w", err)
	}
	return shape, nil
}

// elementCount returns the number of elements of shape. Axes of length 0 count as 1 for the bound,
// as in NumPy.
func elementCount(shape []int) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("%d axes, want at most %d", len(shape), maxDims)
	}
	n, all := 1, 1
	for _, s := range shape {
		if s < 0 || s > 0 && all > min(maxElements, math.MaxInt)/s {
			return 0, fmt.Errorf("shape %v: negative, or too many elements", shape)
		}
		all *= max(s, 1)
		n *= s
	}
	return n, nil
}

// formatHeader returns magic, version 1.0 and text exactly as NumPy 2 writes them for an array in C
// order: space for the first axis to grow to 21 digits, then spaces up to a multiple of 64 bytes,
// of which NumPy writes 64 where none are needed (_write_array_header, _wrap_header).
func formatHeader(d tensor.DType, shape []int) ([]byte, error) {
	if _, err := elementCount(shape); err != nil {
		return nil, err
	}
	descr := ""
	for _, t := range dtypeOf {
		if t.dtype == d && descr == "" {
			descr = t.descr
		}
	}
	if descr == "" {
		return nil, fmt.Errorf("element type %v cannot be written", d)
	}
	dims := make([]string, len(shape))
	for i, s := range shape {
		dims[i] = strconv.Itoa(s)
	}
	tuple := "(" + strings.Join(dims, ", ")
	room := 0
	if len(shape) == 1 {
		tuple += ","
	}
	if len(shape) > 0 {
		room = 21 - len(dims[0])
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s), }%*s", descr, tuple, room, "")
	text += strings.Repeat(" ", 64-(10+len(text)+1)%64) + "\n"
	return append([]byte{npyMagic[0], 'N', 'U', 'M', 'P', 'Y', 1, 0, byte(len(text)), byte(len(text) >> 8)}, text...),
		nil
}
