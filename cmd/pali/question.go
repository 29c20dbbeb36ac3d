package main

// This file: images for a runner.ImageCache.

import (
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

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
