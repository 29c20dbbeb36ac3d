package npz

// This file: the bytes of a member. The readers of its tensor.Tensor return the elements and check
// the CRC-32.

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

// unpack is one member's unpacked bytes. It fails unless their number and their CRC-32 are those of
// the directory; it returns the last bytes only after that check.
type unpack struct {
	m    *member
	src  io.Reader
	left int64 // bytes not yet read
	crc  uint32
	err  error // returned from now on: io.EOF, or what went wrong
}

// open starts reading m from its first unpacked byte.
func (m *member) open(r io.ReaderAt) *unpack {
	u := &unpack{m: m, left: m.size}
	packed := io.NewSectionReader(r, m.data, m.packed)
	if m.method == deflated {
		u.src = flate.NewReader(bufio.NewReaderSize(packed, 16<<10))
	} else {
		u.src = packed
	}
	return u
}

// Read reads the next bytes into b.
func (u *unpack) Read(b []byte) (int, error) {
	if u.err != nil || len(b) == 0 {
		return 0, u.err
	}
	n := 0
	if u.left > 0 {
		n, u.err = u.src.Read(b[:min(int64(len(b)), u.left)])
		u.left -= int64(n)
		u.crc = crc32.Update(u.crc, crc32.IEEETable, b[:n])
	}
	if u.left > 0 {
		if u.err == io.EOF || u.err == io.ErrUnexpectedEOF {
			u.err = fmt.Errorf("ends %d bytes before its size of %d", u.left, u.m.size)
		}
		if u.err != nil {
			u.err = fmt.Errorf("npz: %s: %w", quote(u.m.name), u.err)
		}
		return n, u.err
	}
	if u.err = u.finish(); u.err != io.EOF {
		return 0, u.err
	}
	if n > 0 {
		return n, nil
	}
	return 0, io.EOF
}

// finish checks what can be checked only at the end; it returns io.EOF if all is well.
func (u *unpack) finish() error {
	var one [1]byte
	if n, err := io.ReadFull(u.src, one[:]); n != 0 {
		return fmt.Errorf("npz: %s: continues after its size of %d bytes", quote(u.m.name), u.m.size)
	} else if err != io.EOF {
		return fmt.Errorf("npz: %s: at its end: %w", quote(u.m.name), err)
	}
	if u.crc != u.m.crc {
		return fmt.Errorf("npz: %s: CRC-32 is %08x, want %08x: the file is damaged", quote(u.m.name), u.crc, u.m.crc)
	}
	return io.EOF
}

// Close does nothing: bytes that were not read are not checked.
func (u *unpack) Close() error { return nil }

// headerReader makes tensors of members. It reuses its buffers for the next member: 4,096 headers
// of 64 KiB pack into very little.
type headerReader struct {
	packed  *bufio.Reader
	inflate io.ReadCloser
	text    [12 + maxHeader]byte
}

// tensor reads the header of m, an array, and checks that m has exactly the bytes that its shape
// requires.
func (h *headerReader) tensor(r io.ReaderAt, m *member) (tensor.Tensor, error) {
	head, start, err := h.read(r, m)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.Tensor{Name: strings.TrimSuffix(m.key(), ".npy"), DType: head.dtype, Shape: head.shape}
	if t.Bytes() != m.size-int64(start) { // elementCount bounded the product
		return t, fmt.Errorf("%d bytes of elements, want %d x %d for shape %v", m.size-int64(start), t.Len(),
			t.DType.Size(), t.Shape)
	}
	t.Open = func() (io.ReadCloser, error) {
		u := m.open(r)
		if _, err := io.CopyN(io.Discard, u, int64(start)); err != nil {
			return nil, err
		}
		return u, nil
	}
	if head.fortran && len(t.Shape) > 1 {
		if t.Bytes() > maxFortran {
			return t,
				fmt.Errorf("array of %d bytes in Fortran order, want at most %d: save it with numpy.ascontiguousarray",
					t.Bytes(), maxFortran)
		}
		t.Open = fortran(t.Open, t.Shape, t.DType.Size())
	}
	if head.big {
		t.Open = swapped(t.Open, t.DType.Size())
	}
	return t, nil
}

