package ggml

// This file: the flag that stops a graph.

// #include "glue.h"
import "C"

import "unsafe"

// Stop is a flag in C memory that ends a running graph. The zero Stop is never raised.
type Stop struct{ flag *C.int }

// NewStop makes a flag that is not raised. Free it when nothing runs any more.
func NewStop() Stop {
	return Stop{(*C.int)(C.calloc(C.PALI_STOP_INTS, C.sizeof_int))}
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

// Polls returns how often the flag was polled: it grows while a graph makes progress. On the processor
// each node of a graph polls it once, on other devices each part of one. Safe for concurrent use.
func (s Stop) Polls() int {
	if s.flag == nil {
		return 0
	}
	return int(C.pali_stop_polls(s.flag))
}

// RunInParts makes the graphs that have EvalPointers run in parts, after each of which the flag is
// polled, from a call with on set to one without. A device waits between parts: worth it in a graph
// that takes long, not in one for a single token. It must not be called while a graph runs.
func (s Stop) RunInParts(on bool) {
	if s.flag != nil {
		value := C.int(0)
		if on {
			value = 1
		}
		C.pali_stop_parts(s.flag, value)
	}
}

// EvalPointers returns a scheduler's callback that polls the flag on any device, and its argument,
// for bindings/llama; nil of the zero Stop. A graph that was ended so reports success.
func (s Stop) EvalPointers() (callback, data unsafe.Pointer) {
	if s.flag == nil {
		return nil, nil
	}
	return unsafe.Pointer(C.pali_stop_eval), unsafe.Pointer(s.flag)
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
