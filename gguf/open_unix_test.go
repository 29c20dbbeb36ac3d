//go:build unix

package gguf_test

// This file: paths that only Unix has. Opening a named pipe would wait for ever.

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpenNotRegular(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	checkNotOpened(t, map[string]string{"/dev/null": "not a regular file", fifo: "not a regular file"})
}
