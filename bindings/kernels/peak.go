package ggml

// This file: what this machine can do at most, to say what share of it a model reaches. Before it: nothing. After it: pali bench.

// #include "limits.h"
// #include <stdlib.h>
import "C"

import (
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Limits are rates of this machine, with so many threads at once, the best of three tries each. A rate is 0 where the processor has no instruction for it.
type Limits struct {
	Read float64 // bytes of memory a second, one after the other
	Int8 float64 // operations a second of the product of bytes that ggml's block types come down to; a multiplication and an addition are two
	BF16 float64
	F32  float64
}

// What all threads read together, far more than a cache, one of them at least, and how many loops each does, at each try.
const (
	limitBytes = 512 << 20
	leastBytes = 16 << 20
	limitLoops = 1 << 23
)

// MeasureLimits takes about a second.
func MeasureLimits(threads int) Limits {
	var l Limits
	size := max(limitBytes/threads, leastBytes) &^ 63
	buffers := make([]unsafe.Pointer, threads)
	for i := range buffers {
		buffers[i] = C.aligned_alloc(64, C.size_t(size))
		if buffers[i] != nil {
			b := unsafe.Slice((*byte)(buffers[i]), size)
			for j := 0; j < size; j += 1 << 10 {
				b[j] = 1 // a page that was never written to may not be there
			}
		}
	}
	l.Read = best(threads, func(i int) float64 {
		if buffers[i] == nil {
			return 0
		}
		C.pali_limit_read(buffers[i], C.uint64_t(size))
		return float64(size)
	})
	for _, b := range buffers {
		C.free(b)
	}
	var sinks [1024]C.float
	l.Int8 = best(threads, func(i int) float64 { return float64(C.pali_limit_int8(limitLoops, &sinks[i%len(sinks)])) })
	l.BF16 = best(threads, func(i int) float64 { return float64(C.pali_limit_bf16(limitLoops, &sinks[i%len(sinks)])) })
	l.F32 = best(threads, func(i int) float64 { return float64(C.pali_limit_f32(limitLoops, &sinks[i%len(sinks)])) })
	return l
}

// best runs work on every thread at once, three times, and returns the largest sum of what it did in a second.
func best(threads int, work func(thread int) float64) float64 {
	most := 0.0
	for range 3 {
		var together sync.WaitGroup
		done := make([]float64, threads)
		start := time.Now()
		for i := range threads {
			together.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				done[i] = work(i)
			})
		}
		together.Wait()
		took, sum := time.Since(start).Seconds(), 0.0
		for _, d := range done {
			sum += d
		}
		most = max(most, sum/took)
	}
	return most
}
