package engine

// This file: from the bytes of an image's file to its embeddings, if they are cached, or to its
// pixels.

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Image is an image of a request. Its size is known when the request was answered.
type Image struct {
	Data          []byte // the file
	Name          string // what a client calls it, for errors; "": image
	Width, Height int    // upright

	key   cacheKey
	input worker.Image // what the worker gets
}

// maxDecoders bounds the images that are decoded at a time, whatever the number of cores.
const maxDecoders = 4

// drawing is how many bytes for each pixel drawing on a decoded image and encoding it take, as PNG.
const drawing = 4 + 8

// imageProcessor decodes images, as many at a time as it has slots, in a bounded memory: that of all
// requests together. Safe for concurrent use.
type imageProcessor struct {
	limits  imageproc.Limits
	slots   chan struct{}
	memory  *budget // of images that are decoded
	waiting *budget // of pixels that wait for a worker
	cache   *cache
	metrics *metrics
}

func newImageProcessor(o Options, m *metrics) *imageProcessor {
	return &imageProcessor{limits: o.Limits, cache: newCache(o.ImageCache), metrics: m,
		slots: make(chan struct{}, min(runtime.GOMAXPROCS(0), maxDecoders)), memory: newBudget(o.DecodeMemory),
		waiting: newBudget(o.DecodeMemory + int64(o.Parallel)*64<<20)}
}

// prepareAll gives the images of r their sizes, and their embeddings or pixels. It calls delayed
// before it waits for memory. The caller calls release when a worker no longer needs the pixels.
func (p *imageProcessor) prepareAll(ctx context.Context, r *Request, delayed func()) (release func(), err error) {
	side := int64(r.Model.Vision.ImageSize)
	release, err = p.waiting.take(ctx, int64(len(r.Images))*3*4*side*side, delayed)
	if err != nil {
		return nil, err
	}
	for _, img := range r.Images {
		if err := p.prepare(ctx, r.Model, img, r.Resize, delayed); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// prepare gives img its size and either its cached embeddings or its pixels, resized by how for the
// model m.
func (p *imageProcessor) prepare(ctx context.Context, m *Model, img *Image, how imageproc.Resize,
	delayed func()) error {
	img.key = cacheKeyOf(m, img.Data, how)
	if e := p.cache.get(img.key); e != nil {
		img.Width, img.Height, img.input.Embeddings = e.width, e.height, e.embeddings
		p.metrics.image(true)
		return nil
	}
	decoded, release, err := p.decode(ctx, img.Data, 0, delayed)
	if err != nil {
		return img.named(err)
	}
	defer release()
	img.Width, img.Height = decoded.Width, decoded.Height
	img.input.Pixels = imageproc.Preprocess(decoded, m.Vision.ImageSize, how)
	p.metrics.image(false)
	return nil
}

// named returns err, if it says that img cannot be decoded, with the name that a client knows.
func (img *Image) named(err error) error {
	reason, cut := strings.CutPrefix(err.Error(), "image: ")
	if img.Name == "" || !cut || !errors.As(err, new(runner.InvalidRequestError)) {
		return err
	}
	return runner.InvalidRequestf("%s: %s", img.Name, reason)
}

// decode decodes an image when there is a slot and memory for it, and for perPixel bytes more for
// each of its pixels. An image that cannot be decoded, by its header, does not wait. decode calls
// delayed before it waits. Where it succeeds the caller calls release when the image may be freed.
func (p *imageProcessor) decode(ctx context.Context, data []byte, perPixel int64, delayed func()) (
	img *imageproc.Image, release func(), err error) {
	cost, err := imageproc.CostOf(data, p.limits)
	if err != nil {
		return nil, nil, runner.InvalidRequestf("%v", err)
	}
	select {
	case p.slots <- struct{}{}:
	default:
		delayed()
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	free, err := p.memory.take(ctx, cost.Memory+perPixel*cost.Pixels, delayed)
	if err != nil {
		<-p.slots
		return nil, nil, err
	}
	release = func() {
		free()
		<-p.slots
	}
	if img, err = imageproc.Decode(data, p.limits); err != nil {
		release()
		return nil, nil, runner.InvalidRequestf("%v", err)
	}
	return img, release, nil
}

// remember caches the embeddings of an image that a worker has encoded.
func (p *imageProcessor) remember(img *Image) {
	if img.input.Pixels != nil && img.input.Embeddings != nil {
		p.cache.put(&encoded{img.key, img.Width, img.Height, img.input.Embeddings})
	}
}
