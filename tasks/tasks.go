// Package tasks knows what PaliGemma is asked and what it answers: it makes prompts, and reads
// boxes and the codes of masks.
//
// Before it: the words of a command line, or of a request. After it: a prompt for package runner,
// and of its result the objects in pixels of the image as a person sees it, as JSON.
//
//	tasks.go      the table of tasks, and the prompts made of it
//	detection.go  the objects of an answer: boxes, scores, masks
//	score.go      how sure the model was of an object
//	grammar.go    answers that cannot have another form
//	losses.go     what answers lost, and the sentences that say it
//	tiles.go      large images in overlapping tiles; merger.go: the answers about them as one
//	response.go   an answer as JSON, for commands and routes
package tasks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Task is something that PaliGemma is asked to do. The command, the route, what pali label takes
// and how pali eval groups questions follow from its row in All.
type Task struct {
	Name  string // of the command and of the route
	Word  string // the first word of its prompts
	Short string // what the command does

	Lang     bool // its prompts name a language; one prompt may be about several images
	Question bool // its prompts end with a question
	Labels   bool // its prompts list the labels of what to find
	Boxes    bool // its answers are objects with boxes
	Masks    bool // and with masks
	Tiles    bool // it can be asked about parts of an image
}

// All is the table of tasks.
var All = []Task{
	{Name: "caption", Word: "caption", Short: "Describes an image in a sentence", Lang: true},
	{Name: "describe", Word: "describe", Short: "Describes an image at length", Lang: true},
	{Name: "ask", Word: "answer", Short: "Answers a question about one or more images",
		Lang: true, Question: true},
	{Name: "ocr", Word: "ocr", Short: "Reads the text in an image", Tiles: true},
	{Name: "detect", Word: "detect", Short: "Finds things in an image: their boxes",
		Labels: true, Boxes: true, Tiles: true},
	{Name: "segment", Word: "segment", Short: "Finds things in an image: their masks",
		Labels: true, Boxes: true, Masks: true, Tiles: true},
}

// promptsOnly are tasks that PaliGemma was also trained on and that have no command: short
// captions, and a question for an answer.
var promptsOnly = []Task{
	{Word: "cap", Lang: true},
	{Word: "question", Lang: true, Question: true},
}

// Find returns the task of All with this name, nil if there is none.
func Find(name string) *Task {
	if i := slices.IndexFunc(All, func(t Task) bool { return t.Name == name }); i >= 0 {
		return &All[i]
	}
	return nil
}

// Languages are those that PaliGemma was pretrained with (big_vision
// configs/proj/paligemma/transfers/coco35l.py), and Cuzco Quechua, which XM3600 adds.
var Languages = strings.Fields("ar bn cs da de el en es fa fi fil fr he hi hr hu id it ja ko " +
	"mi nl no pl pt quz ro ru sv sw te th tr uk vi zh")

// Prompt is what the model is asked, with its parts.
type Prompt struct {
	Task     *Task // nil if the text begins with none of PaliGemma's tasks
	Lang     string
	Question string
	Labels   []string // of what to find
	Text     string   // what the model gets, exactly as it is
}

// Boxes reports whether the answer is objects with boxes.
func (p Prompt) Boxes() bool { return p.Task != nil && p.Task.Boxes }

// Masks reports whether the objects of the answer have masks.
func (p Prompt) Masks() bool { return p.Task != nil && p.Task.Masks }

// Prompt makes the task's prompt, exactly as the model was trained with it, of those arguments that
// the task takes. A label may itself be several, separated by ";". It fails on a language that is
// not one of Languages, an empty question, and no labels.
func (t *Task) Prompt(lang, question string, labels ...string) (Prompt, error) {
	p := Prompt{Task: t, Text: t.Word}
	if t.Question {
		if strings.TrimSpace(question) == "" {
			return Prompt{}, errors.New("no question")
		}
		p.Question = question
	}
	if t.Lang {
		if !slices.Contains(Languages, lang) {
			return Prompt{}, fmt.Errorf("language %q: want one of %s", lang, strings.Join(Languages, " "))
		}
		p.Lang = lang
		p.Text += " " + lang
	}
	if t.Question {
		p.Text += " " + question
	}
	if t.Labels {
		p.Labels = SplitLabels(strings.Join(labels, ";"))
		if len(p.Labels) == 0 {
			return Prompt{}, fmt.Errorf("nothing to %s", t.Name)
		}
		p.Text += " " + strings.Join(p.Labels, separator)
	}
	return p, nil
}

// Parse reads a prompt that was typed by hand. Any text is a prompt; what it lacks stays empty.
func Parse(text string) Prompt {
	p := Prompt{Text: text}
	word, rest, _ := strings.Cut(text, " ")
	for _, table := range [][]Task{All, promptsOnly} {
		for i := range table {
			if table[i].Word == word {
				p.Task = &table[i]
			}
		}
	}
	if p.Task == nil {
		return p
	}
	if p.Task.Lang {
		p.Lang, rest, _ = strings.Cut(rest, " ")
	}
	if p.Task.Question {
		p.Question = rest
	}
	if p.Task.Labels {
		p.Labels = SplitLabels(rest)
	}
	return p
}

// Caption asks for a short description in the language lang.
func Caption(lang string) (Prompt, error) { return Find("caption").Prompt(lang, "") }

// Describe asks for a longer description in the language lang.
func Describe(lang string) (Prompt, error) { return Find("describe").Prompt(lang, "") }

// Ask asks question. The model answers in a few words, in English mostly, whatever the language
// of the question.
func Ask(lang, question string) (Prompt, error) { return Find("ask").Prompt(lang, question) }

// OCR asks for all text in the image, line by line.
func OCR() Prompt { return Prompt{Task: Find("ocr"), Text: "ocr"} }

// Detect asks for the boxes of the objects with these labels. A label may itself be several,
// separated by ";".
func Detect(labels ...string) (Prompt, error) { return Find("detect").Prompt("", "", labels...) }

// Segment asks for the boxes and masks of the objects with these labels.
func Segment(labels ...string) (Prompt, error) { return Find("segment").Prompt("", "", labels...) }

// SplitLabels splits text at ";" and returns the parts without the blanks around each and without
// empty ones.
func SplitLabels(text string) (all []string) {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}
