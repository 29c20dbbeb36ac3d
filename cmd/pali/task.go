package main

// This file: the commands of tasks.All, pali caption and so on: pali run with the prompt made, and
// the answer read.

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/flags"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/draw"
	"github.com/pali-gguf/pali/tasks/masks"
)

// taskFlags are those of pali run, and what a task adds.
type taskFlags struct {
	runFlags
	showFlag
	formFlags
	lang     string
	output   string
	masks    string
	maskPNG  string
	maskForm string
	minScore float64
	divisor  int
	tiles    bool
	tileSide int
}

// taskExamples are the examples of the tasks' helps; a task without one gets a plain one.
var taskExamples = map[string]string{
	"caption": `pali caption -m models -i photo.jpg --lang de
  pali caption -m models -i clip.mp4 --resize bilinear`,
	"ask": `pali ask -m models -i photo.jpg "how many dogs are there?"
  pali ask -m models -i left.png -i right.png "the left image shows twice as many dogs"
  pali ask -m models -i frames/ --frames 16 "what falls?"`,
	"ocr": `pali ocr -m models -i letter.png
  pali ocr -m models -i page.png --tiles --tile-side 600`,
	"detect": `pali detect -m models -i photo.jpg cat "red bicycle" -o boxes.png
  pali detect -m models -i photo.jpg "cat ; dog" --json --min-score 0.5
  pali detect -m models -i crowd.jpg person --tiles -o people.png`,
	"segment": `pali segment -m models -i photo.jpg cat -o masks.png
  pali segment -m models -i photo.jpg cat --mask-png cat.png --mask-form grey`,
}

const objectsHelp = `

Each object is a line: its label, its score, its box in pixels of the upright image. --json adds the bins, the score's
parts (score_box: the probability of each corner, within 8 bins; score_label: that of the label; score: their product),
and, in "lost", what was left out or is missing. -o draws the objects on the image.

The answer is kept to well-formed objects with the labels asked for. With --free the model may give other labels, or
what is no object: "unparsed" has these parts.`

const masksHelp = `

A mask needs the mask decoder: the file that "pali convert --masks" makes, beside the model or given with --masks.
Without it there are boxes only. --json gives a mask as COCO's run lengths and as polygons. --mask-png writes the masks
alone: with a palette, where pixels of the n-th object that has a mask have the value n, or white on black in grey.`

// newTask makes the command of a task.
func newTask(t *tasks.Task) *cobra.Command {
	f := &taskFlags{}
	cmd := &cobra.Command{
		Use: t.Name + " -m MODEL -i IMAGE", Short: t.Short,
		Long: t.Short + "." + taskHelp(t), Args: cobra.ArbitraryArgs,
		Example: "  " + cmp.Or(taskExamples[t.Name], "pali "+t.Name+" -m models -i photo.jpg"),
		RunE: func(cmd *cobra.Command, args []string) error {
			question, images := "", []string{}
			switch {
			case t.Question:
				question = args[0]
			case !t.Labels: // nothing else can be meant
				images, args = args, nil
			}
			if err := f.nameImages(images, args); err != nil {
				return err
			}
			prompt, err := t.Prompt(f.lang, question, args...)
			if err != nil {
				return usageError{err}
			}
			return f.run(cmd, prompt)
		},
	}
	switch {
	case t.Question:
		cmd.Use, cmd.Args = cmd.Use+" QUESTION", onePrompt
	case t.Labels:
		cmd.Use, cmd.Args = cmd.Use+" THING...", atLeastOne("nothing to "+t.Name)
	}
	f.addTask(cmd.Flags(), t)
	return cmd
}

// taskHelp is what the help of a task says about its flags.
func taskHelp(t *tasks.Task) (help string) {
	if t.Lang {
		help += framesHelp
	}
	if t.Boxes {
		help += objectsHelp
	}
	if t.Masks {
		help += masksHelp
	}
	switch {
	case t.Tiles && t.Boxes:
		help += "\n\n" + tilesHelp + boxTilesHelp
	case t.Tiles:
		help += "\n\n" + tilesHelp + ocrTilesHelp
	}
	return help
}

