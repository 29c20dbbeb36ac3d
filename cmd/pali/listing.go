package main

// This file: the files that commands open by what their first bytes say.

import (
	"errors"
	"io"
	"os"

	"github.com/pali-gguf/pali/internal/inspect"
)

// openListing opens a GGUF file or the pieces of an .npz archive.
func openListing(paths []string) (*inspect.Listing, error) {
	l, err := inspect.Open(paths...)
	if errors.Is(err, inspect.ErrSeveral) {
		return nil, usageError{err}
	}
	return l, err
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
