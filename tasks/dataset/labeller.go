package dataset

// This file: the pipeline. While the model answers about one image, the next images are read,
// decoded and resized, and the records of the previous ones are written.

import (
	"context"
	"crypto/sha256"
	"runtime"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// Labeller asks a model about images and adds the answers to a journal.
type Labeller struct {
	Journal *Journal
	Limits  imageproc.Limits // of an image
	Side    int              // of the model's input, in pixels
	Resize  imageproc.Resize
	// Open is called once, before the first image that is not in the journal.
	Open      func() (Model, error)
	Lookahead int // images that may be prepared at once; 0: half the processors, at least 2, at most 4
	// OnError is called for each image that is left out. Progress is called after each image with
	// the number of images that the model was asked about, and that number at the end as known so
	// far.
	OnError  func(b BadImage)
	Progress func(done, total int64)
}

// Model answers the prompts about one image at a time; *Asker is one.
type Model interface {
	// Answer returns an answer about p to each prompt.
	Answer(ctx context.Context, p Prepared) ([]Answer, error)
}

// Prepared is an image, ready for the model.
type Prepared struct {
	Digest        Digest
	Width, Height int       // of the upright image, in pixels
	Frames        int       // of which this is the first
	Pixels        []float32 // [3,S,S]; nil if the journal has the image
}

// Outcome is the result of labelling a list of images.
type Outcome struct {
	Digests  []Digest // of each image; the zero Digest if it is left out
	Answered int      // images that the model was asked about
	Known    int      // images that the journal had, or that are equal to another
	Bad      []BadImage
	Animated []Source      // images with several frames, of which the first was asked about
	Busy     time.Duration // in Model.Answer
	Took     time.Duration // from the first Answer until the last record was synced
}

// BadImage is an image that is left out, or a folder that cannot be read.
type BadImage struct {
	Source
	Err error
}

// Run labels the images of sources that the journal has no record of. The model is asked once about
// images with equal bytes. On an error the journal keeps the answers so far.
func (l *Labeller) Run(ctx context.Context, sources []Source) (*Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &Outcome{Digests: make([]Digest, len(sources))}
	records, written := make(chan Record, 64), make(chan error, 1)
	go func() { written <- l.writeJournal(records, cancel) }()
	begun, err := l.ask(ctx, sources, out, records)
	close(records)
	if failed := <-written; failed != nil {
		return out, failed // writeJournal also cancelled ask
	}
	if !begun.IsZero() {
		out.Took = time.Since(begun)
	}
	return out, err
}

// ahead returns how many images may be prepared at once: a large one takes a gigabyte of memory.
func (l *Labeller) ahead() int {
	if l.Lookahead > 0 {
		return l.Lookahead
	}
	return min(max(runtime.GOMAXPROCS(0)/2, 2), 4)
}

// prepared is a result of prepare.
type prepared struct {
	Prepared
	err error
}

// prepare reads the image of s, and decodes and resizes it unless the journal has it. An error
// concerns only this image.
func (l *Labeller) prepare(s Source) (p Prepared, err error) {
	if err := checkName(s.Name); err != nil {
		return p, err
	}
	data, err := imageproc.ReadFile(s.Path, l.Limits.Bytes)
	if err != nil {
		return p, err
	}
	p.Frames = imageproc.CountFrames(data)
	if p.Digest = sha256.Sum256(data); l.Journal.Has(p.Digest) {
		return p, nil
	}
	img, err := imageproc.Decode(data, l.Limits)
	if err != nil {
		return p, err
	}
	p.Width, p.Height, p.Pixels = img.Width, img.Height, imageproc.Preprocess(img, l.Side, l.Resize)
	return p, nil
}

// ask asks the model about one image after another, sends the records to records, and returns the
// time of the first question.
func (l *Labeller) ask(ctx context.Context, sources []Source, out *Outcome, records chan<- Record) (begun time.Time,
	err error) {
	asked := map[Digest]bool{} // their records are perhaps not yet in the journal
	known := func(d Digest) bool { return asked[d] || l.Journal.Has(d) }
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
			b := BadImage{s, p.err}
			out.Bad = append(out.Bad, b)
			l.OnError(b)
		case known(p.Digest):
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
			asked[p.Digest] = true
			records <- Record{Digest: p.Digest, Image: s.Name, Width: p.Width, Height: p.Height, Answers: answers}
		}
		if p.err == nil {
			out.Digests[i] = p.Digest
		}
		if p.Frames > 1 && p.err == nil {
			out.Animated = append(out.Animated, s)
		}
		i++
		l.Progress(int64(out.Answered), int64(len(sources)-out.Known-len(out.Bad)))
	}
	return begun, ctx.Err()
}

// writeJournal writes records until the channel is closed, all that are waiting with one sync.
// After an error it calls failed and discards the remaining ones.
func (l *Labeller) writeJournal(records <-chan Record, failed func()) error {
	var err error
	for r := range records {
		waiting := []Record{r}
		for len(records) > 0 {
			waiting = append(waiting, <-records)
		}
		if err != nil {
			continue
		}
		if err = l.Journal.Add(waiting...); err != nil {
			failed()
		}
	}
	return err
}

// inOrder calls do(0) to do(n-1), at most ahead of them at once, and sends the results in order,
// each in a channel of its own. When ctx ends, it starts no more calls.
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
