package dataset

// This file: the pipeline. While the model answers about one image, the next ones are read, decoded
// and resized, and the rows of those before are written.

import (
	"context"
	"crypto/sha256"
	"runtime"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// Labeller labels images.
type Labeller struct {
	Journal *Journal
	Limits  imageproc.Limits // of an image's file
	Side    int              // of the pixels that the model sees
	Resize  imageproc.Resize
	// Open is called once, before the first image that the model is asked about.
	Open      func() (Model, error)
	Lookahead int // how many images may be prepared at once; 0: half as many as processors, 2 to 4
	// OnError is called for each image that is left out, and Progress after each image with how
	// many the model was asked about, and how many those are together with the images that are
	// left.
	OnError  func(s Source, err error)
	Progress func(done, total int64)
}

// Model answers the prompts about one image after the other; *Asker is one.
type Model interface {
	// Answer returns an answer to each prompt.
	Answer(ctx context.Context, p Prepared) ([]Answer, error)
}

// Prepared is an image for the model.
type Prepared struct {
	Sum           Digest
	Width, Height int       // of the image as it is seen
	Pixels        []float32 // [3,S,S]; nil if the image is known
}

// Outcome is what became of a list of images.
type Outcome struct {
	Sums            []Digest // of each; the zero Digest where it is left out
	Answered, Known int
	Bad             []BadImage
	Busy, Took      time.Duration // in Answer, and from the first Answer until the last row was on the disk
}

// BadImage is an image that is left out.
type BadImage struct {
	Source
	Err error
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

// ahead is how many images may be prepared at once: with the largest ones each takes a gigabyte.
func (l *Labeller) ahead() int {
	if l.Lookahead > 0 {
		return l.Lookahead
	}
	return min(max(runtime.GOMAXPROCS(0)/2, 2), 4)
}

// prepared is what prepare returned.
type prepared struct {
	Prepared
	err error
}

// prepare reads an image, and decodes and resizes it unless the journal has it. An error is the
// image's.
func (l *Labeller) prepare(s Source) (p Prepared, err error) {
	if err := checkName(s.Name); err != nil {
		return p, err
	}
	data, err := imageproc.ReadFile(s.Path, l.Limits.Bytes)
	if err != nil {
		return p, err
	}
	if p.Sum = sha256.Sum256(data); l.Journal.Has(p.Sum) {
		return p, nil
	}
	img, err := imageproc.Decode(data, l.Limits)
	if err != nil {
		return p, err
	}
	p.Width, p.Height, p.Pixels = img.Width, img.Height, imageproc.Preprocess(img, l.Side, l.Resize)
	return p, nil
}

// ask answers image after image, and returns when it began to.
func (l *Labeller) ask(ctx context.Context, sources []Source, out *Outcome, rows chan<- Record) (begun time.Time,
	err error) {
	asked := map[Digest]bool{} // rows on their way to the journal
	known := func(s Digest) bool { return asked[s] || l.Journal.Has(s) }
	next := inOrder(ctx, len(sources), l.ahead(), func(i int) prepared {
		p, err := l.prepare(sources[i])
		return prepared{p, err}
	})
	var model Model
	i := 0
	for waiting := range next {
		p, s := <-waiting, sources[i]
		switch {
		case ctx.Err() != nil:
			return begun, ctx.Err()
		case p.err != nil:
			out.Bad = append(out.Bad, BadImage{s, p.err})
			l.OnError(s, p.err)
		case known(p.Sum):
			out.Known++
		default:
			if model == nil {
				if model, err = l.Open(); err != nil {
					return begun, err
				}
				begun = time.Now()
			}
			start := time.Now()
			answers, err := model.Answer(ctx, p.Prepared)
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
		l.Progress(int64(out.Answered), int64(len(sources)-out.Known-len(out.Bad)))
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
