package ggml

// This file: the flag that stops a graph.

// #include "glue.h"
import "C"

import "unsafe"

// Stop is a flag in C memory that ends a running graph. The zero Stop is never raised.
type Stop struct{ flag *C.int }

// NewStop makes a flag that is not raised. Free it when nothing runs any more.
func NewStop() Stop {
	return Stop{(*C.int)(C.calloc(2, C.sizeof_int))}
}

// Raise makes the running graph end early, and those that follow. Safe for concurrent use.
func (s Stop) Raise() { s.set(1) }

// Lower allows graphs to run again. Safe for concurrent use.
func (s Stop) Lower() { s.set(0) }

func (s Stop) set(value C.int) {
	if s.flag != nil {
		C.pali_stop_set(s.flag, value)
	}
}

// Raised reports whether the flag is raised. Safe for concurrent use.
func (s Stop) Raised() bool {
	return s.flag != nil && bool(C.pali_stop_raised(unsafe.Pointer(s.flag)))
}

// Polls returns how often the flag was polled. On the processor each node of a graph polls it once:
// it grows while a graph makes progress. Safe for concurrent use.
func (s Stop) Polls() int {
	if s.flag == nil {
		return 0
	}
	return int(C.pali_stop_polls(s.flag))
}

// Free releases the flag.
func (s Stop) Free() { C.free(unsafe.Pointer(s.flag)) }

// Pointers returns the abort callback and its argument, for bindings/llama; nil of the zero Stop.
func (s Stop) Pointers() (callback, data unsafe.Pointer) {
	if s.flag == nil {
		return nil, nil
	}
	return unsafe.Pointer(C.pali_stop_raised), unsafe.Pointer(s.flag)
}
