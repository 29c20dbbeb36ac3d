//go:build sanitize

package kernels

// This file: this package's C under the compiler's sanitizers for memory and undefined behaviour,
// over a llama.cpp that is compiled as always (make asan-short).

// #cgo CFLAGS: -fsanitize=address,undefined -fno-omit-frame-pointer -O1 -g1
// #cgo LDFLAGS: -fsanitize=address,undefined
import "C"
