package main

// This file: pali caption, describe, ask, ocr, detect and segment: pali run with the prompt made, and the answer read. Before it: run.go. After it: objects.go.

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/answer"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// taskFlags are those of pali run, and what a task adds.
type taskFlags struct {
	runFlags
	showFlag
	lang     string
	output   string
	masks    string
	maskPNG  string
	maskForm string
	minScore float64
	divisor  int
	strict   bool
	tiles    bool
	tileSide int
}

// task is one command: prompt makes the model's prompt of the command's arguments.
type task struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	prompt                    func(f *taskFlags, args []string) (string, error)
	language, boxes, masks    bool
	tiles                     bool // it can be asked about parts of an image
}

var taskCommands = []task{
	{use: "caption -m MODEL -i IMAGE", short: "Describes an image in a sentence", long: framesHelp, example: "pali caption -m models -i photo.jpg --lang de\n  pali caption -m models -i clip.mp4 --resize bilinear", args: cobra.NoArgs, language: true,
		prompt: func(f *taskFlags, _ []string) (string, error) { return tasks.Caption(f.lang) }},
	{use: "describe -m MODEL -i IMAGE", short: "Describes an image at length", long: framesHelp, example: "pali describe -m models -i photo.jpg", args: cobra.NoArgs, language: true,
		prompt: func(f *taskFlags, _ []string) (string, error) { return tasks.Describe(f.lang) }},
	{use: "ask -m MODEL -i IMAGE QUESTION", short: "Answers a question about one or more images", long: framesHelp, example: `pali ask -m models -i photo.jpg "how many dogs are there?"
  pali ask -m models -i left.png -i right.png "the left image shows twice as many dogs"
  pali ask -m models -i frames/ --frames 16 "what falls?"`, args: onePrompt, language: true,
		prompt: func(f *taskFlags, args []string) (string, error) { return tasks.Ask(f.lang, args[0]) }},
	{use: "ocr -m MODEL -i IMAGE", short: "Reads the text in an image", long: "\n\n" + tilesHelp + ocrTilesHelp, example: `pali ocr -m models -i letter.png
  pali ocr -m models -i page.png --tiles --tile-side 600`, args: cobra.NoArgs, tiles: true,
		prompt: func(*taskFlags, []string) (string, error) { return tasks.OCR(), nil }},
	{use: "detect -m MODEL -i IMAGE THING...", short: "Finds things in an image: their boxes", long: objectsHelp + "\n\n" + tilesHelp + boxTilesHelp, example: `pali detect -m models -i photo.jpg cat "red bicycle" -o boxes.png
  pali detect -m models -i photo.jpg "cat ; dog" --json --min-score 0.5
  pali detect -m models -i crowd.jpg person --tiles -o people.png`, args: atLeastOne("nothing to detect"), boxes: true, tiles: true,
		prompt: func(_ *taskFlags, args []string) (string, error) { return tasks.Detect(args...) }},
	{use: "segment -m MODEL -i IMAGE THING...", short: "Finds things in an image: their masks", long: objectsHelp + masksHelp + "\n\n" + tilesHelp + boxTilesHelp, example: `pali segment -m models -i photo.jpg cat -o masks.png
  pali segment -m models -i photo.jpg cat --mask-png cat.png --mask-form grey`, args: atLeastOne("nothing to segment"), boxes: true, masks: true, tiles: true,
		prompt: func(_ *taskFlags, args []string) (string, error) { return tasks.Segment(args...) }},
}

const objectsHelp = `

Each object is a line: its label, its score, its box in pixels of the image as it is seen. --json adds the bins, the score's parts
(score_box: how sure each corner was, within 8 bins; score_label: how probable the label; score: their product), and, in "unparsed", what of the answer
is no object. -o draws them on the image. With --strict the model can give no answer that is not in the right form.`

const masksHelp = `

A mask needs the mask decoder: the file that "pali convert --masks" makes, beside the model or given with --masks. Without it there are boxes only.
--json gives a mask as COCO's run lengths and as polygons. --mask-png writes the masks alone: with a palette, in which pixels of the n-th object that has
a mask have the value n, or white on black in grey.`

