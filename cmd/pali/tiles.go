package main

// This file: --tiles, an image larger than the model sees asked about in parts. Before it: task.go. After it: tasks/tiles.go, which lays the tiles,
// answer/tiles.go, which joins their answers, and task.go again, which prints them.

import (
	"image"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/answer"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks"
)

// Most tiles of one image: those that are laid unasked, and those that --tile-side may ask for.
const (
	fewTiles  = 64
	mostTiles = 1024
)

const tilesHelp = `The model sees an image shrunk to its own size, 224 pixels or 448. --tiles asks it about overlapping tiles of a larger one, each of --tile-side pixels:
unless that is given, as many as the model sees, or more where that would take over 64 tiles. Each tile takes as long as an image.`

const ocrTilesHelp = ` The texts are put
together in reading order, and what two neighbours both read comes once, if they read it alike. A word that is longer than a quarter of a tile may come
in two parts, columns are read across, and a text that is higher than a tile cannot be read.`

const boxTilesHelp = ` The whole image
is asked about too. Objects of one label whose boxes in two tiles have an IoU of 0.5 or more, or of which one lies in the other with four fifths of its area,
count as one: the one that is not cut by a tile's edge, else the surer one. A thing that is larger than a tile, and not found in the whole image, comes in parts.`

func (f *taskFlags) addTiles(fs *pflag.FlagSet) {
	fs.BoolVar(&f.tiles, "tiles", false, "ask about overlapping tiles of the image")
	fs.IntVar(&f.tileSide, "tile-side", 0, "side of a tile in pixels (0: as the model sees, or longer so that 64 tiles do)")
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

// tiling is an image that is asked about in tiles.
type tiling struct {
	answer.Tiled
	task    task
	model   *llamacpp.Model
	request question // about the whole image
	load    time.Duration
}

// answerTiles asks about all tiles, and tells what they come to.
func (f *taskFlags) answerTiles(cmd *cobra.Command, a tiling) error {
	p := a.request.images[0]
	rows, err := f.layTiles(p, a.model.Runner().Encoder.Config().ImageSize)
	if err != nil {
		return err
	}
	n := len(rows) * len(rows[0])
	bar := progress.Count(cmd.ErrOrStderr(), "tiles")
	defer bar.Close()
	if a.task.boxes && n > 1 {
		if _, err := f.askTile(cmd, &a, image.Rect(0, 0, p.Width, p.Height)); err != nil {
			return err
		}
	}
	texts := make([][]string, len(rows))
	for i, row := range rows {
		for _, tile := range row {
			text, err := f.askTile(cmd, &a, tile)
			if err != nil {
				return err
			}
			texts[i] = append(texts[i], text)
			bar.Set(int64(i*len(row)+len(texts[i])), int64(n))
		}
	}
	bar.Close()
	return f.show(cmd, a.task, p, f.together(&a, texts))
}

// together makes one answer of all. For objects its text is the tiles' texts, a line each: their bins are those of different tiles.
func (f *taskFlags) together(a *tiling, texts [][]string) answer.Answer {
	out := f.about(answer.Of(a.request.Request, &a.Result, a.load))
	out.Tiles = a.Tiles
	if !a.task.boxes {
		out.Text = tasks.MergeText(texts)
		return out
	}
	for _, t := range a.Tiles {
		out.Text = strings.TrimPrefix(out.Text+"\n"+t.Text, "\n")
	}
	out.Objects, out.Unparsed = a.Objects(f.minScore), append([]string{}, a.Unparsed...)
	return out
}

// layTiles lays the tiles for a model that sees images of seen x seen pixels.
func (f *taskFlags) layTiles(p *imageproc.Image, seen int) ([][]image.Rectangle, error) {
	side := f.tileSide
	if side == 0 {
		side = tasks.TileSide(p.Width, p.Height, seen, fewTiles)
	}
	if n := tasks.TileCount(p.Width, p.Height, side); n > mostTiles {
		return nil, usagef("--tile-side %d: %d tiles, at most %d: want %d or more", side, n, mostTiles, tasks.TileSide(p.Width, p.Height, side, mostTiles))
	}
	return tasks.Tiles(p.Width, p.Height, side), nil
}

// askTile asks about one part of the image and adds its answer.
func (f *taskFlags) askTile(cmd *cobra.Command, a *tiling, tile image.Rectangle) (string, error) {
	q := a.request
	q.images = []*imageproc.Image{q.images[0].Crop(tile)}
	var err error
	if q.Constraint, err = f.strictly(a.model, a.task, q.Prompt); err != nil {
		return "", err
	}
	r, err := q.answer(cmd.Context(), a.model.Runner(), nil)
	if err != nil {
		return "", err
	}
	return r.Text, a.Add(tile, r, a.task.boxes)
}
