package main

// This file: the files that commands open by what their first bytes say.

import (
	"errors"

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
