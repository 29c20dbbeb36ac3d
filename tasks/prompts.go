package tasks

// This file: what PaliGemma is asked. Before it: a task and its words. After it: the prompt, exactly as the model was trained with it.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Languages are those that PaliGemma was pretrained with (big_vision configs/proj/paligemma/transfers/coco35l.py), and Cuzco Quechua, which XM3600 adds.
var Languages = strings.Fields("ar bn cs da de el en es fa fi fil fr he hi hr hu id it ja ko mi nl no pl pt quz ro ru sv sw te th tr uk vi zh")

// Caption asks for a short description in a language.
func Caption(lang string) (string, error) { return inLanguage("caption", lang) }

// Describe asks for a longer one.
func Describe(lang string) (string, error) { return inLanguage("describe", lang) }

// Ask asks a question. It answers in a few words, in English mostly, whatever the language of the question.
func Ask(lang, question string) (string, error) {
	if strings.TrimSpace(question) == "" {
		return "", errors.New("no question")
	}
	prompt, err := inLanguage("answer", lang)
	return prompt + " " + question, err
}

// OCR asks for all text in the image, line by line.
func OCR() string { return "ocr" }

// Detect asks for the boxes of things. A thing may itself be several, parted by ";".
func Detect(things ...string) (string, error) { return withThings("detect", things) }

// Segment asks for the boxes and masks of things.
func Segment(things ...string) (string, error) { return withThings("segment", things) }

func inLanguage(task, lang string) (string, error) {
	if !slices.Contains(Languages, lang) {
		return "", fmt.Errorf("language %q: want one of %s", lang, strings.Join(Languages, " "))
	}
	return task + " " + lang, nil
}

func withThings(task string, things []string) (string, error) {
	all := SplitLabels(strings.Join(things, ";"))
	if len(all) == 0 {
		return "", fmt.Errorf("nothing to %s", task)
	}
	return task + " " + strings.Join(all, separator), nil
}

// Things parts a text at ";", without the blanks around each and without empty ones.
func SplitLabels(text string) (all []string) {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}
