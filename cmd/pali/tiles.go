package main

// This file: --tiles, an image larger than the model sees asked about in parts.

import (
	"image"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

const tilesHelp = `The model sees an image resized to its input size, 224 or 448 pixels. --tiles asks about overlapping
tiles of a larger one, each of --tile-side pixels: by default the input size, or more where that would take over 64
tiles. Each tile takes as long as an image.`

const ocrTilesHelp = ` The texts are joined in reading order, and what two neighbours both read appears once if they read the same. A
word longer than a quarter of a tile may appear in two parts, columns are read across, and text that is higher than a
tile cannot be read.`

const boxTilesHelp = ` The whole image is asked about too. Objects of one label whose boxes in two tiles have an IoU of 0.5 or more, or of
which one lies in the other with four fifths of its area, count as one: the one that does not touch a tile's edge, else
the one with the higher score. An object that is larger than a tile, and not found in the whole image, is found in
parts.`

func (f *taskFlags) addTiles(fs *pflag.FlagSet) {
	fs.BoolVar(&f.tiles, "tiles", false, "ask about overlapping tiles of the image")
	fs.IntVar(&f.tileSide, "tile-side", 0,
		"side of a tile in pixels (0: the model's input size, or longer so that 64 tiles suffice)")
}

func (f *taskFlags) checkTiles() error {
	switch {
	case f.tileSide != 0 && !f.tiles:
		return usagef("--tile-side %d: is for --tiles", f.tileSide)
	case f.tiles && len(f.images) > 1:
		return usagef("%d images: --tiles is for one", len(f.images))
	case f.tiles && f.tileSide != 0 && f.tileSide < 16:
		return usagef("--tile-side %d: want 16 or more", f.tileSide)
	}
	return nil
}

// answerTiles asks about all tiles, and prints what their answers come to. q is the request about
// the whole image.
func (f *taskFlags) answerTiles(cmd *cobra.Command, model *pali.Model, q pali.Request, m tasks.TileMerger,
	load time.Duration) error {
	img := q.Images[0]
	rows, err := tasks.LayTiles(img.Width, img.Height, f.tileSide, model.Config().ImageSize)
	if err != nil {
		return usagef("--tile-side: %w", err)
	}
	bar := progress.Count(cmd.ErrOrStderr(), "tiles")
	defer bar.Close()
	ask := func(part image.Rectangle) (*runner.Result, error) {
		q.Images = []*pali.Image{img.Crop(part)}
		if q.Constraint, err = f.newGrammar(model, m.Want.Prompt); err != nil {
			return nil, err
		}
		return model.Run(cmd.Context(), q, nil)
	}
	if err := m.Ask(rows, ask, func(done, total int) { bar.Set(int64(done), int64(total)) }); err != nil {
		return err
	}
	bar.Close()
	return f.show(cmd, m.Want.Prompt, img, f.withImages(m.Response(load), m.Steps()))
}
