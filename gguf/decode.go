package gguf

// This file: the reader of untrusted bytes. What it returns satisfies every rule of the package's
// comment.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// decoder reads the metadata from front to back. After the first error, which err holds, it returns
// zeros.
type decoder struct {
	r    *bufio.Reader
	pos  int64 // bytes read
	size int64 // of the file
	end  int64 // the metadata ends before this: size, or maxMetadata if that is less
	err  error
	zero [8]byte // what next returns after an error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// fits reports whether n things of at least size bytes each fit into the rest of the metadata.
// Nothing is allocated for a count in the file that does not.
func (d *decoder) fits(n uint64, size int, what string) bool {
	if d.err != nil {
		return false
	}
	if left := d.end - d.pos; n > uint64(left)/uint64(size) {
		if d.end < d.size {
			d.fail("%s goes past %d bytes, the limit of everything before the data", what, d.end)
		} else {
			d.fail("cut short: %s goes past the end of the file (%d bytes): copy or download it again", what, d.size)
		}
		return false
	}
	return true
}

// next returns the next n bytes, at most 8. They are valid until the next call.
func (d *decoder) next(n int, what string) []byte {
	if !d.fits(1, n, what) {
		return d.zero[:n]
	}
	b, err := d.r.Peek(n)
	if err != nil {
		d.fail("%s: %w", what, unexpected(err))
		return d.zero[:n]
	}
	d.r.Discard(n)
	d.pos += int64(n)
	return b
}

// unexpected turns io.EOF into io.ErrUnexpectedEOF: the file ends before its size.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (d *decoder) u32(what string) uint32 { return le.Uint32(d.next(4, what)) }
func (d *decoder) u64(what string) uint64 { return le.Uint64(d.next(8, what)) }

// text reads a string of at most maxLen bytes; what names it in errors.
func (d *decoder) text(maxLen int, what string) string {
	n := d.u64(what)
	if n > uint64(maxLen) {
		d.fail("%s: string of %d bytes, want at most %d", what, n, maxLen)
	}
	if n == 0 || !d.fits(n, 1, what) {
		return ""
	}
	// the common case: a short string in the buffer
	if b, err := d.r.Peek(int(min(n, 256))); err == nil && len(b) == int(n) {
		s := string(b)
		d.r.Discard(len(b))
		d.pos += int64(n)
		return s
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.r, b); err != nil {
		d.fail("%s: %w", what, unexpected(err))
		return ""
	}
	d.pos += int64(n)
	return string(b)
}

func decode(r io.ReaderAt, size int64) (*File, error) {
	if size < 0 || size > maxSize {
		return nil, fmt.Errorf("a size of %d bytes", size)
	}
	d := &decoder{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10), size: size,
		end: min(size, maxMetadata)}
	nTensors, nKVs := d.preamble()
	f := &File{Size: size, r: r}
	f.KVs = d.kvs(nKVs)
	f.Tensors = d.tensors(nTensors)
	if d.err != nil {
		return nil, d.err
	}
	var twice string
	if f.byKey, twice = index(len(f.KVs), func(i int) string { return f.KVs[i].Key }); twice != "" {
		return nil, fmt.Errorf("key %s twice", clip(twice))
	}
	if f.byTensor, twice = index(len(f.Tensors), func(i int) string { return f.Tensors[i].Name }); twice != "" {
		return nil, fmt.Errorf("tensor %s twice", clip(twice))
	}
	alignment, err := alignment(f)
	if err != nil {
		return nil, err
	}
	return f, checkOffsets(f, d.pos, alignment)
}

// preamble reads the first 24 bytes and returns the numbers of tensors and keys, which are within
// their limits.
func (d *decoder) preamble() (tensors, kvs int) {
	if d.size < 4 {
		d.fail("not a GGUF file: it has %d bytes", d.size)
		return 0, 0
	}
	if magic := string(d.next(4, "the magic")); d.err == nil && magic != Magic {
		d.fail("not a GGUF file: it begins with %q, want %q", magic, Magic)
	}
	switch v := d.u32("the version"); {
	case d.err != nil || v == Version:
	case v&0xffff == 0 && v != 0:
		d.fail("a big-endian GGUF file, want a little-endian one")
	case v < Version:
		d.fail("GGUF version %d, want %d: convert the model again", v, Version)
	default:
		d.fail("GGUF version %d, want %d", v, Version)
	}
	nt, nk := d.u64("the number of tensors"), d.u64("the number of keys")
	if nt > maxTensors {
		d.fail("%d tensors, want at most %d", int64(nt), maxTensors)
	}
	if nk > maxKVs {
		d.fail("%d keys, want at most %d", int64(nk), maxKVs)
	}
	if d.err != nil {
		return 0, 0
	}
	return int(nt), int(nk)
}

// kvs reads n keys. A key takes at least 14 bytes: an 8-byte length, one character, a type, one
// byte.
func (d *decoder) kvs(n int) []KV {
	if !d.fits(uint64(n), 14, "the list of keys") {
		return nil
	}
	out := make([]KV, 0, n)
	for i := range n {
		kv := d.kv()
		if d.err != nil {
			d.err = fmt.Errorf("key %d: %w", i, d.err)
			return nil
		}
		out = append(out, kv)
	}
	return out
}