// read returns the header of m and its length in unpacked bytes.
func (h *headerReader) read(r io.ReaderAt, m *member) (header, int, error) {
	src := io.Reader(io.NewSectionReader(r, m.data, m.packed))
	if m.method == deflated {
		src = h.inflater(src)
	}
	fill := func(from, to int) error {
		if int64(to) > m.size {
			return errors.New("array header is cut")
		}
		_, err := io.ReadFull(src, h.text[from:to])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errors.New("array header is cut")
		}
		return err
	}
	if err := fill(0, 8); err != nil {
		return header{}, 0, err
	}
	pre, err := preambleLen(h.text[:8])
	if err != nil {
		return header{}, 0, err
	}
	if err := fill(8, pre); err != nil {
		return header{}, 0, err
	}
	n, err := textLen(h.text[:pre])
	if err != nil {
		return header{}, 0, err
	}
	if err := fill(pre, pre+n); err != nil {
		return header{}, 0, err
	}
	head, err := parseHeader(h.text[pre : pre+n])
	return head, pre + n, err
}

// inflater returns h's only inflating reader, set to src.
func (h *headerReader) inflater(src io.Reader) io.Reader {
	if h.inflate == nil {
		h.packed = bufio.NewReader(src)
		h.inflate = flate.NewReader(h.packed)
		return h.inflate
	}
	h.packed.Reset(src)
	h.inflate.(flate.Resetter).Reset(h.packed, nil) // its error is always nil
	return h.inflate
}

// fortran returns a function that reads the whole array, checks it, and returns its bytes in C
// order.
func fortran(open func() (io.ReadCloser, error), shape []int, size int) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		raw, err := io.ReadAll(r) // grows with the bytes that exist, not with what the header says
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(toC(raw, shape, size))), nil
	}
}

// toC copies elements of size bytes from Fortran order (first axis fastest) to C order (last axis
// fastest).
func toC(raw []byte, shape []int, size int) []byte {
	out := make([]byte, 0, len(raw))
	step := make([]int, len(shape)) // bytes from one element to the next along each axis
	for i, n := 0, size; i < len(shape); i++ {
		step[i] = n
		n *= shape[i]
	}
	index := make([]int, len(shape))
	for at := 0; len(out) < len(raw); {
		out = append(out, raw[at:at+size]...)
		for i := len(shape) - 1; i >= 0; i-- { // count up, the last axis fastest
			index[i]++
			at += step[i]
			if index[i] < shape[i] {
				break
			}
			at -= step[i] * shape[i]
			index[i] = 0
		}
	}
	return out
}

// swapped returns a function that opens what open does, with the bytes of each element of size bytes
// in reverse.
func swapped(open func() (io.ReadCloser, error), size int) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, err := open()
		return &swapper{ReadCloser: r, size: size}, err
	}
}

// swapper reads whole elements, and reverses the bytes of each.
type swapper struct {
	io.ReadCloser
	size   int
	buffer [4096]byte
	ready  []byte // of buffer: in the new order, not yet given
	err    error  // when ready is empty
}

func (s *swapper) Read(b []byte) (int, error) {
	if len(s.ready) == 0 && s.err == nil && len(b) > 0 {
		var n int
		n, s.err = io.ReadFull(s.ReadCloser, s.buffer[:])
		if s.err == io.ErrUnexpectedEOF {
			s.err = io.EOF // the number of bytes has been compared with the shape
		}
		s.ready = s.buffer[:n]
		for at := 0; at+s.size <= n; at += s.size {
			slices.Reverse(s.buffer[at : at+s.size])
		}
	}
	n := copy(b, s.ready)
	if s.ready = s.ready[n:]; n == 0 {
		return 0, s.err
	}
	return n, nil
}
