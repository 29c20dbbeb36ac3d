package answer

// This file: answers about parts of one image as one. Before it: runner.Result for each tile that tasks.Tiles lays. After it: one Answer.

import (
	"image"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Tile is a part of an image, and what the model answered about it.
type Tile struct {
	XYXY [4]int `json:"xyxy"` // x0, y0, x1, y1 in pixels of the image
	Text string `json:"text"` // as the model gave it
}

// Tiled gathers the answers about the parts of one image.
type Tiled struct {
	Whole    Frame          // of the image
	Decoder  *masks.Decoder // nil: no masks
	Result   runner.Result  // all answers, one after the other, without their texts
	Tiles    []Tile
	Unparsed []string

	objects []Object
	found   []tasks.TileDetection // of each object
}

// Add adds an answer about a part of the image. boxes says whether to look for objects in it.
func (a *Tiled) Add(tile image.Rectangle, r *runner.Result, boxes bool) error {
	at := [4]int{tile.Min.X, tile.Min.Y, tile.Max.X, tile.Max.Y}
	a.Result.Tokens, a.Result.Steps = append(a.Result.Tokens, r.Tokens...), append(a.Result.Steps, r.Steps...)
	a.Result.Timings.Add(r.Timings)
	a.Tiles = append(a.Tiles, Tile{at, r.Text})
	if !boxes {
		return nil
	}
	objects, unparsed, err := Objects(r, Frame{tile.Dx(), tile.Dy(), a.Whole.Divisor}, a.Decoder)
	if err != nil {
		return err
	}
	a.Unparsed = append(a.Unparsed, unparsed...)
	for _, o := range objects {
		o.move(at)
		cut := tasks.TouchesEdge(o.XYXY, tile, a.Whole.Width, a.Whole.Height)
		a.objects = append(a.objects, o)
		a.found = append(a.found, tasks.TileDetection{Label: o.Label, XYXY: o.XYXY, Score: o.Score.Score, Tile: len(a.Tiles), Cut: cut})
	}
	return nil
}

// Objects returns the objects of all parts, each once (tasks.Join), that have this score at least.
func (a *Tiled) Objects(minScore float64) []Object {
	all := []Object{}
	for _, i := range tasks.MergeDetections(a.found) {
		if o := a.objects[i]; o.Score.Score >= minScore {
			o.placeMask(a.Whole.Width, a.Whole.Height)
			all = append(all, o)
		}
	}
	return all
}

// move turns an object of a tile into one of the whole image. Its bins and its mask stay those of the tile.
func (o *Object) move(tile [4]int) {
	o.Tile = &tile
	for i := range o.XYXY {
		o.XYXY[i] += float64(tile[i%2])
	}
}

// placeMask gives the mask of a tile's object the image's size.
func (o *Object) placeMask(width, height int) {
	if o.Bitmap != nil {
		o.setMask(o.Bitmap.Place(o.Tile[0], o.Tile[1], width, height))
	}
}
