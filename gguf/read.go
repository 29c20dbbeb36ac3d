package gguf

// This file: an opened GGUF file, its keys and its tensors.

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pali-gguf/pali/internal/filekind"
)

// File is the description of a GGUF file, checked by the rules in the package's comment. Its
// methods are safe for concurrent use.
type File struct {
	KVs     []KV     // in the file's order
	Tensors []Tensor // in the file's order, which is also the order of their data
	Size    int64    // bytes

	r        io.ReaderAt
	file     *stableFile // nil after Read
	byKey    []int32     // positions in KVs, ordered by key
	byTensor []int32     // positions in Tensors, ordered by name
}

// Open reads the description of the file at path, a regular file, and keeps the file open for Data
// until Close.
func Open(path string) (*File, error) {
	r, info, err := filekind.Open(path, filekind.GGUF)
	if other := (filekind.Error{}); errors.As(err, &other) {
		return nil, other
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := decode(r, info.Size())
	if err != nil {
		err = cmp.Or(filekind.OfReader(path, r, info.Size(), filekind.GGUF), fmt.Errorf("gguf: %s: %w", path, err))
		r.Close()
		return nil, err
	}
	f.file = &stableFile{r, info}
	return f, nil
}

// Read reads the description of the file r of size bytes. Of the data section it reads only the
// padding between the tensors.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f, err := decode(r, size)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return f, nil
}

// stableFile is an open file and what it was when it was opened.
type stableFile struct {
	*os.File
	was os.FileInfo
}

func (s *stableFile) unchanged() error {
	info, err := s.Stat()
	if err == nil && (info.Size() != s.was.Size() || !info.ModTime().Equal(s.was.ModTime())) {
		err = fmt.Errorf("gguf: %s changed while it was read", s.Name())
	}
	return err
}

// Unchanged fails if the file's size or modification time changed since Open: what was read may
// then be a mixture. It fails on a closed file, and does nothing after Read.
func (f *File) Unchanged() error {
	if f.file == nil {
		return nil
	}
	return f.file.unchanged()
}

// Close closes the file that Open opened; after Read it does nothing. Calls after the first do
// nothing.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	if err := f.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Lookup returns the value of key. Its type is one of those that KV lists.
func (f *File) Lookup(key string) (any, bool) {
	i, ok := find(f.byKey, func(i int) string { return f.KVs[i].Key }, key)
	if !ok {
		return nil, false
	}
	return f.KVs[i].Value, true
}

// Get returns the value of key in f. It fails if there is none or its type is not T, one of those
// that KV lists.
func Get[T any](f *File, key string) (T, error) {
	var zero T
	v, ok := f.Lookup(key)
	if !ok {
		return zero, fmt.Errorf("gguf: missing key %s", key)
	}
	t, ok := v.(T)
	if !ok {
		return zero, fmt.Errorf("gguf: %s: have %T, want %T", key, v, zero)
	}
	return t, nil
}

// Tensor returns the tensor called name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := find(f.byTensor, func(i int) string { return f.Tensors[i].Name }, name)
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Data returns the bytes of t, one of the tensors of f, without padding.
func (f *File) Data(t Tensor) *io.SectionReader { return io.NewSectionReader(f.r, t.Offset, t.Bytes()) }
