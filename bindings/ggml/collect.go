package ggml

// This file: the inputs of weights, seen while the graphs of a scheduler or of a context of
// bindings/llama run.

// #include "collect.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

// SumSquares is what a Collector saw of the inputs of one weight.
type SumSquares struct {
	Name string
	Rows int64     // rows of its inputs
	Sums []float64 // for each column of the inputs, the sum of the squares of its values
}

// Collector sums the squares of what each weight is multiplied with (GGML_OP_MUL_MAT), by the
// weights' names. It sees tensors in the processor's memory only. It lives in C memory: the
// callback never enters Go.
type Collector struct{ p *C.struct_pali_collector }

// NewCollector makes an empty one. Free it when nothing runs any more.
func NewCollector() *Collector {
	return &Collector{(*C.struct_pali_collector)(C.calloc(1, C.sizeof_struct_pali_collector))}
}

// Pause makes the collector ignore all graphs from a call with paused set to one without.
func (c *Collector) Pause(paused bool) { c.p.paused = C.bool(paused) }

// Take returns the sums since the last call, in the order in which the weights were first met, and
// starts again from zero. It fails where an input was NaN or infinite, or could not be read.
func (c *Collector) Take() ([]SumSquares, error) {
	defer C.pali_collector_clear(c.p)
	if c.p.fault != nil {
		return nil, fmt.Errorf("ggml: %s: %s", C.GoString(&c.p.fault_name[0]), C.GoString(c.p.fault))
	}
	var all []SumSquares
	for s := c.p.first; s != nil; s = s.next {
		name := C.GoString(&s.name[0])
		sums := make([]float64, s.cols)
		copy(sums, unsafe.Slice((*float64)(unsafe.Add(unsafe.Pointer(s), C.sizeof_struct_pali_sum_squares)), s.cols))
		for i, v := range sums {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("ggml: %s: column %d of its inputs: %s", name, i,
					"the model's weights give no numbers (NaN or infinity)")
			}
		}
		all = append(all, SumSquares{name, int64(s.rows), sums})
	}
	return all, nil
}

// Free releases the collector. It does nothing the second time.
func (c *Collector) Free() {
	if c.p != nil {
		C.pali_collector_clear(c.p)
		C.free(unsafe.Pointer(c.p))
		c.p = nil
	}
}

// Pointers returns the callback and its argument, for bindings/llama.
func (c *Collector) Pointers() (callback, data unsafe.Pointer) {
	return unsafe.Pointer(C.pali_collect), unsafe.Pointer(c.p)
}

// Watch calls ggml_backend_sched_set_eval_callback: c sees every graph that the scheduler runs.
func (s *Scheduler) Watch(c *Collector) {
	C.ggml_backend_sched_set_eval_callback(s.p, C.pali_eval_callback(C.pali_collect), unsafe.Pointer(c.p))
}
