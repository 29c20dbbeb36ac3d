package answer

// This file: an answer's objects, with pixels, scores and masks. Before it: the answer's text and tokens. After it: JSON, and images.

import (
	"image"
	"image/color"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/draw"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Object is an object of an answer.
type Object struct {
	Label string `json:"label"`
	tasks.Score
	XYXY     [4]float64 `json:"xyxy"`           // x0, y0, x1, y1 in pixels of the image as it is seen
	Loc      [4]int     `json:"loc"`            // bins y0, x0, y1, x1
	Tile     *[4]int    `json:"tile,omitempty"` // where the image was asked about in parts: the one whose bins they are, x0, y0, x1, y1 in pixels
	Seg      []int      `json:"seg,omitempty"`  // the mask's codes
	Mask     *Mask      `json:"mask,omitempty"`
	Area     *int       `json:"area,omitempty"`     // pixels of the mask
	Polygons [][]int    `json:"polygons,omitempty"` // x0, y0, x1, y1, ... of each outline; holes go the other way round

	Bitmap *masks.Bitmap `json:"-"` // nil without a mask
}

// Mask is a mask of the image's size in COCO's form.
type Mask struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

// Frame says where bins lie: in an image of this size, each a share bin/Divisor of its side.
type Frame struct {
	Width, Height int
	Divisor       float64 // tasks.LocDivisor, or 1024
}

// Objects finds the objects of an answer, and what of it is none. decoder may be nil: then there are no masks.
func Objects(r *runner.Result, in Frame, decoder *masks.Decoder) (all []Object, unparsed []string, err error) {
	tokens := Tokens(r)
	boxes, unparsed := tasks.ParseBoxes(r.Text)
	for _, b := range boxes {
		o := Object{Label: b.Label, Score: tasks.ScoreObject(tokens, b.From, b.To), XYXY: b.Pixels(in.Divisor, in.Width, in.Height), Loc: b.Loc, Seg: b.Seg}
		if decoder != nil && len(b.Seg) > 0 {
			if err := o.addMask(decoder, in); err != nil {
				return nil, nil, err
			}
		}
		all = append(all, o)
	}
	return all, unparsed, nil
}

// Tokens lists an answer's tokens as tasks.ScoreObject takes them.
func Tokens(r *runner.Result) []tasks.Token {
	var tokens []tasks.Token
	for _, s := range r.Steps {
		tokens = append(tokens, tasks.Token{Text: s.Text, Logprob: s.Logprob, BinProb: s.BinProb})
	}
	return tokens
}

func (o *Object) addMask(d *masks.Decoder, in Frame) error {
	values, err := d.Decode(o.Seg)
	if err != nil {
		return err
	}
	bitmap, _ := masks.Paste(values, o.Loc, in.Divisor, in.Width, in.Height) // a box without a pixel has an empty mask
	o.setMask(bitmap)
	return nil
}

// setMask gives the object a mask of the image's size, in all forms.
func (o *Object) setMask(bitmap *masks.Bitmap) {
	area := bitmap.Area()
	o.Bitmap, o.Mask, o.Area, o.Polygons = bitmap, &Mask{[2]int{bitmap.Height, bitmap.Width}, bitmap.RLE()}, &area, nil
	for _, outline := range bitmap.Polygons() {
		var flat []int
		for _, p := range outline {
			flat = append(flat, p[0], p[1])
		}
		o.Polygons = append(o.Polygons, flat)
	}
}

// Draw returns the image with the objects on it.
func Draw(p *imageproc.Image, objects []Object) *image.RGBA {
	var all []draw.Object
	for _, o := range objects {
		all = append(all, draw.Object{Label: o.Label, Score: o.Score.Score, XYXY: o.XYXY, Mask: o.Bitmap})
	}
	return draw.Objects(p.Pix, p.Width, p.Height, all)
}

// DrawMasks returns the masks alone, in an image of this size: with a palette, in which pixels of the n-th object that has a mask have the value n, or
// white on black. It fails where there are more than a palette holds.
func DrawMasks(width, height int, grey bool, objects []Object) (image.Image, error) {
	var all []*masks.Bitmap
	var colours []color.RGBA
	for _, o := range objects {
		if o.Bitmap != nil {
			all, colours = append(all, o.Bitmap), append(colours, draw.Colour(o.Label))
		}
	}
	if grey {
		return masks.Grey(width, height, all), nil
	}
	return masks.Paletted(width, height, all, colours)
}
