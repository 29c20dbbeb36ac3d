package engine

// This file: a budget of memory, shared by all requests.

import (
	"context"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// budget is a number of bytes that may be taken at a time, in the order of asking. Safe for concurrent
// use.
type budget struct {
	size int64
	free *semaphore.Weighted
}

func newBudget(size int64) *budget { return &budget{size, semaphore.NewWeighted(size)} }

// collected is the share of a budget from which on the memory of one who gives it back is collected
// at once: Go would let as much garbage again come together.
const collected = 16

// take takes n bytes, or all if n is more, when they are free; it calls delayed before it waits, and
// fails when ctx ends. The caller gives them back by calling release once, when it holds nothing that
// it made of them any more.
func (b *budget) take(ctx context.Context, n int64, delayed func()) (release func(), err error) {
	n = min(n, b.size)
	if !b.free.TryAcquire(n) {
		delayed()
		if err := b.free.Acquire(ctx, n); err != nil {
			return nil, err
		}
	}
	return func() {
		if n >= b.size/collected {
			runtime.GC()
		}
		b.free.Release(n)
	}, nil
}