func newTask(t task) *cobra.Command {
	f := &taskFlags{}
	name, _, _ := strings.Cut(t.use, " ")
	cmd := &cobra.Command{
		Use: t.use, Short: t.short, Long: t.short + "." + t.long, Example: "  " + t.example, Args: t.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			prompt, err := t.prompt(f, args)
			if err != nil {
				return usageError{err}
			}
			return f.run(cmd, t, name, prompt)
		},
	}
	fs := cmd.Flags()
	f.runFlags.add(fs)
	if t.language {
		f.addFrames(fs)
	}
	if t.language {
		fs.StringVar(&f.lang, "lang", "en", "language, as PaliGemma names it: "+strings.Join(tasks.Languages, " "))
	}
	if t.boxes {
		fs.StringVarP(&f.output, "output", "o", "", "draw the objects on the image, to this .png")
		f.addShow(fs)
		fs.Float64Var(&f.minScore, "min-score", 0, "leave out objects with a lower score")
		fs.BoolVar(&f.strict, "strict", false, "let the answer have no other form than that of objects with the labels asked for")
		fs.IntVar(&f.divisor, "loc-divisor", tasks.LocDivisor, "what a bin is divided by: 1023 as in training, or 1024 as other programs do")
	}
	if t.tiles {
		f.addTiles(fs)
	}
	if t.masks {
		fs.StringVar(&f.masks, "masks", "", "mask GGUF (default: the masks-*.gguf beside the text file)")
		fs.StringVar(&f.maskPNG, "mask-png", "", "write the masks alone, to this .png")
		fs.StringVar(&f.maskForm, "mask-form", "palette", "form of --mask-png: "+maskForms)
	}
	return cmd
}

func (f *taskFlags) check(t task) error {
	switch {
	case t.boxes && len(f.images) > 1:
		return usagef("%d images: objects are found in one", len(f.images))
	case t.boxes && f.divisor != 1023 && f.divisor != 1024:
		return usagef("--loc-divisor %d: want 1023 or 1024", f.divisor)
	case f.strict && f.beams > 1:
		return usagef("--strict and --beam: an answer is kept to its form or searched for")
	case !(f.minScore >= 0 && f.minScore <= 1):
		return usagef("--min-score %v: want 0 to 1", f.minScore)
	case f.output != "" && f.maskPNG != "" && filepath.Clean(f.output) == filepath.Clean(f.maskPNG):
		return usagef("--output and --mask-png %s: want two files", f.output)
	case t.masks && f.maskForm != "palette" && f.maskForm != "grey":
		return usagef("--mask-form %s: want %s", f.maskForm, maskForms)
	}
	if err := cmp.Or(f.checkTiles(), f.checkShow(f.asJSON)); err != nil {
		return err
	}
	if err := f.checkPNG("--output", f.output); err != nil {
		return err
	}
	return f.checkPNG("--mask-png", f.maskPNG)
}

// checkPNG refuses a path that is not a PNG's, or that of the image that is asked about.
func (f *taskFlags) checkPNG(flag, path string) error {
	if path == "" {
		return nil
	}
	if !strings.HasSuffix(strings.ToLower(path), ".png") {
		return usagef("%s %s: want a name that ends with .png", flag, path)
	}
	for _, picture := range f.images {
		in, err := os.Stat(picture)
		out, err2 := os.Stat(path)
		if err == nil && err2 == nil && os.SameFile(in, out) {
			return usagef("%s %s: this is the image that is asked about", flag, path)
		}
	}
	return nil
}

// run answers a task. Text streams as pali run's does; objects come when they are complete.
func (f *taskFlags) run(cmd *cobra.Command, t task, name, prompt string) error {
	if err := f.check(t); err != nil {
		return err
	}
	q, err := f.question(cmd.Context(), prompt)
	if err != nil {
		return err
	}
	var decoder *masks.Decoder
	if t.masks {
		if decoder, err = f.openMasks(cmd); err != nil {
			return err
		}
	}
	start := time.Now()
	model, err := f.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer model.Close()
	load := time.Since(start)
	if err := checkRoom(model, len(q.images)); err != nil {
		return err
	}
	if f.tiles {
		whole := answer.Frame{Width: q.images[0].Width, Height: q.images[0].Height, Divisor: float64(f.divisor)}
		return f.answerTiles(cmd, tiling{answer.Tiled{Whole: whole, Decoder: decoder}, t, model, q, load})
	}
	if q.Constraint, err = f.strictly(model, t, prompt); err != nil {
		return err
	}
	if !t.boxes && !f.asJSON {
		return f.answer(cmd, model, q, nil, load)
	}
	r, err := q.answer(cmd.Context(), model.Runner(), nil)
	if err != nil {
		return err
	}
	return f.tell(cmd, t, q, r, load, decoder)
}