// kv reads one key and its value.
func (d *decoder) kv() KV {
	key := d.text(maxKey, "the name")
	if d.err == nil {
		d.err = checkName(key, maxKey)
	}
	if d.err != nil {
		return KV{}
	}
	what := key
	if len(what) > 64 {
		what = clip(what)
	}
	return KV{key, d.value(what)}
}

// value reads the type and the value of key.
func (d *decoder) value(key string) any {
	switch t := valueType(d.u32(key)); t {
	case typeUint8:
		return d.next(1, key)[0]
	case typeInt8:
		return int8(d.next(1, key)[0])
	case typeUint16:
		return le.Uint16(d.next(2, key))
	case typeInt16:
		return int16(le.Uint16(d.next(2, key)))
	case typeUint32:
		return d.u32(key)
	case typeInt32:
		return int32(d.u32(key))
	case typeFloat32:
		return math.Float32frombits(d.u32(key))
	case typeBool:
		return d.bool(key)
	case typeString:
		return d.str(key)
	case typeArray:
		return d.array(key)
	case typeUint64:
		return d.u64(key)
	case typeInt64:
		return int64(d.u64(key))
	case typeFloat64:
		return math.Float64frombits(d.u64(key))
	default:
		d.fail("%s: a value of type %d, want 0 to 12", key, t)
		return nil
	}
}

func (d *decoder) bool(key string) bool {
	b := d.next(1, key)[0]
	if b > 1 {
		d.fail("%s: a bool of %d, want 0 or 1", key, b)
	}
	return b == 1
}

func (d *decoder) str(key string) string {
	s := d.text(maxString, key)
	if err := checkString(s); err != nil {
		d.fail("%s: %w", key, err)
	}
	return s
}

// array reads the element type, the count and the elements of the array of key.
func (d *decoder) array(key string) any {
	t, n := valueType(d.u32(key)), d.u64(key)
	switch {
	case d.err != nil:
		return nil
	case t == typeArray:
		d.fail("%s: an array of arrays", key)
		return nil
	case t.size() == 0:
		d.fail("%s: an array of type %d, want 0 to 12", key, t)
		return nil
	case n > maxArray:
		d.fail("%s: an array of %d elements, want at most %d", key, n, maxArray)
		return nil
	}
	if !d.fits(n, t.size(), key) {
		return nil
	}
	switch t {
	case typeUint8:
		return readElements(d, n, func() uint8 { return d.next(1, key)[0] })
	case typeInt8:
		return readElements(d, n, func() int8 { return int8(d.next(1, key)[0]) })
	case typeUint16:
		return readElements(d, n, func() uint16 { return le.Uint16(d.next(2, key)) })
	case typeInt16:
		return readElements(d, n, func() int16 { return int16(le.Uint16(d.next(2, key))) })
	case typeUint32:
		return readElements(d, n, func() uint32 { return d.u32(key) })
	case typeInt32:
		return readElements(d, n, func() int32 { return int32(d.u32(key)) })
	case typeFloat32:
		return readElements(d, n, func() float32 { return math.Float32frombits(d.u32(key)) })
	case typeBool:
		return readElements(d, n, func() bool { return d.bool(key) })
	case typeString:
		return readElements(d, n, func() string { return d.str(key) })
	case typeUint64:
		return readElements(d, n, func() uint64 { return d.u64(key) })
	case typeInt64:
		return readElements(d, n, func() int64 { return int64(d.u64(key)) })
	default:
		return readElements(d, n, func() float64 { return math.Float64frombits(d.u64(key)) })
	}
}

// readElements reads n elements with read; they have been found to fit into the file.
func readElements[T any](d *decoder, n uint64, read func() T) []T {
	out := make([]T, n)
	for i := range out {
		if out[i] = read(); d.err != nil {
			return nil
		}
	}
	return out
}

// tensors reads n descriptions. One takes at least 33 bytes: an 8-byte length, one character, 1,
// one dimension, a type, an offset.
func (d *decoder) tensors(n int) []Tensor {
	if !d.fits(uint64(n), 33, "the list of tensors") {
		return nil
	}
	out := make([]Tensor, 0, n)
	for i := range n {
		t := d.tensor()
		if d.err != nil {
			d.err = fmt.Errorf("tensor %d: %w", i, d.err)
			return nil
		}
		out = append(out, t)
	}
	return out
}

// tensor reads one description. Its Offset is still relative to the data section.
func (d *decoder) tensor() Tensor {
	t := Tensor{Name: d.text(maxName, "the name")}
	n := d.u32("the number of dimensions")
	if d.err == nil && (n < 1 || n > maxDims) {
		d.fail("%d dimensions, want 1 to %d", n, maxDims)
	}
	if d.err != nil {
		return t
	}
	t.Shape = make([]int, n)
	for i := range t.Shape {
		v := d.u64("a dimension")
		if v > maxDim { // before it becomes an int, which has 32 bits on some machines
			d.fail("%s: a dimension of %d, want at most %d", t.Name, int64(v), maxDim)
			return t
		}
		t.Shape[i] = int(v)
	}
	slices.Reverse(t.Shape) // ne to NumPy order
	t.Type = Type(d.u32("the type"))
	offset := d.u64("the offset")
	if offset > maxSize {
		d.fail("an offset of %d", offset)
	}
	t.Offset = int64(offset)
	if d.err == nil {
		d.err = checkTensor(t)
	}
	return t
}
