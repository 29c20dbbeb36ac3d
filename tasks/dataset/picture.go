package dataset

// This file: a row to what the formats need: objects with classes, pixels, masks. Before it: the journal. After it: the format's file.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// image is a labelled image.
type picture struct {
	Source
	sum           Digest
	id            int    // from 1, without those that are left out
	stem          string // the name without its ending, another for each image
	width, height int
	answers       []answer
}

// answer is an answer with its objects.
type answer struct {
	Answer
	objects  []object
	unparsed []string // where objects were to be expected
	leftOut  int      // objects that were not sure enough, or had no area
}

// object is one that is kept.
type object struct {
	tasks.Score
	label, text string // as the model said it; its part of the answer
	class       int    // of Export's classes, from 0
	xyxy        [4]float64
	mask        *masks.Bitmap // nil if it has none
	area        float64
	seg         []int
	loc         [4]int
}

// objects lists all objects of an image.
func (p *picture) objects() (all []object) {
	for _, a := range p.answers {
		all = append(all, a.objects...)
	}
	return all
}

// read makes a row's answers, without masks.
func (e *Export) read(r Record) (all []answer) {
	for _, a := range r.Answers {
		x := answer{Answer: a}
		boxes, unparsed := tasks.ParseBoxes(a.Text)
		_, things := ParsePrompt(a.Prompt)
		if len(boxes) > 0 || things != nil {
			x.unparsed = unparsed
		}
		for i, b := range boxes {
			o := object{Score: a.Scores[i], label: b.Label, text: a.Text[b.From:b.To], xyxy: b.Pixels(e.Divisor, r.Width, r.Height), seg: b.Seg, loc: b.Loc}
			if o.label == "" {
				o.label = unnamed(things)
			}
			o.area = (o.xyxy[2] - o.xyxy[0]) * (o.xyxy[3] - o.xyxy[1])
			if o.Score.Score < e.MinScore || o.area == 0 {
				x.leftOut++
				continue
			}
			x.objects = append(x.objects, o)
		}
		all = append(all, x)
	}
	return all
}

// Asked returns the task, detect or segment, of a prompt that asks for objects, and the things; "" and nil for another prompt.
func ParsePrompt(prompt string) (task string, things []string) {
	task, rest, _ := strings.Cut(prompt, " ")
	if task != "detect" && task != "segment" {
		return "", nil
	}
	return task, append([]string{}, tasks.SplitLabels(rest)...)
}

// unnamed is the label of an object that the model gave none: the one thing that was asked for, or "object".
func unnamed(things []string) string {
	if len(things) == 1 {
		return things[0]
	}
	return "object"
}

// draw adds the masks of an image's objects.
func (e *Export) draw(p *picture) error {
	if e.Decoder == nil {
		return nil
	}
	for i := range p.answers {
		for k := range p.answers[i].objects {
			o := &p.answers[i].objects[k]
			if len(o.seg) == 0 {
				continue
			}
			values, err := e.Decoder.Decode(o.seg)
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			o.mask, _ = masks.Paste(values, o.loc, e.Divisor, p.width, p.height)
			o.area = float64(o.mask.Area())
		}
	}
	return nil
}

// Classes lists what prompts ask for, each once, in their order.
func Classes(prompts []string) (all []string) {
	for _, p := range prompts {
		_, things := ParsePrompt(p)
		for _, t := range things {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// outline is the outline of an object's mask as one polygon; nil if it has none.
func (o *object) outline() []masks.Point {
	if o.mask == nil {
		return nil
	}
	return masks.Join(o.mask.Polygons())
}
