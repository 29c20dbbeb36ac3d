package store

// This file: what distinguishes runs.

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/pali-gguf/pali/gguf"
)

// Identity is a hash of all that the answers of a run depend on: a stopped run continues only where
// it is the same. Write adds bytes to it; the methods that read files keep their first error for
// Text.
type Identity struct {
	hash hash.Hash
	err  error
}

// NewIdentity begins an identity with options, the values of a run's options.
func NewIdentity(options ...any) *Identity {
	id := &Identity{hash: sha256.New()}
	fmt.Fprintln(id, options...)
	return id
}

// Write adds b. It never fails.
func (id *Identity) Write(b []byte) (int, error) { return id.hash.Write(b) }

// Digest returns 64 hexadecimal digits that tell the files of a model from others: a hash of what
// Identity.Models reads, which takes milliseconds.
func (f Files) Digest() (string, error) {
	id := NewIdentity()
	id.OptionalModels(f.Text, f.Vision, f.Masks)
	return id.Text(sha256.Size)
}

// Models adds what distinguishes the GGUF files at paths: their keys, and the beginning of each
// tensor.
func (id *Identity) Models(paths ...string) {
	for _, path := range paths {
		id.setError(WithFile(path, func(f *gguf.File) error {
			fmt.Fprintln(id, f.Size, f.KVs)
			for _, t := range f.Tensors {
				fmt.Fprintln(id, t)
				if _, err := io.Copy(id, io.LimitReader(f.Data(t), 4096)); err != nil {
					return fmt.Errorf("%s: %w", t.Name, err)
				}
			}
			return nil
		}))
	}
}

// OptionalModels adds those of paths that are not "" as Models does, and which they are.
func (id *Identity) OptionalModels(paths ...string) {
	for _, path := range paths {
		if fmt.Fprintln(id, path != ""); path != "" {
			id.Models(path)
		}
	}
}

func (id *Identity) setError(err error) {
	if id.err == nil {
		id.err = err
	}
}

// Text returns the first n bytes of the hash, 32 at most, in hexadecimal, or the first error.
func (id *Identity) Text(n int) (string, error) {
	return fmt.Sprintf("%x", id.hash.Sum(nil)[:n]), id.err
}