// strictly makes the constraint of --strict for one answer, nil without it.
func (f *taskFlags) strictly(model *llamacpp.Model, t task, prompt string) (runner.Constraint, error) {
	if !f.strict {
		return nil, nil
	}
	_, things, _ := strings.Cut(prompt, " ")
	c, err := answer.Strict(model.Runner().Vocabulary, things, t.masks, f.maxTokens)
	if err != nil {
		return nil, usagef("--strict: %w", err)
	}
	return c, nil
}

// draw writes the images that are asked for.
func (f *taskFlags) draw(p *imageproc.Image, objects []answer.Object) error {
	if f.output != "" {
		if err := writePNG(f.output, answer.Draw(p, objects)); err != nil {
			return err
		}
	}
	if f.maskPNG == "" {
		return nil
	}
	alone, err := answer.DrawMasks(p.Width, p.Height, f.maskForm == "grey", objects)
	if err != nil {
		return err
	}
	return writePNG(f.maskPNG, alone)
}

// maskFile returns the mask file that is given, or the one beside the model; "" where there is none.
func (m *modelFlags) maskFile(given string) (string, error) {
	if given != "" || m.model == "" { // without a model open says so
		return given, nil
	}
	files, err := store.Find(m.model, m.mmproj, "")
	if err != nil {
		return "", err
	}
	return files.Masks, files.MasksErr
}

// noMasks is said where there is no mask file.
const noMasks = `no mask file beside the model: boxes only ("pali convert --masks" makes one)`

// openMasks finds and loads the mask decoder; nil where there is none, which is said.
func (f *taskFlags) openMasks(cmd *cobra.Command) (*masks.Decoder, error) {
	path, err := f.maskFile(f.masks)
	switch {
	case err != nil || path == "" && f.model == "":
		return nil, err
	case path == "" && f.maskPNG != "":
		return nil, usagef(`--mask-png %s: no mask file beside the model ("pali convert --masks" makes one)`, f.maskPNG)
	case path == "":
		fmt.Fprintln(cmd.ErrOrStderr(), "pali: "+noMasks)
		return nil, nil
	}
	return masks.Open(path)
}

// tell reads an answer that is complete, draws it and prints it.
func (f *taskFlags) tell(cmd *cobra.Command, t task, q question, r *runner.Result, load time.Duration, decoder *masks.Decoder) error {
	out := f.about(answer.Of(q.Request, r, load))
	if t.boxes {
		p := q.images[0]
		if err := out.Find(r, answer.Frame{Width: p.Width, Height: p.Height, Divisor: float64(f.divisor)}, f.minScore, decoder); err != nil {
			return err
		}
	}
	return f.show(cmd, t, q.images[0], out)
}

// about says which images an answer is about.
func (f *taskFlags) about(a answer.Answer) answer.Answer {
	a.Frames = f.chosen
	if a.Images = f.images; len(f.images) == 1 {
		a.Image, a.Images = f.images[0], nil
	}
	return a
}

// show draws the objects and prints the answer.
func (f *taskFlags) show(cmd *cobra.Command, t task, p *imageproc.Image, out answer.Answer) error {
	if err := f.draw(p, out.Objects); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), out)
	}
	if !t.boxes {
		return streamTo(cmd.OutOrStdout(), false)(out.Text + "\n")
	}
	if err := f.showObjects(cmd, p, out.Objects); err != nil {
		return err
	}
	for _, u := range out.Unparsed {
		fmt.Fprintf(cmd.ErrOrStderr(), "pali: no object: %s\n", forTerminal(u))
	}
	if len(out.Objects) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "pali: nothing found")
	}
	return printObjects(cmd.OutOrStdout(), out.Objects)
}
