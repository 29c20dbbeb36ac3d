// Package ggml is the part of ggml that this program calls, in Go: contexts, graphs, backends, block types, the log.
//
// It has no opinions: one Go method for one C function, whose prototype is in api.h. Together with bindings/llama it is the only
// C in the module. The library itself is compiled by cgo from the Go module github.com/ollama/ollama, imported here for that
// purpose alone. Sizes are in ggml's order ("ne", fastest axis first).
//
// Nothing here is safe for concurrent use unless it says so.
package ggml

// #cgo CFLAGS: -std=gnu11
// #cgo amd64,!darwin LDFLAGS: -Wl,--wrap=llamafile_sgemm
// #include "glue.h"
import "C"

import (
	"strings"
	"unsafe"

	_ "github.com/ollama/ollama/ml/backend/ggml/ggml/src" // compiles ggml
)

func init() { C.pali_log_install() }

// TakeLog returns what ggml and llama.cpp have said as warnings and errors since the last call, one message a line, and forgets it.
// Safe for concurrent use.
func TakeLog() []string {
	var buf [4096]byte
	n := C.pali_log_take((*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == '\n' })
}

// LogCallback returns the C function that collects the log, for bindings/llama.
func LogCallback() unsafe.Pointer { return unsafe.Pointer(C.pali_log) }

// withCString calls f with a C copy of s that lives until f returns. C.CString appears nowhere else in this package.
func withCString[T any](s string, f func(*C.char) T) T {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	return f(c)
}

// Stop is a flag in C memory that ends a running graph. Raise is safe for concurrent use.
type Stop struct{ flag *C.int }

// NewStop makes a flag that is not raised. Free it when nothing runs any more.
func NewStop() Stop {
	return Stop{(*C.int)(C.calloc(2, C.sizeof_int))}
}

// Raise makes the running graph, and those after it, end early.
func (s Stop) Raise() { C.pali_stop_set(s.flag, 1) }

// Lower lets graphs run again.
func (s Stop) Lower() { C.pali_stop_set(s.flag, 0) }

// Raised reports whether the flag is raised. Safe for concurrent use.
func (s Stop) Raised() bool { return bool(C.pali_stop_raised(unsafe.Pointer(s.flag))) }

// Asked returns how often the flag was looked at. On the processor each operation of a graph looks once: the number grows while a graph gets on.
// Safe for concurrent use.
func (s Stop) Asked() int { return int(C.pali_stop_asked(s.flag)) }

// Free releases the flag.
func (s Stop) Free() { C.free(unsafe.Pointer(s.flag)) }

// Pointers returns the abort callback and its argument, for bindings/llama.
func (s Stop) Pointers() (callback, data unsafe.Pointer) {
	return unsafe.Pointer(C.pali_stop_raised), unsafe.Pointer(s.flag)
}

// CompiledFor lists the instruction sets this build may use: "AVX2 AVX512 REPACK".
func CompiledFor() []string { return strings.Fields(C.GoString(C.pali_compiled_for())) }

// CompiledSlow reports whether the processor could do much more than this build was compiled for.
func CompiledSlow() bool { return bool(C.pali_compiled_slow()) }

// Compiler names the C compiler of this build.
func Compiler() string { return C.GoString(C.pali_compiler()) }
