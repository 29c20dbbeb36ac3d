// Package ggml is the part of ggml that this program calls, in Go: one method for one C function,
// which its comment names and whose prototype is in api.h.
//
// The exceptions are C callbacks that must not enter Go, each with a type here: the log (TakeLog),
// the flag that stops a graph (Stop), the sums of what weights are multiplied with (Collector), and
// the signal of a page that is gone (ExplainLostPages).
// Kernels of our own are in bindings/kernels. The library itself is compiled by cgo from the Go
// module github.com/ollama/ollama, imported here for that purpose alone. Sizes are in ggml's order
// ("ne", fastest axis first).
//
// Nothing here is safe for concurrent use unless its comment says so.
package ggml

// #cgo CFLAGS: -std=gnu11
// #cgo !darwin LDFLAGS: -Wl,--wrap=ggml_mul_mat
// #include "glue.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	_ "github.com/ollama/ollama/ml/backend/ggml/ggml/src" // compiles ggml
)

func init() { C.pali_log_install() }

// TakeLog returns the warnings and errors that ggml and llama.cpp logged since the last call, one
// message a line. Safe for concurrent use.
func TakeLog() []string {
	var buf [4096]byte
	n := C.pali_log_take((*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == '\n' })
}

// WithLog takes the log and adds it to err, if there is any.
func WithLog(err error) error {
	if lines := TakeLog(); len(lines) > 0 {
		return fmt.Errorf("%w (%s)", err, strings.Join(lines, "; "))
	}
	return err
}

// LogCallback returns the C function that collects the log, for bindings/llama.
func LogCallback() unsafe.Pointer { return unsafe.Pointer(C.pali_log) }

// withCString calls f with a C copy of s that lives until f returns. C.CString appears nowhere else
// in this package.
func withCString[T any](s string, f func(*C.char) T) T {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	return f(c)
}

// CompiledFor lists the instruction sets this build may use: "AVX2 AVX512 REPACK".
func CompiledFor() []string { return strings.Fields(C.GoString(C.pali_compiled_for())) }

// CompiledSlow reports whether the processor has AVX2 and this build was compiled without it.
func CompiledSlow() bool { return bool(C.pali_compiled_slow()) }

// Compiler names the C compiler of this build.
func Compiler() string { return C.GoString(C.pali_compiler()) }
