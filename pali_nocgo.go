//go:build !cgo

package pali

import "github.com/pali-gguf/pali/internal/store"

func openBackend(store.Files, Options) (backend, error) { return nil, ErrNoCgo }
