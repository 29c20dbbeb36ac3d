package main

// This file: what a GGUF file or an .npz archive holds, told alike. Before it: the paths of a command line. After it: inspect.go and doctor.go.

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/npz"
)

// listing is an open file. Close it when its tensors are no longer read.
type listing struct {
	path    string // of the file, or of the archive's first piece
	kind    string // "gguf" or "npz"
	bytes   int64  // of the file, or of all pieces of an archive
	keys    []gguf.KV
	tensors []listedTensor
	file    *gguf.File   // nil for an archive
	archive *npz.Archive // nil for a GGUF file
	close   func() error
}

// listedTensor is a tensor of a file, or an array of an archive.
type listedTensor struct {
	name, kind string // kind is the element type's name
	shape      []int
	elements   int64
	bytes      int64
	open       func() (io.ReadCloser, error)
}

// list opens a GGUF file or the pieces of an .npz archive. Which of the two it is, the first bytes say; where they say neither, the name
// chooses who explains what is wrong.
func list(paths []string) (*listing, error) {
	var bytes int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("%s: no such file", path)
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: not a regular file, want a GGUF file or an .npz archive", path)
		}
		bytes += info.Size()
	}
	magic, err := firstBytes(paths[0], len(gguf.Magic))
	if err != nil {
		return nil, err
	}
	if magic != gguf.Magic && (strings.HasPrefix(magic, "PK") || !strings.HasSuffix(paths[0], ".gguf")) {
		return listArchive(paths, bytes)
	}
	if len(paths) > 1 {
		return nil, usagef("%d files: only the pieces of one .npz archive are read together", len(paths))
	}
	return listGGUF(paths[0], bytes)
}

func listGGUF(path string, bytes int64) (*listing, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	l := &listing{path: path, kind: "gguf", bytes: bytes, keys: f.KVs, file: f, close: f.Close}
	for _, t := range f.Tensors {
		l.tensors = append(l.tensors, listedTensor{t.Name, t.Type.String(), t.Shape, t.Len(), t.Bytes(),
			func() (io.ReadCloser, error) { return io.NopCloser(f.Data(t)), nil }})
	}
	return l, nil
}

func listArchive(paths []string, bytes int64) (*listing, error) {
	a, err := npz.Open(paths...)
	if err != nil {
		return nil, err
	}
	l := &listing{path: paths[0], kind: "npz", bytes: bytes, archive: a, close: a.Close}
	for _, t := range a.Tensors() {
		l.tensors = append(l.tensors, listedTensor{t.Name, t.DType.String(), t.Shape, int64(t.Len()), t.Bytes(), t.Open})
	}
	return l, nil
}

// firstBytes returns the first n bytes of a file, or as many as there are.
func firstBytes(path string, n int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(n)))
	return string(b), err
}

// read reads every tensor to its end, which checks what the file can check (an archive's sums). dst returns where a tensor's bytes go.
// It shows a bar on w where that is a terminal, and ends early when ctx does.
func (l *listing) read(ctx context.Context, w io.Writer, title string, dst func(i int) io.Writer) error {
	var total, done int64
	for _, t := range l.tensors {
		total += t.bytes
	}
	bar := progress.Bytes(w, title)
	defer bar.Close()
	buffer := make([]byte, 1<<20)
	for i, t := range l.tensors {
		if err := t.readTo(ctx, dst(i), buffer, func(n int) { done += int64(n); bar.Set(done, total) }); err != nil {
			return fmt.Errorf("%s: %w", l.path, err)
		}
	}
	return nil
}

// readTo copies a tensor's bytes to dst, and tells each how many more it has read.
func (t listedTensor) readTo(ctx context.Context, dst io.Writer, buffer []byte, each func(n int)) error {
	r, err := t.open()
	if err != nil {
		return fmt.Errorf("%s: %w", plain(t.name), err)
	}
	defer r.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buffer)
		if _, failed := dst.Write(buffer[:n]); failed != nil {
			return failed
		}
		each(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", plain(t.name), err)
		}
	}
}

// typeTotal is what a file holds of one element type.
type typeTotal struct {
	Type     string `json:"type"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"`
}

// totals sums the tensors of each type, the most bytes first.
func (l *listing) totals() []typeTotal {
	var all []typeTotal
	for _, t := range l.tensors {
		i := slices.IndexFunc(all, func(s typeTotal) bool { return s.Type == t.kind })
		if i < 0 {
			i, all = len(all), append(all, typeTotal{Type: t.kind})
		}
		all[i].Tensors++
		all[i].Elements += t.elements
		all[i].Bytes += t.bytes
	}
	slices.SortStableFunc(all, func(a, b typeTotal) int { return int(min(1, max(-1, b.Bytes-a.Bytes))) })
	return all
}
