package main

// This file: which images are meant: those of -i, and frames of moving ones.

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/mmproj/imageproc"
)

// maxFrames is the most frames that --frames takes.
const maxFrames = 256

const framesHelp = `

With --frames N the image is a GIF, a folder of frames, or a video file (which needs ffmpeg): N frames, evenly spaced
from the first, are several images of one prompt. --stride samples as PaliGemma's video fine-tunes do, which also need
--resize bilinear: one frame in every STRIDE, starting again from the first where the video is too short. Each frame
takes as many positions as an image, 256 at 224 pixels; a model holds 8192.`

// frameFlags choose the frames of an animated image.
type frameFlags struct {
	frames, stride int
	moving         bool  // the command has these flags: it takes several images
	chosen         []int // which frames they came to
}

// addFrames adds the flags of commands that take several images.
func (f *frameFlags) addFrames(fs *pflag.FlagSet) {
	f.moving = true
	fs.IntVar(&f.frames, "frames", 0,
		"frames of a GIF, of a folder, or of a video file (0: the first of a GIF, 16 of a video file)")
	fs.IntVar(&f.stride, "stride", 0, "take one frame in every STRIDE (0: evenly spaced over all)")
}

func (f *frameFlags) checkFrames(images []string) error {
	switch {
	case f.frames < 0 || f.frames > maxFrames:
		return usagef("--frames %d: want 0 to %d", f.frames, maxFrames)
	case f.stride < 0 || f.stride > 1<<20:
		return usagef("--stride %d: want 0 to %d", f.stride, 1<<20)
	case f.frames > 0 && len(images) > 1:
		return usagef("%d images: --frames is for one", len(images))
	}
	return nil
}

// openImages reads the image at path, or the frames.
func (f *frameFlags) openImages(ctx context.Context, path string, l imageproc.Limits) (all []*imageproc.Image,
	err error) {
	if !f.moving {
		p, err := imageproc.OpenStream(ctx, path, l)
		return []*imageproc.Image{p}, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() && f.frames == 0 {
		return nil, fmt.Errorf("%s: is a folder, want an image file; --frames takes its images as frames of a video",
			path)
	}
	all, f.chosen, err = imageproc.OpenFrames(ctx, path, imageproc.FrameChoice{Count: f.frames, Stride: f.stride}, l)
	return all, err
}

// nameImages finds the files that -i and more, the arguments of a command that takes nothing else,
// mean. It refuses images among words.
func (f *runFlags) nameImages(more, words []string) (err error) {
	if a := imageproc.ImageAmong(words); a != "" {
		return usagef("%s: an image: give it with -i", a)
	}
	if f.images, err = input.ResolveAll(append(f.images, more...)); err != nil {
		return usagef("image: %w", err)
	}
	if i := slices.IndexFunc(f.images[len(f.images)-len(more):], input.Missing); i >= 0 {
		return usagef("%q: no such file, and nothing else than images is given here", more[i])
	}
	return nil
}