// addTask adds the flags of a task.
func (f *taskFlags) addTask(fs *pflag.FlagSet, t *tasks.Task) {
	f.runFlags.add(fs)
	if t.Lang {
		f.addFrames(fs)
		fs.StringVar(&f.lang, "lang", "en", "language, as PaliGemma names it: "+strings.Join(tasks.Languages, " "))
	}
	if t.Boxes {
		fs.StringVarP(&f.output, "output", "o", "", "draw the objects on the image, to this .png")
		f.addShow(fs)
		fs.Float64Var(&f.minScore, "min-score", 0, "leave out objects with a lower score")
		f.addForm(fs)
		fs.IntVar(&f.divisor, "loc-divisor", tasks.LocDivisor,
			"what a bin is divided by: 1023 as in training, or 1024 as other programs do")
	}
	if t.Tiles {
		f.addTiles(fs)
	}
	if t.Masks {
		fs.StringVar(&f.masks, "masks", "", "mask GGUF (default: the masks-*.gguf beside the text file)")
		fs.StringVar(&f.maskPNG, "mask-png", "", "write the masks alone, to this .png")
		fs.StringVar(&f.maskForm, "mask-form", "palette", "form of --mask-png: "+maskForms)
	}
}

// formFlags say whether answers about objects are kept to the form of objects.
type formFlags struct{ strict bool }

func (f *formFlags) addForm(fs *pflag.FlagSet) {
	fs.BoolVar(&f.strict, "strict", true, "keep answers about objects to well-formed objects with the labels asked for")
	fs.Bool("free", false, "let the model answer in any form")
}

// checkForm sets strict to what both flags of fs come to; false where there are none.
func (f *formFlags) checkForm(fs *pflag.FlagSet) (err error) {
	f.strict, err = flags.Either(fs, "strict", "free")
	return asUsage(err)
}

func (f *taskFlags) check(p tasks.Prompt) error {
	t := p.Task
	if err := f.checkForm(f.flags); err != nil {
		return err
	}
	switch {
	case t.Boxes && len(f.images) > 1:
		return usagef("%d images: objects are found in one", len(f.images))
	case t.Boxes && f.divisor != 1023 && f.divisor != 1024:
		return usagef("--loc-divisor %d: want 1023 or 1024", f.divisor)
	case t.Boxes && f.strict && f.beams > 1:
		return usagef("--strict and --beam: an answer is kept to its form, as by default, or searched for, with --free")
	case !(f.minScore >= 0 && f.minScore <= 1):
		return usagef("--min-score %v: want 0 to 1", f.minScore)
	case f.output != "" && f.maskPNG != "" && filepath.Clean(f.output) == filepath.Clean(f.maskPNG):
		return usagef("--output and --mask-png %s: want two files", f.output)
	case t.Masks && f.maskForm != "palette" && f.maskForm != "grey":
		return usagef("--mask-form %s: want %s", f.maskForm, maskForms)
	}
	if t.Boxes && f.strict {
		if err := tasks.CheckTokens(p.Labels, p.Masks(), f.maxTokens); err != nil {
			return usageError{err}
		}
	}
	if err := cmp.Or(asUsage(cmp.Or(runner.CheckPrompt(p.Text), dataset.CheckLabels(p))), f.checkTiles(),
		f.checkShow(f.asJSON), f.refuseIdle(f.maskPNG == "", "without --mask-png", "mask-form")); err != nil {
		return err
	}
	if err := f.checkPNG("--output", f.output); err != nil {
		return err
	}
	return f.checkPNG("--mask-png", f.maskPNG)
}

// checkPNG refuses a path that cannot be written as a PNG, or is that of an image asked about.
func (f *taskFlags) checkPNG(flag, path string) error {
	if path == "" {
		return nil
	}
	if atomicfile.NotInput(path, f.images...) != nil {
		return usagef("%s %s: this is the image that is asked about", flag, path)
	}
	return checkOutput(flag, path, ".png", true)
}

