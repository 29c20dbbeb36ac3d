//go:build unix

package input

// This file: opening without waiting, on Unix.

import (
	"errors"
	"os"
	"syscall"
)

// openNonBlocking opens the file at path to read it, without waiting for a FIFO's writer.
func openNonBlocking(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket, which cannot be opened
		if info, err := os.Stat(path); err == nil {
			return nil, KindError{path, info.Mode()}
		}
	}
	return f, err
}
