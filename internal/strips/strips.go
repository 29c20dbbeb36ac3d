// Package strips processes whole tensors in parallel, for a conversion, a quantization or a
// comparison.
//
//	cut ──strips of about 1 MiB──▶ workers, each with its own memory: Fetch ──▶ values ──▶ Store
//
// One goroutine cuts tensors into strips of rows, in order; workers do them, in any order. Where
// the strips lie depends on the shapes alone, so that nothing that is computed depends on the
// threads.
package strips

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Size is about how many values a strip has: 1 MiB of 32-bit floats.
const Size = 1 << 18

// maxThreads bounds the workers: each has a strip as it was read, as values and as bytes, 2 to 5
// MiB.
const maxThreads = 64

// Worker does one strip after another, in memory of its own.
type Worker[S any] interface {
	// Fetch returns the values of a strip. They are valid until the next Fetch.
	Fetch(S) ([]float32, error)
	// Store takes the values that Fetch returned for the strip to their place.
	Store(S, []float32) error
}

// Run calls cut in a goroutine of its own and gives each strip that cut hands out to one of n
// workers (threads < 1: one for each processor), each made by newWorker. hand waits until a worker
// is free. Run returns when all strips are done, or with the first error. When ctx ends it returns
// the cause: cut's context ends with ctx and with the first error.
func Run[S any](ctx context.Context, threads int, cut func(ctx context.Context, hand func(S) error) error,
	newWorker func() Worker[S]) error {
	group, running := errgroup.WithContext(ctx)
	strips := make(chan S)
	group.Go(func() error {
		defer close(strips)
		return cut(running, func(s S) error {
			select {
			case strips <- s:
				return nil
			case <-running.Done():
				return running.Err()
			}
		})
	})
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	for range min(threads, maxThreads) {
		group.Go(func() error { return work(running, strips, newWorker()) })
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// work does strips until there are no more.
func work[S any](ctx context.Context, strips <-chan S, w Worker[S]) error {
	for s := range strips {
		if err := ctx.Err(); err != nil {
			return err
		}
		values, err := w.Fetch(s)
		if err != nil {
			return err
		}
		if err := w.Store(s, values); err != nil {
			return err
		}
	}
	return nil
}

// Rows cuts n rows of width values into strips of about Size values. It yields the first row of
// each and the row after its last. All strips but the last have a multiple of tile rows, and at
// least one tile.
func Rows(n, width, tile int) iter.Seq2[int, int] {
	step := max(Size/width/tile, 1) * tile
	return func(yield func(from, to int) bool) {
		for from := 0; from < n; from += step {
			if !yield(from, min(from+step, n)) {
				return
			}
		}
	}
}

// Progress returns a function that counts n more bytes as done and calls report, which may be nil,
// with the bytes done so far and total. It is safe for concurrent use; report is called by one
// goroutine at a time.
func Progress(total int64, report func(done, total int64)) func(n int) {
	if report == nil {
		return func(int) {}
	}
	var mutex sync.Mutex
	var done int64
	return func(n int) {
		mutex.Lock()
		defer mutex.Unlock()
		done += int64(n)
		report(done, total)
	}
}

// Room returns n elements of *memory, which is made larger where it has fewer. What they hold is
// left over from the last use.
func Room[T any](memory *[]T, n int) []T {
	if n > cap(*memory) {
		*memory = make([]T, n)
	}
	return (*memory)[:n]
}

// ValueError says what is wrong with the value v, element at of an array of this shape in C order:
// "element [1 7] is NaN, want a finite number".
func ValueError(shape []int, at int, v float32, wrong string) error {
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a], at = at%shape[a], at/shape[a]
	}
	return fmt.Errorf("element %v is %g, %s", index, v, wrong)
}

// NotFinite is what is wrong with a NaN or an infinity.
const NotFinite = "want a finite number"
