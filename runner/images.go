package runner

// This file: from pixels to image embeddings.

import (
	"context"
	"time"
)

// Encode runs images, each as its pixels [3,S,S], through the encoder and returns their embeddings
// [n*T,E] in order, and how long that took. It ends early with ctx's error when ctx ends.
func (r *Runner) Encode(ctx context.Context, pixels ...[]float32) (embeddings []float32, took time.Duration,
	err error) {
	start := time.Now()
	defer r.watch(ctx)()
	for _, p := range pixels {
		var one []float32
		if err = ctx.Err(); err == nil {
			one, err = r.Encoder.Encode(p)
		}
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		if err != nil {
			return nil, 0, err
		}
		embeddings = append(embeddings, one...)
	}
	return embeddings, time.Since(start), nil
}

// ImageCache holds the embeddings of the last image, so that an image is encoded once for the
// questions about it that follow each other.
type ImageCache struct {
	Runner *Runner
	// Pixels makes the pixels [3,S,S] of an image that is known by a key, and says how long its
	// preprocessing took.
	Pixels func(key string) (pixels []float32, took time.Duration, err error)

	key        string
	embeddings []float32
}

// Encode returns the embeddings [T,E] of the key's image, and how long preprocessing and encoding
// took: 0 where the last call had the same key. The caller must not change the embeddings.
func (c *ImageCache) Encode(ctx context.Context, key string) (embeddings []float32, took time.Duration,
	err error) {
	if c.embeddings != nil && key == c.key {
		return c.embeddings, 0, nil
	}
	pixels, before, err := c.Pixels(key)
	if err != nil {
		return nil, 0, err
	}
	if embeddings, took, err = c.Runner.Encode(ctx, pixels); err != nil {
		return nil, 0, err
	}
	c.key, c.embeddings = key, embeddings
	return embeddings, before + took, nil
}
