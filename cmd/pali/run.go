package main

// This file: pali run.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/terminal"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

type runFlags struct {
	modelFlags
	frameFlags
	sampling  runner.Sampling
	limits    imageproc.Limits
	images    []string
	resize    string
	maxTokens int
	logprobs  int
	asJSON    bool
	dump      string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run -m MODEL -i IMAGE PROMPT",
		Short: "Answers a prompt about one or more images",
		Long: `Answers a prompt about one or more images. The prompt reaches the model exactly as it is typed; the
prompts that PaliGemma knows are "caption en", "describe en", "ocr", "answer en QUESTION", "detect THING ; THING",
"segment THING".

The answer streams to standard output. Decoding is greedy unless --temperature is given.` + framesHelp,
		Example: `  pali run -m models -i photo.jpg "caption en"
  pali run -m models -i left.png -i right.png "answer en is there a dog in both images?" --json
  pali run -m models -i clip.gif --frames 16 --resize bilinear "caption en"`,
		Args: onePrompt,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.add(cmd.Flags())
	f.addFrames(cmd.Flags())
	f.addDump(cmd.Flags())
	return cmd
}

// onePrompt accepts one argument.
func onePrompt(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return errors.New("no prompt")
	case 1:
		return nil
	}
	return fmt.Errorf("%d prompts: put one with blanks in quotes", len(args))
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.StringArrayVarP(&f.images, "image", "i", nil,
		"image: JPEG, PNG, WebP, BMP or GIF; several -i are several images of one prompt")
	fs.IntVar(&f.maxTokens, "max-tokens", 256, "longest answer in tokens")
	fs.Float64Var(&f.sampling.Temperature, "temperature", 0, "sampling temperature (0: greedy, always the same answer)")
	fs.IntVar(&f.sampling.TopK, "top-k", 0, "sample from the k most probable tokens (0: all)")
	fs.Float64Var(&f.sampling.TopP, "top-p", 1, "sample from the most probable tokens whose probabilities add up to p")
	fs.Float64Var(&f.sampling.MinP, "min-p", 0, "sample from tokens at least this share as probable as the best")
	fs.Uint64Var(&f.sampling.Seed, "seed", 0, "seed of the sampling")
	fs.IntVar(&f.beams, "beam", 1, "beam width (1: greedy, or sampled)")
	fs.IntVar(&f.logprobs, "logprobs", 0,
		"report each token's log-probability, and the N most probable tokens at its place")
	fs.StringVar(&f.resize, "resize", string(imageproc.Antialias),
		"antialias (TensorFlow's, as the authors' notebook), bilinear (as most fine-tunes) or bicubic (as Hugging Face)")
	addLimits(fs, &f.limits)
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
}

// addDump adds the flag of pali run alone.
func (f *runFlags) addDump(fs *pflag.FlagSet) {
	fs.StringVar(&f.dump, "dump", "", "write pixels, embeddings, tokens and logits to this .npz")
}

// addLimits adds the flags that bound an image before it is decoded.
func addLimits(fs *pflag.FlagSet, l *imageproc.Limits) {
	fs.Int64Var(&l.Bytes, "max-image-bytes", imageproc.DefaultLimits.Bytes, "largest image file in bytes")
	fs.IntVar(&l.Pixels, "max-image-pixels", imageproc.DefaultLimits.Pixels, "most pixels of an image")
	fs.IntVar(&l.Side, "max-image-side", imageproc.DefaultLimits.Side, "longest side of an image in pixels")
}

func (f *runFlags) check(prompt string) error {
	switch {
	case len(f.images) == 0:
		return usagef("no image: give one with -i")
	case len(f.images) > runner.MaxImages:
		return usagef("%d images: at most %d", len(f.images), runner.MaxImages)
	case f.beams < 1 || f.beams > runner.MaxBeams:
		return usagef("--beam %d: want 1 to %d", f.beams, runner.MaxBeams)
	case f.beams > 1 && f.sampling.Temperature > 0:
		return usagef("--beam %d and --temperature %v: an answer is searched for or drawn", f.beams,
			f.sampling.Temperature)
	}
	q := runner.Request{Prompt: prompt, MaxTokens: f.maxTokens, Sampling: f.sampling, TopLogprobs: f.logprobs}
	if err := q.Validate(); err != nil {
		return usageError{err}
	}
	if err := f.checkSampling(); err != nil {
		return err
	}
	return f.checkFrames(f.images)
}

