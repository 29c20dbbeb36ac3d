package kernels

// This file: what this machine can do at most, to say what share of it a model reaches.

// #include "peak.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// Limits are rates of this machine. A rate is 0 where the processor has no instruction for it.
type Limits struct {
	Read float64 // bytes of memory a second, read in order
	// Int8 is operations a second of the product of bytes that ggml's block types come down to; a
	// multiplication and an addition are two. BF16 and F32 are the same for floats.
	Int8, BF16, F32 float64
}

const (
	readBytes    = 512 << 20 // by all threads together: far more than a cache
	minReadBytes = 16 << 20  // by each
	peakLoops    = 1 << 23   // of each thread, at each try
	tries        = 3
)

// MeasureLimits measures with the given number of threads at once, takes the best of three tries
// for each rate, and needs about a second. It fails where threads is not 1 to ggml.MaxThreads.
func MeasureLimits(threads int) (Limits, error) {
	if threads < 1 || threads > ggml.MaxThreads {
		return Limits{}, fmt.Errorf("kernels: %d threads, want 1 to %d", threads, ggml.MaxThreads)
	}
	sinks := make([]C.float, threads)
	return Limits{
		Read: readRate(threads),
		Int8: best(threads, func(i int) float64 { return float64(C.pali_peak_int8(peakLoops, &sinks[i])) }),
		BF16: best(threads, func(i int) float64 { return float64(C.pali_peak_bf16(peakLoops, &sinks[i])) }),
		F32:  best(threads, func(i int) float64 { return float64(C.pali_peak_f32(peakLoops, &sinks[i])) }),
	}, nil
}

// readRate returns how many bytes a second the threads read together.
func readRate(threads int) float64 {
	size := max(readBytes/threads, minReadBytes) &^ 63
	buffers := make([]unsafe.Pointer, threads)
	for i := range buffers {
		buffers[i] = C.aligned_alloc(64, C.size_t(size))
		defer C.free(buffers[i])
		if buffers[i] != nil {
			b := unsafe.Slice((*byte)(buffers[i]), size)
			for j := 0; j < size; j += 1 << 10 {
				b[j] = 1 // the system may not have given memory to a page that was never written
			}
		}
	}
	return best(threads, func(i int) float64 {
		if buffers[i] == nil {
			return 0
		}
		C.pali_peak_read(buffers[i], C.uint64_t(size))
		return float64(size)
	})
}

// best runs work on every thread at once, a few times, and returns the largest sum of what it
// returned in a second.
func best(threads int, work func(thread int) float64) float64 {
	rate := 0.0
	for range tries {
		var all sync.WaitGroup
		done := make([]float64, threads)
		start := time.Now()
		for i := range threads {
			all.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				done[i] = work(i)
			})
		}
		all.Wait()
		seconds, sum := time.Since(start).Seconds(), 0.0
		for _, d := range done {
			sum += d
		}
		rate = max(rate, sum/seconds)
	}
	return rate
}
