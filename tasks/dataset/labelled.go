package dataset

// This file: what the formats need of a record: objects with classes, boxes in pixels, masks.

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/pali-gguf/pali/internal/textfile"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// labelledImage is an image with its answers.
type labelledImage struct {
	Source
	digest        Digest
	id            int    // from 1, in the order of the images that are not left out
	baseName      string // of its files, without an extension (nameFiles)
	yoloName      string // the same for YOLO's files
	width, height int
	answers       []answer
	losses        tasks.Losses
}

// answer is an answer with its objects.
type answer struct {
	Answer
	objects []object
	dropped int // objects with too low a score or an empty box
}

// object is an object that is not dropped.
type object struct {
	tasks.Detection
	text  string  // of the answer
	class int     // of Export's classes, from 0
	area  float64 // of the mask, or of the box if it has none
}

// objects returns the objects of all answers.
func (img *labelledImage) objects() (all []object) {
	for _, a := range img.answers {
		all = append(all, a.objects...)
	}
	return all
}

// read returns the answers of r, without masks, and what they lost.
func (e *Export) read(r Record) (all []answer, lost tasks.Losses) {
	canvas := tasks.Canvas{Width: r.Width, Height: r.Height, Divisor: e.Divisor}
	for _, a := range r.Answers {
		x, prompt := answer{Answer: a}, tasks.Parse(a.Prompt)
		found, unparsed := tasks.ParseDetections(a.Text)
		if len(found) > 0 || prompt.Boxes() {
			lost.AddUnparsed(unparsed...)
		}
		if a.CutOff {
			lost.CutOff++
		}
		want := tasks.Want{Prompt: prompt, MinScore: e.MinScore, Decoder: e.Decoder != nil,
			Masks: prompt.Masks() || prompt.Boxes() && e.needsMasks()}
		for i, d := range found {
			d.Label, d.Score, d.XYXY = cleanLabel(d.Label), a.Scores[i], canvas.XYXY(d.Loc)
			if !lost.Keep(want, &d) {
				x.dropped++
				continue
			}
			if d.Label == "" {
				d.Label = defaultLabel(prompt)
			}
			area := (d.XYXY[2] - d.XYXY[0]) * (d.XYXY[3] - d.XYXY[1])
			x.objects = append(x.objects, object{Detection: d, text: a.Text[d.From:d.To], area: area})
		}
		all = append(all, x)
	}
	return all, lost
}

// cleanLabel returns a label that the model gave on one line and without control characters, which
// could steer a terminal, and which some formats do not have.
func cleanLabel(label string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(label, "\ufffd"), func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}), " ")
}

// defaultLabel returns the label of an object without one: the prompt's if it has exactly one, else
// "object".
func defaultLabel(prompt tasks.Prompt) string {
	if len(prompt.Labels) == 1 {
		return prompt.Labels[0]
	}
	return "object"
}

// drawMasks adds the masks of the objects of img, and their areas.
func (e *Export) drawMasks(img *labelledImage) error {
	canvas := tasks.Canvas{Width: img.width, Height: img.height, Divisor: e.Divisor}
	for i := range img.answers {
		for k := range img.answers[i].objects {
			o := &img.answers[i].objects[k]
			var err error
			if o.Mask, err = o.DrawMask(e.Decoder, canvas); err != nil {
				return fmt.Errorf("%s: %w", img.Name, err)
			}
			if o.Mask == nil {
				continue
			}
			if o.area = float64(o.Mask.Area()); o.area == 0 {
				img.losses.EmptyMask++
			}
		}
	}
	return nil
}

// classes returns the labels that prompts ask for, each once, in their order.
func classes(prompts []tasks.Prompt) (all []string) {
	for _, p := range prompts {
		for _, label := range p.Labels {
			if !slices.Contains(all, label) {
				all = append(all, label)
			}
		}
	}
	return all
}

// CheckLabels refuses a prompt that asks for labels which files of one class on each line, or a
// terminal, cannot have.
func CheckLabels(p tasks.Prompt) error {
	for _, label := range p.Labels {
		if err := textfile.CheckLine(label); err != nil {
			return fmt.Errorf("the label %q: %w", label, err)
		}
	}
	return nil
}

// outline returns the outline of the object's mask as one polygon; nil without a mask.
func (o *object) outline() []masks.Point {
	if o.Mask == nil {
		return nil
	}
	return masks.Join(o.Mask.Polygons())
}