// checkSampling refuses flags of a draw where nothing is drawn.
func (f *runFlags) checkSampling() error {
	for _, name := range []string{"top-k", "top-p", "min-p", "seed"} {
		if err := refuseIdle(f.flags, idle{name, f.beams > 1, "with --beam: an answer is searched for or drawn"},
			idle{name, f.sampling.Temperature == 0, "without --temperature: the answer is greedy"}); err != nil {
			return err
		}
	}
	return nil
}

// request checks the flags and reads the images.
func (f *runFlags) request(ctx context.Context, prompt string) (q pali.Request, err error) {
	if err := f.check(prompt); err != nil {
		return q, err
	}
	if f.resizing, err = imageproc.ParseResize(f.resize); err != nil {
		return q, usageError{err}
	}
	q = pali.Request{
		Prompt: prompt, MaxTokens: f.maxTokens, Sampling: f.sampling, Beams: f.beams, TopLogprobs: f.logprobs,
		Trace: f.dump != "",
	}
	for _, path := range f.images {
		some, err := f.openImages(ctx, path, f.limits)
		if err != nil {
			return q, err
		}
		q.Images = append(q.Images, some...)
	}
	return q, nil
}

func (f *runFlags) run(cmd *cobra.Command, prompt string) error {
	q, err := f.request(cmd.Context(), prompt)
	if err != nil {
		return err
	}
	var d *dump
	if f.dump != "" {
		if d, err = beginDump(f.dump); err != nil {
			return err
		}
		defer d.end()
	}
	start := time.Now()
	model, err := f.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer model.Close()
	return f.answer(cmd, model, q, d, time.Since(start))
}

// answer runs the request and prints the answer as it comes, or as JSON at the end.
func (f *runFlags) answer(cmd *cobra.Command, model *pali.Model, q pali.Request, d *dump, load time.Duration) error {
	out := streamTo(cmd.OutOrStdout(), f.asJSON)
	if d != nil {
		if err := d.encode(cmd.Context(), model, &q); err != nil {
			return err
		}
	}
	r, err := model.Run(cmd.Context(), q, func(s pali.Step) error { return out(s.Text) })
	if !f.asJSON && r != nil && len(r.Tokens) > 0 {
		if err := out("\n"); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if d != nil {
		if err := d.write(model, q, r); err != nil {
			return err
		}
	}
	a := f.report(q, r, load)
	printLosses(cmd.ErrOrStderr(), a.Lost)
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), a)
	}
	printLogprobs(cmd.ErrOrStderr(), a.Logprobs)
	return nil
}

// streamTo returns a function that writes text at once: cleaned for a terminal, nothing when the
// answer comes as JSON.
func streamTo(w io.Writer, asJSON bool) func(string) error {
	if asJSON {
		return func(string) error { return nil }
	}
	clean := terminal.IsTerminal(w)
	return func(text string) error {
		if clean {
			text = forTerminal(text)
		}
		_, err := io.WriteString(w, text)
		return err
	}
}

// answerJSON is what pali run --json prints.
type answerJSON struct {
	Text     string          `json:"text"`
	Tokens   []int32         `json:"tokens"` // with the end token where it came
	Images   []string        `json:"images"`
	Frames   []int           `json:"frames,omitempty"` // of an animated image, from 0
	Prompt   string          `json:"prompt"`
	Lost     tasks.Losses    `json:"lost,omitzero"`
	Logprobs []tasks.Logprob `json:"logprobs,omitempty"`
	Timings  tasks.Timings   `json:"timings"`
}

func (f *runFlags) report(q pali.Request, r *pali.Result, load time.Duration) answerJSON {
	a := answerJSON{Text: r.Text, Tokens: r.Tokens, Images: f.images, Frames: f.chosen, Prompt: q.Prompt,
		Timings: tasks.NewTimings(r.Timings, 0, load)}
	a.Lost.CountCutOff(tasks.Want{MaxTokens: q.MaxTokens}, r)
	if f.logprobs > 0 {
		a.Logprobs = tasks.Logprobs(r.Steps)
	}
	return a
}

// printLogprobs writes a line for each token: its log-probability, its text, and the alternatives.
func printLogprobs(w io.Writer, all []tasks.Logprob) {
	b := bufio.NewWriter(w)
	defer b.Flush()
	for _, s := range all {
		fmt.Fprintf(b, "%8.4f  %6d %q  ", s.Logprob, s.Token, s.Text)
		for _, t := range s.Top {
			fmt.Fprintf(b, " %q %.4f", t.Text, t.Logprob)
		}
		fmt.Fprintln(b)
	}
}
