// Package inspect says what a GGUF file or an .npz archive holds, and how two of them differ.
//
//	path ──▶ Listing: keys, tensors ──▶ Contents (JSON), Diffable (text)
//	two Listings ──▶ Differences, tensor by tensor
//
// Before it: paths that a person names. After it: the commands that print what it found.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/checkpoint"
	"github.com/pali-gguf/pali/internal/filekind"
	"github.com/pali-gguf/pali/internal/input"
)

// ErrSeveral says that several files were given that are not the pieces of one archive.
var ErrSeveral = errors.New("only the pieces of one .npz archive are read together")

// Listing is an open file. Close it when its tensors are no longer read.
type Listing struct {
	Paths   []string // of the file, or of the archive's pieces in order
	Kind    string   // "gguf" or "npz"
	Bytes   int64    // of the file, or of all pieces
	Keys    []gguf.KV
	Tensors []Tensor
	File    *gguf.File      // nil for an archive
	Archive checkpoint.File // nil for a GGUF file
}

// Tensor is a tensor of a file, or an array of an archive.
type Tensor struct {
	Name, Type string
	Shape      []int
	Elements   int64
	Bytes      int64

	open func() (io.ReadCloser, error)
}

// Open opens a GGUF file or the pieces of an .npz archive, in the order of paths. The first bytes
// decide which of the two it is; where they are those of neither, the name decides which reader's
// error is returned. It fails with ErrSeveral on several files that are not the pieces of one
// archive.
func Open(paths ...string) (*Listing, error) {
	l := &Listing{Paths: paths}
	for _, path := range paths {
		f, info, err := filekind.Open(path, filekind.GGUF)
		if err != nil {
			return nil, err
		}
		f.Close()
		l.Bytes += info.Size()
	}
	magic, err := input.ReadHead(paths[0], int64(len(gguf.Magic)))
	switch {
	case err != nil:
	case string(magic) != gguf.Magic && (checkpoint.Format(paths[0]) != "" || !strings.HasSuffix(paths[0], ".gguf")):
		err = l.openArchive()
	case len(paths) > 1:
		err = fmt.Errorf("%d files: %w", len(paths), ErrSeveral)
	default:
		err = l.openGGUF()
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Listing) openGGUF() error {
	f, err := gguf.Open(l.Paths[0])
	if err != nil {
		return err
	}
	l.Kind, l.Keys, l.File = "gguf", f.KVs, f
	for _, t := range f.Tensors {
		l.Tensors = append(l.Tensors, Tensor{t.Name, t.Type.String(), t.Shape, t.Len(), t.Bytes(),
			func() (io.ReadCloser, error) { return io.NopCloser(f.Data(t)), nil }})
	}
	return nil
}

func (l *Listing) openArchive() error {
	a, err := checkpoint.Open(l.Paths...)
	if err != nil {
		return err
	}
	l.Kind, l.Archive = checkpoint.Format(l.Paths[0]), a
	for _, t := range a.Tensors() {
		l.Tensors = append(l.Tensors, Tensor{t.Name, t.DType.String(), t.Shape, int64(t.Len()), t.Bytes(), t.Open})
	}
	return nil
}

// Unchanged fails if a file was written to since Open: what was read may then be a mixture.
func (l *Listing) Unchanged() error {
	if l.File != nil {
		return l.File.Unchanged()
	}
	return l.Archive.Unchanged()
}

// Close closes the files.
func (l *Listing) Close() error {
	if l.File != nil {
		return l.File.Close()
	}
	return l.Archive.Close()
}

// path names the file in errors and reports: the first piece of an archive.
func (l *Listing) path() string { return l.Paths[0] }

// Read reads every tensor to its end, which checks what the file can check (an archive's sums), and
// writes the bytes of tensor i to dst(i). progress, which may be nil, is called with the bytes read
// so far and in all. Read ends when ctx does.
func (l *Listing) Read(ctx context.Context, dst func(i int) io.Writer, progress func(done, total int64)) error {
	var total, done int64
	for _, t := range l.Tensors {
		total += t.Bytes
	}
	buffer := make([]byte, 1<<20)
	for i, t := range l.Tensors {
		err := t.copyTo(ctx, dst(i), buffer, func(n int) {
			if done += int64(n); progress != nil {
				progress(done, total)
			}
		})
		if err != nil {
			return fmt.Errorf("%s: %w", l.path(), err)
		}
	}
	return nil
}

// copyTo copies a tensor's bytes to dst by way of buffer, and calls count with each number of bytes
// more.
func (t Tensor) copyTo(ctx context.Context, dst io.Writer, buffer []byte, count func(n int)) error {
	r, err := t.open()
	if err != nil {
		return fmt.Errorf("%s: %w", Plain(t.Name), err)
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
		count(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", Plain(t.Name), err)
		}
	}
}

// TypeTotal is what a file holds of one element type.
type TypeTotal struct {
	Type     string `json:"type"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"`
}

// Totals sums the tensors of each type, the type with the largest number of bytes first.
func (l *Listing) Totals() []TypeTotal {
	var all []TypeTotal
	for _, t := range l.Tensors {
		i := slices.IndexFunc(all, func(s TypeTotal) bool { return s.Type == t.Type })
		if i < 0 {
			i, all = len(all), append(all, TypeTotal{Type: t.Type})
		}
		all[i].Tensors++
		all[i].Elements += t.Elements
		all[i].Bytes += t.Bytes
	}
	slices.SortStableFunc(all, func(a, b TypeTotal) int { return int(min(1, max(-1, b.Bytes-a.Bytes))) })
	return all
}
