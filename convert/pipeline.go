package convert

// This file: the one reader, the workers behind it, and the memory they share.
// Before it: plan.go's jobs. After it: strip.go, which does the work on a strip of rows.
//
//	reader ──pieces in buffers──▶ strips of about 1 MiB ──▶ workers ──WriteAt──▶ files
//	   ▲──────────── a buffer is free when its last strip is done ─┘

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/pali-gguf/pali/gguf"
)

const (
	budget     = 400 << 20 // bytes of pieces in memory, unless two are larger: one is read while one is worked on
	maxBuffers = 8
	maxThreads = 64      // each has a strip as values and as bytes: 2 to 5 MB
	readBytes  = 1 << 20 // at a time, between looks at the context
	stripSize  = 1 << 18 // values: 1 MiB as F32
	tileRows   = 16      // rows that share the cache lines of a transposed source (tensor.Move.Rows)
)

// buffer holds one piece while its strips are worked on.
type buffer struct {
	raw  []byte
	left atomic.Int32 // strips
}

// strip is some rows of a piece, counted from the piece's first.
type strip struct {
	job      *job
	piece    *piece
	buffer   *buffer
	from, to int
}

// run does all jobs. out gives the file to write to.
func (p *plan) run(ctx context.Context, out func(file int) io.WriterAt, o Options) error {
	return p.work(ctx, o.Threads, func() func(strip) error {
		w := &worker{out: out, policies: [2]Encoder{textFile: o.Text, visionFile: o.Vision}}
		return w.do
	}, o.Progress)
}

// work reads all jobs and gives their strips to so many workers (0: one for each processor), each made by newWorker with memory of its own.
func (p *plan) work(ctx context.Context, threads int, newWorker func() func(strip) error, progress func(done, total int64)) error {
	group, gctx := errgroup.WithContext(ctx)
	largest := p.largest()
	free := make(chan *buffer, maxBuffers)
	for range min(max(budget/largest, 2), maxBuffers) {
		free <- &buffer{raw: make([]byte, largest)}
	}
	strips := make(chan strip)
	group.Go(func() error {
		defer close(strips)
		return p.read(gctx, free, strips, progress)
	})
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	for range min(threads, maxThreads) {
		do := newWorker()
		group.Go(func() error {
			for s := range strips {
				if err := gctx.Err(); err != nil {
					return err
				}
				if err := do(s); err != nil {
					return err
				}
				if s.buffer.left.Add(-1) == 0 {
					free <- s.buffer
				}
			}
			return nil
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("convert: %w", context.Cause(ctx))
	}
	return err
}

// read reads every array from its first byte to its last and hands out its strips.
func (p *plan) read(ctx context.Context, free chan *buffer, strips chan<- strip, progress func(done, total int64)) error {
	var done int64
	total := p.bytes()
	report := func(n int) {
		if done += int64(n); progress != nil {
			progress(done, total)
		}
	}
	for i := range p.jobs {
		if err := p.jobs[i].read(ctx, free, strips, report); err != nil {
			return err
		}
	}
	return nil
}

// read reads one array.
func (j *job) read(ctx context.Context, free <-chan *buffer, strips chan<- strip, report func(n int)) error {
	r, err := j.tensor.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	for i := range j.pieces {
		piece := &j.pieces[i]
		var b *buffer
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := fill(ctx, b.raw[:piece.bytes], r, report); err != nil {
			return fmt.Errorf("convert: %s: %w", j.tensor.Name, err)
		}
		step := piece.target.stripRows()
		b.left.Store(int32((piece.rows + step - 1) / step))
		for from := 0; from < piece.rows; from += step {
			select {
			case strips <- strip{j, piece, b, from, min(from+step, piece.rows)}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	// The archive compares the array's checksum when its end is reached.
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("convert: %s: goes on after its last element", j.tensor.Name)
	default:
		return fmt.Errorf("convert: %s: %w", j.tensor.Name, err)
	}
}

// fill reads until b is full.
func fill(ctx context.Context, b []byte, r io.Reader, report func(n int)) error {
	for len(b) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(readBytes, len(b))
		if _, err := io.ReadFull(r, b[:n]); err != nil {
			return err
		}
		report(n)
		b = b[n:]
	}
	return nil
}

// stripRows returns how many of the target's rows make a strip.
func (t *target) stripRows() int {
	return max(stripSize/t.width/tileRows, 1) * tileRows
}

// blockBytes returns the stored size of some rows.
func (t *target) blockBytes(rows int) int64 {
	return int64(rows) * gguf.Type.RowBytes(t.tensor.Type, t.width)
}
