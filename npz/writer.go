package npz

// This file: writing an archive that numpy.load reads.

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

// Writer writes members stored, with zip64 where their sizes require it, and without times, so that
// the same arrays give the same bytes. After an error it only returns that error. It is not safe
// for concurrent use.
type Writer struct {
	zip   *zip.Writer
	names map[string]bool // lower case
	err   error
}

// NewWriter writes an archive to w. Close ends it, and does not close w.
func NewWriter(w io.Writer) *Writer { return &Writer{zip: zip.NewWriter(w), names: map[string]bool{}} }

// Add writes the array called name, of the element type d and this shape. r must hold exactly its
// bytes, in C order, little endian.
func (w *Writer) Add(name string, d tensor.DType, shape []int, r io.Reader) error {
	if w.err == nil {
		if err := w.add(name+".npy", d, shape, r); err != nil {
			w.err = fmt.Errorf("npz: %s: %w", quote(name), err)
		}
	}
	return w.err
}

func (w *Writer) add(member string, d tensor.DType, shape []int, r io.Reader) error {
	if err := checkMember(member); err != nil {
		return err
	}
	lower := strings.ToLower(member)
	if w.names[lower] || len(w.names) == maxMembers {
		return fmt.Errorf("duplicate member, or more than %d", maxMembers)
	}
	w.names[lower] = true
	head, err := formatHeader(d, shape)
	if err != nil {
		return err
	}
	out, err := w.zip.CreateHeader(&zip.FileHeader{Name: member, Method: zip.Store})
	if err != nil {
		return err
	}
	if _, err := out.Write(head); err != nil {
		return err
	}
	size := tensor.Tensor{DType: d, Shape: shape}.Bytes()
	n, err := io.Copy(out, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes of elements or more, want %d", n, size)
	}
	return err
}

// AddFloat32s writes v as the array called name of this shape, of 32-bit floats.
func (w *Writer) AddFloat32s(name string, shape []int, v []float32) error {
	return w.Add(name, tensor.F32, shape, &words{n: len(v), bits: func(i int) uint32 { return math.Float32bits(v[i]) }})
}

// AddInt32s writes v as the array called name of this shape, of 32-bit integers.
func (w *Writer) AddInt32s(name string, shape []int, v []int32) error {
	return w.Add(name, tensor.I32, shape, &words{n: len(v), bits: func(i int) uint32 { return uint32(v[i]) }})
}

// Close writes the directory.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.zip.Close(); err != nil {
		return fmt.Errorf("npz: %w", err)
	}
	return nil
}

// words reads n 32-bit numbers as little-endian bytes.
type words struct {
	at, n int
	bits  func(i int) uint32
	rest  []byte // of a number that was read in part
}

func (w *words) Read(b []byte) (int, error) {
	done := copy(b, w.rest)
	w.rest = w.rest[done:]
	for ; w.at < w.n && len(b)-done >= 4; w.at++ {
		binary.LittleEndian.PutUint32(b[done:], w.bits(w.at))
		done += 4
	}
	if done == 0 && len(b) > 0 {
		if w.at == w.n {
			return 0, io.EOF
		}
		w.rest = binary.LittleEndian.AppendUint32(nil, w.bits(w.at))
		w.at++
		done = copy(b, w.rest)
		w.rest = w.rest[done:]
	}
	return done, nil
}
