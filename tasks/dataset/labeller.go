package dataset

// This file: the pipeline. While the model answers about one image, the next ones are read, decoded
// and resized, and the rows of those before are written.

import (
	"context"
	"time"
)

// Prepared is an image for the model.
type Prepared struct {
	Sum           Digest
	Width, Height int       // of the image as it is seen
	Pixels        []float32 // nil if the image is known
}

// Labeller labels images.
type Labeller struct {
	Journal *Journal
	// Prepare reads an image, and leaves it at that if it is known. An error is the image's: it is
	// left out. Safe for concurrent use.
	Prepare func(s Source, known func(Digest) bool) (Prepared, error)
	// Begin is called once before the first Answer.
	Begin func() error
	// Answer asks the model about one image. An error ends the run.
	Answer    func(ctx context.Context, p Prepared) ([]Answer, error)
	Lookahead int // how many images may be prepared at once, 1 or more
	// OnError is called for each image that is left out, and Progress with the numbers of images
	// that were answered and that were left out or known.
	OnError  func(s Source, err error)
	Progress func(answered, others int)
}

// Outcome is what became of a list of images.
type Outcome struct {
	Sums                 []Digest // of each; the zero Digest where it is left out
	Answered, Known, Bad int
	Busy, Took           time.Duration // in Answer, and from the first Answer until the last row was on the disk
}

// Run labels the images that the journal has no row for. Two images with the same contents are
// asked about once.
func (l *Labeller) Run(ctx context.Context, sources []Source) (*Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &Outcome{Sums: make([]Digest, len(sources))}
	rows, written := make(chan Record, 64), make(chan error, 1)
	go func() { written <- l.writeJournal(rows, cancel) }()
	begun, err := l.ask(ctx, sources, out, rows)
	close(rows)
	if failed := <-written; failed != nil {
		return out, failed // it also cancelled what ask was doing
	}
	if !begun.IsZero() {
		out.Took = time.Since(begun)
	}
	return out, err
}

// prepared is what Prepare returned.
type prepared struct {
	Prepared
	err error
}

// ask answers image after image, and returns when it began to.
func (l *Labeller) ask(ctx context.Context, sources []Source, out *Outcome, rows chan<- Record) (begun time.Time, err error) {
	asked := map[Digest]bool{} // rows on their way to the journal
	known := func(s Digest) bool { return asked[s] || l.Journal.Has(s) }
	next := inOrder(ctx, len(sources), l.Lookahead, func(i int) prepared {
		p, err := l.Prepare(sources[i], l.Journal.Has)
		return prepared{p, err}
	})
	i := 0
	for waiting := range next {
		p, s := <-waiting, sources[i]
		switch {
		case ctx.Err() != nil:
			return begun, ctx.Err()
		case p.err != nil:
			out.Bad++
			l.OnError(s, p.err)
		case known(p.Sum):
			out.Known++
		default:
			if begun.IsZero() {
				if err := l.Begin(); err != nil {
					return begun, err
				}
				begun = time.Now()
			}
			start := time.Now()
			answers, err := l.Answer(ctx, p.Prepared)
			out.Busy += time.Since(start)
			if err != nil {
				return begun, err
			}
			out.Answered++
			asked[p.Sum] = true
			rows <- Record{Sum: p.Sum, Image: s.Name, Width: p.Width, Height: p.Height, Answers: answers}
		}
		if p.err == nil {
			out.Sums[i] = p.Sum
		}
		i++
		l.Progress(out.Answered, out.Known+out.Bad)
	}
	return begun, ctx.Err()
}

// writeJournal writes rows until there are no more: all that wait, with one sync. After an error it
// calls failed and discards the others.
func (l *Labeller) writeJournal(rows <-chan Record, failed func()) error {
	var err error
	for r := range rows {
		some := []Record{r}
		for len(rows) > 0 {
			some = append(some, <-rows)
		}
		if err != nil {
			continue
		}
		if err = l.Journal.Add(some...); err != nil {
			failed()
		}
	}
	return err
}

// inOrder calls do for 0 to n-1, at most ahead at once, and hands over the results in order, each
// in its channel. When ctx ends, no more are begun.
func inOrder[T any](ctx context.Context, n, ahead int, do func(i int) T) <-chan chan T {
	queue := make(chan chan T, ahead-1)
	go func() {
		defer close(queue)
		for i := range n {
			one := make(chan T, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			go func() { one <- do(i) }()
		}
	}()
	return queue
}