// run answers a task. Text streams as pali run's does; objects come when they are complete.
func (f *taskFlags) run(cmd *cobra.Command, prompt tasks.Prompt) error {
	if err := f.check(prompt); err != nil {
		return err
	}
	q, err := f.request(cmd.Context(), prompt.Text)
	if err != nil {
		return err
	}
	var decoder *masks.Decoder
	if prompt.Masks() {
		needs := ""
		if f.maskPNG != "" {
			needs = "--mask-png " + f.maskPNG
		}
		if decoder, err = f.openMasks(cmd.ErrOrStderr(), f.masks, needs, true); err != nil {
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
	if f.tiles {
		return f.answerTiles(cmd, model, q, tasks.TileMerger{Want: f.want(prompt), Full: f.canvas(q.Images[0]),
			Decoder: decoder}, load)
	}
	if q.Constraint, err = f.newGrammar(model, prompt); err != nil {
		return err
	}
	if !prompt.Boxes() && !f.asJSON {
		return f.answer(cmd, model, q, nil, load)
	}
	r, err := model.Run(cmd.Context(), q, nil)
	if err != nil {
		return err
	}
	return f.print(cmd, prompt, q, r, load, decoder)
}

// newGrammar makes the constraint for one answer, nil for a free one.
func (f *taskFlags) newGrammar(model *pali.Model, p tasks.Prompt) (runner.Constraint, error) {
	if !f.want(p).Strict {
		return nil, nil
	}
	g, err := model.Grammar(p, f.maxTokens)
	if err != nil {
		return nil, usagef("%w: --free lets the model answer in any form", err)
	}
	return g, nil
}

// want is what the flags want of an answer.
func (f *taskFlags) want(p tasks.Prompt) tasks.Want {
	return tasks.Want{Prompt: p, MinScore: f.minScore, MaxTokens: f.maxTokens, Strict: f.strict && p.Boxes(),
		Masks: p.Masks()}
}

// canvas says where the bins of an answer about p lie.
func (f *taskFlags) canvas(p *imageproc.Image) tasks.Canvas {
	return tasks.Canvas{Width: p.Width, Height: p.Height, Divisor: float64(f.divisor)}
}

// draw writes the images that are asked for.
func (f *taskFlags) draw(p *imageproc.Image, objects []tasks.Detection) error {
	if f.output != "" {
		if err := atomicfile.WritePNG(f.output, draw.Objects(p.Pix, p.Width, p.Height, objects)); err != nil {
			return err
		}
	}
	if f.maskPNG == "" {
		return nil
	}
	alone, err := draw.Masks(p.Width, p.Height, f.maskForm == "grey", objects)
	if err != nil {
		return err
	}
	return atomicfile.WritePNG(f.maskPNG, alone)
}

// print reads an answer that is complete, draws it and prints it.
func (f *taskFlags) print(cmd *cobra.Command, p tasks.Prompt, q pali.Request, r *pali.Result, load time.Duration,
	decoder *masks.Decoder) error {
	out := f.withImages(tasks.NewResponse(f.want(p), r, load), r.Steps)
	if p.Boxes() {
		if err := out.AddDetections(r, f.canvas(q.Images[0]), f.want(p), decoder); err != nil {
			return err
		}
	}
	return f.show(cmd, p, q.Images[0], out)
}

// withImages adds to a response which images it is about, and with --logprobs those of its tokens.
func (f *taskFlags) withImages(a tasks.Response, steps []runner.Step) tasks.Response {
	a.Frames, a.Seed = f.chosen, f.sampling.Drawn()
	if a.Images = f.images; len(f.images) == 1 {
		a.Image, a.Images = f.images[0], nil
	}
	if f.logprobs > 0 {
		a.Logprobs = tasks.Logprobs(steps)
	}
	return a
}

// show draws the objects, and prints the answer about img and what it lost.
func (f *taskFlags) show(cmd *cobra.Command, p tasks.Prompt, img *imageproc.Image, out tasks.Response) error {
	if err := f.draw(img, out.Objects); err != nil {
		return err
	}
	printLosses(cmd.ErrOrStderr(), out.Lost)
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), out)
	}
	printLogprobs(cmd.ErrOrStderr(), out.Logprobs)
	if !p.Boxes() {
		return streamTo(cmd.OutOrStdout(), false)(out.Text + "\n")
	}
	if err := f.showObjects(cmd, img, out.Objects); err != nil {
		return err
	}
	if len(out.Objects) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "pali: nothing found")
	}
	return printObjects(cmd.OutOrStdout(), out.Objects)
}
