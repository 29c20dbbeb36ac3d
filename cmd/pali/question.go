package main

// This file: a question about images that are read but not encoded, and its answer.

import (
	"context"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
)

// question is a request, its images and how they are asked about.
type question struct {
	runner.Request // its Embeddings come from encode
	images         []*imageproc.Image
	resize         imageproc.Resize
	beams          int       // over 1: beam search
	pixels         []float32 // [n,3,S,S] of the images, kept by encode if Trace is set
}

// encode preprocesses and encodes the images, one after the other, and returns how long that took.
func (q *question) encode(ctx context.Context, r *runner.Runner) (took time.Duration, err error) {
	start := time.Now()
	q.Embeddings, q.pixels = nil, nil
	for _, img := range q.images {
		pixels := imageproc.Preprocess(img, r.Encoder.Config().ImageSize, q.resize)
		one, _, err := r.Encode(ctx, pixels)
		if err != nil {
			return 0, err
		}
		q.Embeddings = append(q.Embeddings, one...)
		if q.Trace {
			q.pixels = append(q.pixels, pixels...)
		}
	}
	return time.Since(start), nil
}

// answer encodes the images and lets the model answer. each, if it is not nil, is called with every
// step of a sampled answer as it comes, and with all steps of one that was searched for; an error
// from it ends the answer. As with runner.Generate, an interrupted answer is returned as far as it
// came.
func (q *question) answer(ctx context.Context, r *runner.Runner, each func(runner.Step) error) (*runner.Result, error) {
	took, err := q.encode(ctx, r)
	if err != nil {
		return nil, err
	}
	var out *runner.Result
	if q.beams > 1 {
		out, err = q.search(ctx, r, each)
	} else {
		out, err = r.Generate(ctx, q.Request, each)
	}
	if out != nil {
		out.Timings.Vision = took
	}
	return out, err
}

// search is answer's beam search.
func (q *question) search(ctx context.Context, r *runner.Runner, each func(runner.Step) error) (*runner.Result, error) {
	out, err := r.Search(ctx, q.Request, q.beams)
	if err != nil || each == nil {
		return out, err
	}
	for _, s := range out.Steps {
		if err := each(s); err != nil {
			return out, err
		}
	}
	return out, nil
}

// pixelReader returns a runner.ImageCache's Pixels, whose keys are the paths of images.
func pixelReader(limits imageproc.Limits, side int, resize imageproc.Resize) func(string) ([]float32, time.Duration, error) {
	return func(path string) ([]float32, time.Duration, error) {
		img, err := imageproc.Open(path, limits)
		if err != nil {
			return nil, 0, err
		}
		start := time.Now()
		pixels := imageproc.Preprocess(img, side, resize)
		return pixels, time.Since(start), nil
	}
}
