package ggml

// This file: a mapped file that is cut while it is used.

// #include "fault.h"
// #include <stdlib.h>
import "C"

import "unsafe"

// ExplainLostPages makes the process end with a sentence of at most 500 bytes on standard error, and
// code 1, where a page of a mapped file cannot be read any more, in C or in Go: by default Go prints
// all its stacks then. It is for programs, which own their process, not for libraries; the first
// call counts. On Windows it does nothing.
func ExplainLostPages(sentence string) {
	text := C.CString(sentence + "\n")
	defer C.free(unsafe.Pointer(text))
	C.pali_explain_lost_page(text)
}
