package main

// This file: the flags of pali label, and the prompts that they mean; labelling.go: what it does.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
)

type labelFlags struct {
	modelFlags
	formFlags
	limits                imageproc.Limits
	prompts, formats      []string
	classes, task, lang   string
	classesPerPrompt      int
	output, masks, resize string
	minScore              float64
	divisor, maxTokens    int
	recursive, zero       bool
	force, asJSON         bool
}

func newLabel() *cobra.Command {
	var f labelFlags
	cmd := &cobra.Command{
		Use:   "label -m MODEL -o FOLDER IMAGES...",
		Short: "Labels many images, and writes COCO, YOLO, VOC, LabelMe, CSV, JSONL or masks",
		Long: `Asks a model the same prompts about many images and writes the answers in formats that other programs
read. IMAGES are folders, files, patterns in quotes, or - for a list on standard input. Prints the paths it wrote.

  coco      coco.json: boxes, masks as polygons, scores; images and categories from 1
  yolo      yolo/: images (copies), labels, data.yaml, classes.txt, as Ultralytics reads them; yolo-seg: outlines of masks
  voc       voc/*.xml: Pascal VOC
  labelme   labelme/*.json: LabelMe, with the images where they are
  csv       labels.csv: a row for each object, or for an answer without objects; a text that a spreadsheet would take
            for a formula has a ' before it
  jsonl     labels.jsonl: a row {"image", "prefix", "suffix"} for each answer, to train on or for pali eval
  masks     masks/*.png: the number of the class at each pixel, from 1, with a palette; classes.txt

A folder's images are its JPEG, PNG, GIF, BMP and WebP files, whatever their names; hidden files and links to folders
are left out. Boxes are in pixels of the upright image. A name in these files is the image's path from the folder that
all of them are under; files for one image are named so too, but cut where that is too long. YOLO's copies leave out
folders named images, which Ultralytics would look for labels beside; they and LabelMe have GIFs as PNGs. Objects of too
low a score, or without any area, are left out. An outline that has holes or parts is one polygon.

FOLDER/journal.jsonl keeps each answer as it comes, by the contents of the image's file. When the same command is
started again, only new images are asked about; formats, --min-score, --loc-divisor and --masks may differ then. The
files are rewritten each time: correct labels by hand in a copy. An image that cannot be read, or whose format is
another one, as HEIC or TIFF, is reported and left out, and the exit code is 1. What the answers lack is reported too.`,
		Example: `  pali label photos -m models --classes classes.txt --format coco,yolo -o labels
  pali label "photos/*.jpg" -m models --prompt "detect cat ; dog" --prompt "caption en" --format csv -o labels
  find photos -name "*.png" -print0 | pali label - -0 -m models --task segment --classes classes.txt --format yolo-seg,masks -o labels`,
		Args: atLeastOne("no images: name a folder, files, or - for a list on standard input"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.StringArrayVar(&f.prompts, "prompt", nil, "prompt, exactly as the model gets it; give it as often as you like")
	fs.StringVar(&f.classes, "classes", "",
		"text file of things to detect or segment, one a line (- for standard input)")
	ofClasses, others := labelTasks()
	fs.StringVar(&f.task, "task", "",
		orList(ofClasses)+" (of --classes; "+ofClasses[0]+" is the default), "+orList(others))
	fs.IntVar(&f.classesPerPrompt, "classes-per-prompt", 1, "how many classes one prompt asks for")
	fs.StringVar(&f.lang, "lang", "en", "language of --task caption and describe")
	fs.StringSliceVar(&f.formats, "format", []string{"coco"},
		"what to write: "+strings.Join(dataset.FormatNames(), ", ")+"; several with commas")
	fs.StringVarP(&f.output, "output", "o", "", "folder to write to")
	fs.Float64Var(&f.minScore, "min-score", 0, "leave out objects with a lower score")
	f.addForm(fs)
	fs.IntVar(&f.divisor, "loc-divisor", tasks.LocDivisor,
		"what a bin is divided by: 1023 as in training, or 1024 as other programs do")
	fs.StringVar(&f.masks, "masks", "", "mask GGUF (default: the masks-*.gguf beside the text file)")
	fs.BoolVarP(&f.recursive, "recursive", "r", false, "look into the folders below a folder too")
	fs.BoolVarP(&f.zero, "null", "0", false,
		"the list on standard input is separated by NUL bytes, as find -print0 writes it")
	fs.IntVar(&f.maxTokens, "max-tokens", 256, "longest answer in tokens")
	fs.StringVar(&f.resize, "resize", string(imageproc.Antialias), "antialias, bilinear or bicubic, as in pali run")
	addLimits(fs, &f.limits)
	fs.BoolVar(&f.force, "force", false, "forget the journal, and replace files that are there")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *labelFlags) check() error {
	switch {
	case f.model == "":
		return usagef("no model: give a text GGUF or its folder with -m")
	case f.output == "":
		return usagef("no folder to write to: give one with -o")
	case f.divisor != 1023 && f.divisor != 1024:
		return usagef("--loc-divisor %d: want 1023 or 1024", f.divisor)
	case !(f.minScore >= 0 && f.minScore <= 1):
		return usagef("--min-score %v: want 0 to 1", f.minScore)
	case f.maxTokens < 1 || f.maxTokens > runner.MaxAnswerTokens:
		return usagef("--max-tokens %d: want 1 to %d", f.maxTokens, runner.MaxAnswerTokens)
	case f.classesPerPrompt < 1:
		return usagef("--classes-per-prompt %d: want 1 or more", f.classesPerPrompt)
	case len(f.formats) == 0:
		return usagef("no format: give one with --format")
	}
	for _, name := range f.formats {
		if all := dataset.FormatNames(); !slices.Contains(all, name) {
			return usagef("--format %s: want some of %s", name, strings.Join(all, ", "))
		}
	}
	if _, err := imageproc.ParseResize(f.resize); err != nil {
		return usageError{err}
	}
	t := tasks.Find(f.task)
	return cmp.Or(f.checkForm(f.flags), f.refuseIdle(f.classes == "", "without --classes", "classes-per-prompt"),
		f.refuseIdle(t == nil || !t.Lang, "without a --task that has a language", "lang"))
}

// asked lists the prompts that the flags mean.
func (f *labelFlags) asked(ctx context.Context) ([]tasks.Prompt, error) {
	var all []tasks.Prompt
	for _, text := range f.prompts {
		all = append(all, tasks.Parse(text))
	}
	made, err := f.taskPrompts(ctx)
	if err != nil {
		return nil, err
	}
	if all = append(all, made...); len(all) == 0 {
		return nil, usagef("no prompts: give --classes, --prompt or --task")
	}
	for i, p := range all {
		if err := cmp.Or(runner.CheckPrompt(p.Text), dataset.CheckLabels(p)); err != nil && i >= len(f.prompts) {
			return nil, usagef("--classes-per-prompt %d: %w", f.classesPerPrompt, err)
		} else if err != nil {
			return nil, usagef("--prompt: %w", err)
		}
		switch {
		case slices.ContainsFunc(all[:i], func(o tasks.Prompt) bool { return o.Text == p.Text }):
			return nil, usagef("%q is asked twice", p.Text)
		case f.strict && p.Boxes():
			if err := tasks.CheckTokens(p.Labels, p.Masks(), f.maxTokens); err != nil {
				return nil, usageError{err}
			}
		}
	}
	return all, nil
}

// labelTasks lists the tasks that --task may name: those that ask for classes, and those that need
// no words.
func labelTasks() (ofClasses, others []string) {
	for _, t := range tasks.All {
		switch {
		case t.Labels:
			ofClasses = append(ofClasses, t.Name)
		case !t.Question:
			others = append(others, t.Name)
		}
	}
	return ofClasses, others
}

// orList joins names as "a, b or c".
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// taskPrompts makes the prompts of --task and --classes.
func (f *labelFlags) taskPrompts(ctx context.Context) ([]tasks.Prompt, error) {
	ofClasses, others := labelTasks()
	if f.task == "" && f.classes != "" {
		f.task = ofClasses[0]
	}
	switch {
	case f.task == "":
		return nil, nil
	case slices.Contains(ofClasses, f.task):
		return f.classPrompts(ctx)
	case !slices.Contains(others, f.task):
		return nil, usagef("--task %s: want %s; other prompts are given with --prompt", f.task,
			orList(append(ofClasses, others...)))
	}
	p, err := tasks.Find(f.task).Prompt(f.lang, "")
	if err == nil && f.classes != "" {
		err = fmt.Errorf("--classes with --task %s: it asks for no things", f.task)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return []tasks.Prompt{p}, nil
}

// classPrompts asks for the classes of the file, --classes-per-prompt at once.
func (f *labelFlags) classPrompts(ctx context.Context) (all []tasks.Prompt, err error) {
	if f.classes == "" {
		return nil, usagef("--task %s without --classes", f.task)
	}
	classes, err := dataset.ReadClasses(ctx, f.classes)
	if err != nil {
		return nil, fmt.Errorf("--classes: %w", err)
	}
	for some := range slices.Chunk(classes, f.classesPerPrompt) {
		prompt, err := tasks.Find(f.task).Prompt("", "", some...)
		if err != nil {
			return nil, err
		}
		all = append(all, prompt)
	}
	return all, nil
}

func (f *labelFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	if input.IsStdin(f.classes) && slices.Contains(args, "-") {
		return usagef("standard input is the list of images: --classes cannot be it too")
	}
	prompts, err := f.asked(cmd.Context())
	if err != nil {
		return err
	}
	found, err := dataset.FindSources(args, dataset.FindOptions{
		Recursive: f.recursive, Skip: f.output, List: cmd.InOrStdin(), Zero: f.zero,
	})
	if err != nil {
		return err
	}
	l, err := f.labelling(cmd, prompts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.output, 0o777); err != nil {
		return fmt.Errorf("--output %s: %w", f.output, errors.Unwrap(err))
	}
	return l.run(cmd, found)
}
