package main

// This file: pali eval.

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

type evalFlags struct {
	modelFlags
	limits                     imageproc.Limits
	questions, images          string
	against, againstMmproj     string
	masks, resize, perQuestion string
	maxTokens                  int
	force, asJSON              bool
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval -m MODEL --questions QUESTIONS.jsonl",
		Short: "Asks a model questions whose answers are known, and scores its answers",
		Long: `Asks a model questions about images and scores the answers. A question is a line {"image": "000.png",
"prefix": "caption en", "suffix": "a red circle"}; a suffix may be a list of true answers. Answers are greedy.

  texts          exact: equal to a true answer. Where the suffix is a list also ANLS and relaxed accuracy (ChartQA's), and with four
                 true answers or more VQA accuracy (leave-one-out)
  "detect ..."   F1 at IoU 0.5, the mean IoU of the hits, average precision at IoU 0.5 and over 0.5 to 0.95 (COCO's),
                 and the same if boxes were ranked by their places in the answer instead of their scores
  "segment ..."  IoU of the boxes, and of the masks, drawn on 256 x 256, if there is a mask file (pali convert --masks)

--against takes a second model as the reference, best the same in f32. It answers each question, the model is given that
answer token by token, and at each position the Kullback-Leibler divergence of the model's distribution from the
reference's is taken.

--per-question keeps a line of JSON for each question, written at once. A run that was stopped continues from there.`,
		Example: `  pali eval -m models --questions photos/questions.jsonl
  pali eval -m models/demo-Q4_0.gguf --against models/demo-F32.gguf --questions photos/questions.jsonl --per-question q4_0.jsonl`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.StringVar(&f.questions, "questions", "", "questions about images, a JSON object a line")
	fs.StringVar(&f.images, "images", "", "folder of the images (default: that of the questions' file)")
	fs.StringVar(&f.against, "against", "", "text GGUF of the reference, or the folder that holds it")
	fs.StringVar(&f.againstMmproj, "against-mmproj", "",
		"vision GGUF of the reference (default: the mmproj-*.gguf beside it)")
	fs.StringVar(&f.masks, "masks", "", "mask GGUF (default: the masks-*.gguf beside the text file)")
	fs.IntVar(&f.maxTokens, "max-tokens", 256, "longest answer in tokens")
	fs.StringVar(&f.resize, "resize", string(imageproc.Antialias), "antialias, bilinear or bicubic, as in pali run")
	fs.StringVar(&f.perQuestion, "per-question", "", "file to keep a line for each question in, and to go on from")
	addLimits(fs, &f.limits)
	fs.BoolVar(&f.force, "force", false, "forget what is in the file of --per-question")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *evalFlags) check() error {
	switch {
	case f.questions == "":
		return usagef("no questions: give a file of them with --questions")
	case f.maxTokens < 1 || f.maxTokens > runner.MaxAnswerTokens:
		return usagef("--max-tokens %d: want 1 to %d", f.maxTokens, runner.MaxAnswerTokens)
	case f.againstMmproj != "" && f.against == "":
		return usagef("--against-mmproj without --against")
	case f.force && f.perQuestion == "":
		return usagef("--force without --per-question")
	}
	if _, err := imageproc.ParseResize(f.resize); err != nil {
		return usageError{err}
	}
	return nil
}

func (f *evalFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	rows, err := f.evaluate(cmd)
	if err != nil {
		return err
	}
	s := eval.Summarize(rows)
	printLosses(cmd.ErrOrStderr(), s.Lost)
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), s)
	}
	return s.Print(cmd.OutOrStdout(), forTerminal)
}

// evaluate asks the questions that the file of --per-question has no answer to, and returns the
// records of all.
func (f *evalFlags) evaluate(cmd *cobra.Command) ([]eval.Record, error) {
	questions, err := eval.ReadQuestions(cmd.Context(), f.questions, f.images)
	if err != nil {
		return nil, err
	}
	model, reference, err := f.files()
	if err != nil {
		return nil, err
	}
	id := store.NewIdentity(f.resize, f.maxTokens, f.kv, f.device, f.gpuLayers)
	if err := eval.WriteIdentity(id, questions); err != nil {
		return nil, err
	}
	id.OptionalModels(model.Text, model.Vision, reference.Text, reference.Vision, model.Masks)
	run, err := id.Text(8)
	if err != nil {
		return nil, err
	}
	j := &eval.Journal{}
	if f.perQuestion != "" {
		if err := atomicfile.NotInput(f.perQuestion, f.questions, model.Text, model.Vision, model.Masks,
			reference.Text, reference.Vision); err != nil {
			return nil, err
		}
		if j, err = eval.OpenJournal(f.perQuestion, run, questions, f.force); err != nil {
			return nil, err
		}
		defer j.Close()
	}
	if n := len(j.Records); n == len(questions) {
		return j.Records, nil
	} else if n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: continuing after question %d of %d\n", f.perQuestion, n, len(questions))
	}
	err = f.ask(cmd, run, questions[len(j.Records):], j, model, reference)
	return j.Records, err
}

// files finds the files that the flags mean; reference has none without --against.
func (f *evalFlags) files() (model, reference store.Files, err error) {
	if f.model == "" {
		return model, reference, usagef("no model: give a text GGUF or its folder with -m")
	}
	if model, err = store.Find(f.model, f.mmproj, f.masks); err == nil && f.against != "" {
		reference, err = store.Find(f.against, f.againstMmproj, "")
	}
	if err == nil {
		err = model.MasksErr
	}
	return model, reference, err
}

// ask loads the models and asks questions.
func (f *evalFlags) ask(cmd *cobra.Command, run string, questions []eval.Question, j *eval.Journal,
	model, reference store.Files) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	warnSlow(cmd.ErrOrStderr())
	open := func(files store.Files) (*pali.Model, *runner.ImageCache, error) {
		options.Vision = files.Vision
		m, err := pali.Open(files.Text, options)
		if err != nil {
			return nil, nil, err
		}
		pixels := imageproc.PixelReader(f.limits, m.Config().ImageSize, imageproc.Resize(f.resize))
		return m, &runner.ImageCache{Runner: m.Runner(), Pixels: pixels}, nil
	}
	a := eval.Asker{Run: run, MaxTokens: f.maxTokens}
	m, images, err := open(model)
	if err != nil {
		return err
	}
	defer m.Close()
	a.Model = images
	if reference.Text != "" {
		m, images, err := open(reference)
		if err != nil {
			return err
		}
		defer m.Close()
		a.Reference = images
	}
	if model.Masks != "" {
		decoder, err := masks.Open(model.Masks)
		if err != nil {
			return err
		}
		a.Mask = eval.NewMask(decoder)
	}
	bar := progress.Count(cmd.ErrOrStderr(), "eval")
	defer bar.Close()
	return a.Ask(cmd.Context(), questions, j, bar.Set)
}
