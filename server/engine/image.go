package engine

// This file: from the bytes of an image's file to its embeddings, if they are cached, or to its
// pixels.

import (
	"context"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Image is an image of a request. Its size is known when the request was answered.
type Image struct {
	Data          []byte // the file
	Width, Height int    // upright

	key   cacheKey
	input worker.Image // what the worker gets
}

// imageProcessor decodes images, as many at a time as it has slots. Safe for concurrent use.
type imageProcessor struct {
	limits  imageproc.Limits
	slots   chan struct{}
	cache   *cache
	metrics *metrics
}

// prepare gives img its size and either its cached embeddings or its pixels, resized by how for the
// model m.
func (p *imageProcessor) prepare(ctx context.Context, m *Model, img *Image, how imageproc.Resize) error {
	img.key = cacheKeyOf(m, img.Data, how)
	if e := p.cache.get(img.key); e != nil {
		img.Width, img.Height, img.input.Embeddings = e.width, e.height, e.embeddings
		p.metrics.image(true)
		return nil
	}
	decoded, release, err := p.decode(ctx, img.Data)
	if err != nil {
		return err
	}
	defer release()
	img.Width, img.Height = decoded.Width, decoded.Height
	img.input.Pixels = imageproc.Preprocess(decoded, m.Vision.ImageSize, how)
	p.metrics.image(false)
	return nil
}

// decode decodes an image when a slot is free. Where it succeeds the caller calls release when the
// image may be freed: that frees the slot.
func (p *imageProcessor) decode(ctx context.Context, data []byte) (img *imageproc.Image, release func(), err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	release = func() { <-p.slots }
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
