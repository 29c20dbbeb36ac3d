package tasks

// This file: an image asked about in parts, and the answers about them as one.

import (
	"image"
	"strings"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

// TileMerger gathers the answers about the parts of one image.
type TileMerger struct {
	Want    Want
	Full    Canvas         // of the image
	Decoder *masks.Decoder // nil: no masks

	result   runner.Result // all answers, one after the other, without their texts
	tiles    []Tile
	texts    [][]string // of the tiles, row by row
	unparsed []string
	lost     Losses // without the objects'
	found    []TileDetection
}

// Ask calls ask for each tile of rows and adds its answers. If the prompt asks for boxes and there
// is more than one tile, the full image comes first. progress is called after each tile.
func (m *TileMerger) Ask(rows [][]image.Rectangle, ask func(part image.Rectangle) (*runner.Result, error),
	progress func(done, total int)) error {
	n := len(rows) * len(rows[0])
	askOne := func(part image.Rectangle) (text string, err error) {
		r, err := ask(part)
		if err != nil {
			return "", err
		}
		return r.Text, m.add(part, r)
	}
	if m.Want.Prompt.Boxes() && n > 1 {
		if _, err := askOne(image.Rect(0, 0, m.Full.Width, m.Full.Height)); err != nil {
			return err
		}
	}
	m.texts = make([][]string, len(rows))
	for i, row := range rows {
		for _, tile := range row {
			text, err := askOne(tile)
			if err != nil {
				return err
			}
			m.texts[i] = append(m.texts[i], text)
			progress(i*len(row)+len(m.texts[i]), n)
		}
	}
	return nil
}

// add adds an answer about a part of the image.
func (m *TileMerger) add(part image.Rectangle, r *runner.Result) error {
	at := [4]int{part.Min.X, part.Min.Y, part.Max.X, part.Max.Y}
	m.result.Tokens, m.result.Steps = append(m.result.Tokens, r.Tokens...), append(m.result.Steps, r.Steps...)
	m.result.Timings.Add(r.Timings)
	m.tiles = append(m.tiles, Tile{at, r.Text})
	m.lost.CountCutOff(m.Want, r)
	if !m.Want.Prompt.Boxes() {
		return nil
	}
	found, unparsed, err := Detections(r, Canvas{part.Dx(), part.Dy(), m.Full.Divisor}, m.Decoder)
	if err != nil {
		return err
	}
	m.unparsed = append(m.unparsed, unparsed...)
	m.lost.AddUnparsed(unparsed...)
	for _, d := range found {
		d.move(at)
		cut := TouchesEdge(d.XYXY, part, m.Full.Width, m.Full.Height)
		m.found = append(m.found, TileDetection{Detection: d, Part: len(m.tiles), Cut: cut})
	}
	return nil
}

// Steps returns the tokens of all answers, one after the other.
func (m *TileMerger) Steps() []runner.Step { return m.result.Steps }

// Response returns one response made of all answers. load is as in NewResponse. For objects its
// text is the texts of the parts, a line each: their bins are those of different tiles.
func (m *TileMerger) Response(load time.Duration) Response {
	out := NewResponse(m.Want, &m.result, load)
	out.Tiles, out.Lost = m.tiles, Losses{}
	out.Lost.Add(m.lost)
	if !m.Want.Prompt.Boxes() {
		out.Text = MergeText(m.texts)
		return out
	}
	for _, t := range m.tiles {
		out.Text = strings.TrimPrefix(out.Text+"\n"+t.Text, "\n")
	}
	w := m.Want
	w.Decoder = m.Decoder != nil
	out.Objects, out.Unparsed = out.Lost.keepAll(w, m.detections()), append([]string{}, m.unparsed...)
	for i := range out.Objects {
		out.Objects[i].placeMask(m.Full.Width, m.Full.Height)
	}
	return out
}

// detections returns the objects of all parts, each once (MergeDetections).
func (m *TileMerger) detections() (all []Detection) {
	for _, i := range MergeDetections(m.found) {
		all = append(all, m.found[i].Detection)
	}
	return all
}

// move turns an object of a tile into one of the full image. Its bins and its mask stay those of
// the tile.
func (d *Detection) move(tile [4]int) {
	d.Tile = &tile
	for i := range d.XYXY {
		d.XYXY[i] += float64(tile[i%2])
	}
}

// placeMask gives the mask of a tile's object the image's size.
func (d *Detection) placeMask(width, height int) {
	if d.Mask != nil {
		d.SetMask(d.Mask.Place(d.Tile[0], d.Tile[1], width, height))
	}
}
