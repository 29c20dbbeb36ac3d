package convert

// This file: the one reader, and the memory that it shares with the workers (strip.go).
//
//	reader ──spans in buffers──▶ strips of about 1 MiB ──▶ workers ──WriteAt──▶ files
//	   ▲──────────── a buffer is free when its last strip is fetched ─┘

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/strips"
)

const (
	budget     = 400 << 20 // bytes of spans in memory, unless two are larger: one is read while one is worked on
	maxBuffers = 8
	readBytes  = 1 << 20 // at a time, between checks of the context
	tileRows   = 16      // rows that share the cache lines of a transposed source (tensor.Gather.Rows)
)

// buffer holds one span while its strips are worked on.
type buffer struct {
	raw   []byte
	users atomic.Int32 // the reader, and the strips that are not yet fetched
	free  chan<- *buffer
}

// release gives the buffer back if the caller was its last user.
func (b *buffer) release() {
	if b.users.Add(-1) == 0 {
		b.free <- b
	}
}

// strip is some rows of a span, counted from the span's first.
type strip struct {
	job      *job
	span     *span
	buffer   *buffer
	from, to int
}

// run reads all arrays and gives their strips to n workers (0: one for each processor).
func (l *layout) run(ctx context.Context, threads int, newWorker func() strips.Worker[strip],
	progress func(done, total int64)) error {
	largest := l.largest()
	free := make(chan *buffer, maxBuffers)
	for range min(max(budget/largest, 2), maxBuffers) {
		free <- &buffer{raw: make([]byte, largest), free: free}
	}
	count := strips.Progress(l.bytes(), progress)
	return strips.Run(ctx, threads, func(ctx context.Context, hand func(strip) error) error {
		for i := range l.jobs {
			if err := l.jobs[i].read(ctx, free, hand, count); err != nil {
				return err
			}
		}
		return nil
	}, newWorker)
}

// read reads one array from its first byte to its last and hands out its strips.
func (j *job) read(ctx context.Context, free <-chan *buffer, hand func(strip) error, count func(n int)) error {
	r, err := j.tensor.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	for i := range j.spans {
		span := &j.spans[i]
		var b *buffer
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := fill(ctx, b.raw[:span.bytes], r, count); err != nil {
			return fmt.Errorf("convert: %s: %w", j.tensor.Name, err)
		}
		b.users.Store(1)
		for from, to := range strips.Rows(span.rows, span.target.width, tileRows) {
			b.users.Add(1)
			if err := hand(strip{j, span, b, from, to}); err != nil {
				return err
			}
		}
		b.release()
	}
	// The source compares the array's checksum when its end is reached.
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("convert: %s: continues after its last element", j.tensor.Name)
	default:
		return fmt.Errorf("convert: %s: %w", j.tensor.Name, err)
	}
}

// fill reads until b is full.
func fill(ctx context.Context, b []byte, r io.Reader, count func(n int)) error {
	for len(b) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(readBytes, len(b))
		if _, err := io.ReadFull(r, b[:n]); err != nil {
			return err
		}
		count(n)
		b = b[n:]
	}
	return nil
}

// blockBytes returns the stored size of some rows.
func (t *target) blockBytes(rows int) int64 {
	return int64(rows) * gguf.Type.RowBytes(t.tensor.Type, t.width)
}
