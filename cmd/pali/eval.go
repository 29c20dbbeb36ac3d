package main

// This file: pali eval. Before it: package eval reads the questions. After it: evaluation.go asks them, package eval scores the answers.

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
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
		Short: "Asks a model questions whose answers are known, and scores what it says",
		Long: `Asks a model questions about images and scores the answers. A question is a line {"image": "000.png", "prefix": "caption en",
"suffix": "a red circle"}; a suffix may be a list of true answers. Answers are greedy.

  texts          exact: equal to a true answer. Where the suffix is a list also ANLS and relaxed accuracy (ChartQA's), and with four
                 true answers or more VQA accuracy (leave-one-out)
  "detect ..."   F1 at IoU 0.5, the mean IoU of the hits, average precision at IoU 0.5 and over 0.5 to 0.95 (COCO's),
                 and the same if boxes were ranked by their places in the answer instead of their scores
  "segment ..."  IoU of the boxes, and of the masks, drawn on 256 x 256, if there is a mask file (pali convert --masks)

--against takes a second model as the reference, best the same in f32. It answers each question, the model is given that answer token
by token, and at each position the Kullback-Leibler divergence of the model's distribution from the reference's is taken.

--per-question keeps a line of JSON for each question, written at once. A run that was stopped goes on from there.`,
		Example: `  pali eval -m models --questions photos/questions.jsonl
  pali eval -m models/demo-Q4_0.gguf --against models/demo-F32.gguf --questions photos/questions.jsonl --per-question q4_0.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.StringVar(&f.questions, "questions", "", "questions about images, a JSON object a line")
	fs.StringVar(&f.images, "images", "", "folder of the images (default: that of the questions' file)")
	fs.StringVar(&f.against, "against", "", "text GGUF of the reference, or the folder that holds it")
	fs.StringVar(&f.againstMmproj, "against-mmproj", "", "vision GGUF of the reference (default: the mmproj-*.gguf beside it)")
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
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), s)
	}
	return printSummary(cmd.OutOrStdout(), s)
}

// printSummary writes the scores for people, in percent.
func printSummary(out io.Writer, s eval.Summary) error {
	w := bufio.NewWriter(out)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range s.Scores {
		value := x.Note
		if x.Value != nil {
			value = fmt.Sprintf("%5.1f %%", 100**x.Value)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t(%d)\n", forTerminal(x.Task), x.Metric, value, x.N)
	}
	if s.Score != nil {
		fmt.Fprintf(table, "all\tscore\t%5.1f %%\t(%d)\n", 100*s.Score.Value, s.Score.N)
	}
	table.Flush()
	if a := s.Against; a != nil {
		fmt.Fprintf(w, "\nagainst the reference, over %d positions: divergence %.3g nats (99th percentile %.3g), same most probable token %.1f %%, same answers %.1f %%\n",
			a.Positions, a.KLMean, a.KLP99, 100*a.EqualTop, 100*a.Equal)
	}
	fmt.Fprintf(w, "\n%d questions; half of the images take %.1f ms or less, of the prompts %.1f ms, of the answers' tokens %.2f ms\n", s.Questions, s.Timings.Vision, s.Timings.Prefill, s.Timings.DecodeToken)
	return w.Flush()
}
