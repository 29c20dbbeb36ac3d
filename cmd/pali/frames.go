package main

// This file: what -i names, an image or the frames of a moving one. Before it: run.go. After it: runner.Request.

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

// usualFrames is how many the video transfers take.
const (
	usualFrames = 16
	maxFrames   = 256
)

const framesHelp = `

With --frames the image is a GIF, a folder of frames, or a video file, which needs ffmpeg: so many frames, evenly spaced from the first, are several
images of one prompt. --stride is that of PaliGemma's video fine-tunes, which also need --resize bilinear: every so many frames, from the first again
where the film is too short. Each frame takes as many positions as an image, 256 at 224 pixels; a model holds 8192.`

// frameFlags choose the frames of an animated image.
type frameFlags struct {
	frames, stride int
	moving         bool  // the command has these flags: it takes several images
	chosen         []int // which frames they came to
}

// addFrames adds the flags of commands that take several images.
func (f *frameFlags) addFrames(fs *pflag.FlagSet) {
	f.moving = true
	fs.IntVar(&f.frames, "frames", 0, "frames of a GIF, of a folder, or of a video file (0: the first of a GIF, 16 of a video file)")
	fs.IntVar(&f.stride, "stride", 0, "take every so many frames (0: evenly spaced over all)")
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

// choose is which of total frames the flags mean.
func (f *frameFlags) choose(total int) []int {
	n := f.frames
	if n == 0 {
		n = usualFrames
	}
	f.chosen = imageproc.ChooseFrames(total, n, f.stride)
	return f.chosen
}

// openImages reads the image at path, or the frames.
func (f *frameFlags) openImages(ctx context.Context, path string, l imageproc.Limits) (all []*imageproc.Image, err error) {
	switch info, err := os.Stat(path); {
	case !f.moving:
	case err == nil && info.IsDir() && f.frames > 0:
		all, _, err = imageproc.OpenFolder(path, f.choose, l)
		return all, err
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: is a folder, want an image file; --frames takes its images as frames of a film", path)
	case err == nil && info.Mode().IsRegular() && isVideo(path):
		return openVideo(ctx, path, f.choose, l)
	}
	if f.frames > 0 {
		all, _, err = imageproc.OpenGIF(path, f.choose, l)
		return all, err
	}
	p, err := imageproc.Open(path, l)
	return []*imageproc.Image{p}, err
}

// checkRoom refuses images that the model cannot hold, before they are encoded.
func checkRoom(m *llamacpp.Model, pictures int) error {
	each, most := m.Config().Tokens(), m.ContextLength()
	if pictures*each < most {
		return nil
	}
	return fmt.Errorf("%d images take %d positions, %d each, and this model holds %d, with the prompt and the answer: at most %d images", pictures, pictures*each, each, most, (most-1)/each)
}
