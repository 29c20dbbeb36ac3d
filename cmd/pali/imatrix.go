package main

// This file: pali imatrix.

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/quant/calibrate"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

type imatrixFlags struct {
	modelFlags
	limits            imageproc.Limits
	questions, output string
	merge             []string
	resize            string
	maxTokens, every  int
	force, asJSON     bool
}

func newImatrix() *cobra.Command {
	var f imatrixFlags
	cmd := &cobra.Command{
		Use:   "imatrix -m MODEL --questions QUESTIONS.jsonl -o IMATRIX.gguf",
		Short: "Measures which columns of a model's matrices matter, for quantizing it",
		Long: `Asks a model questions about images and sums, for each column of each matrix of both halves, the squares
of what it is multiplied with. pali quantize and pali convert take the file with --imatrix and round the columns that
matter more finely. It is a GGUF file of the form that llama.cpp's tools read. Prints its path.

A question is a line {"image": "000.png", "prefix": "caption en", "suffix": "a red circle"}; the image's path is
relative to the file of questions. A suffix is given to the model as its answer, so that the positions of the true
answer count; without one the model answers. Use the model with its weights as exact as there is memory for (f16 or
f32). Runs on the CPU.

While it runs, OUTPUT.state keeps what was summed; a run that was stopped continues from there when it is started again
in the same way, and gives the same file. --merge adds up files of several runs.`,
		Example: `  pali imatrix -m models --questions photos/questions.jsonl -o imatrix.gguf
  pali imatrix --merge first.gguf --merge second.gguf -o imatrix.gguf`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.addFiles(fs)
	fs.StringVar(&f.questions, "questions", "", "questions about images, a JSON object a line")
	fs.StringVarP(&f.output, "output", "o", "", "file to write")
	fs.StringArrayVar(&f.merge, "merge", nil,
		"file of an earlier run to add up; give it two times or more, and no model")
	f.addThreads(fs)
	fs.StringVar(&f.resize, "resize", string(imageproc.Antialias), "antialias, bilinear or bicubic, as in pali run")
	fs.IntVar(&f.maxTokens, "max-tokens", 256, "longest answer in tokens, where no suffix is given")
	fs.IntVar(&f.every, "save-every", 20, "save the sums after every N questions")
	addLimits(fs, &f.limits)
	fs.BoolVar(&f.force, "force", false, "replace a file that is there, and forget a stopped run of another kind")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *imatrixFlags) check() error {
	switch {
	case f.output == "":
		return usagef("no file to write: give one with -o")
	case len(f.merge) > 0 && (f.model != "" || f.questions != ""):
		return usagef("--merge adds up files and asks no model: leave out -m and --questions")
	case len(f.merge) == 1:
		return usagef("--merge %s: want two files or more", f.merge[0])
	case len(f.merge) > 0:
		return f.refuseIdle(true, "with --merge", "mmproj", "threads", "resize", "max-tokens", "save-every")
	case f.model == "":
		return usagef("no model: give a text GGUF or its folder with -m")
	case f.questions == "":
		return usagef("no questions: give a file of them with --questions")
	case f.maxTokens < 1 || f.maxTokens > runner.MaxAnswerTokens:
		return usagef("--max-tokens %d: want 1 to %d", f.maxTokens, runner.MaxAnswerTokens)
	case f.every < 1:
		return usagef("--save-every %d: want 1 or more", f.every)
	}
	if _, err := imageproc.ParseResize(f.resize); err != nil {
		return usageError{err}
	}
	return nil
}

// imatrixReport is what pali imatrix --json prints.
type imatrixReport struct {
	Path      string  `json:"path"`
	Bytes     int     `json:"bytes"`
	Matrices  int     `json:"matrices"`
	Questions int     `json:"questions"`
	Resumed   int     `json:"resumed"` // of them, how many a stopped run had asked before
	Ms        float64 `json:"total_ms"`
}

func (f *imatrixFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := checkOutput("--output", f.output, ".gguf", f.force, append(f.merge, f.questions, f.model,
		f.mmproj)...); err != nil {
		return err
	}
	start := time.Now()
	var m *quant.Imatrix
	var c *calibrate.Run // nil with --merge
	var err error
	if len(f.merge) > 0 {
		m, err = f.add()
	} else {
		m, c, err = f.calibrate(cmd)
	}
	if err != nil {
		return err
	}
	b, err := m.Bytes(gguf.F32)
	if err == nil {
		err = atomicfile.WriteFile(f.output, b, f.force)
	}
	if err != nil {
		return err
	}
	r := imatrixReport{Path: f.output, Bytes: len(b), Matrices: len(m.Squares), Questions: m.Chunks,
		Ms: progress.Milliseconds(time.Since(start))}
	if c != nil {
		if err := c.RemoveState(); err != nil {
			return err
		}
		r.Resumed = c.Resumed()
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%d questions, %d matrices, %s\n", m.Chunks, len(m.Squares),
		bytesText(int64(len(b))))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), f.output)
	return err
}

// add adds up the files of --merge.
func (f *imatrixFlags) add() (*quant.Imatrix, error) {
	m := &quant.Imatrix{}
	for _, path := range f.merge {
		o, err := quant.OpenImatrix(path)
		if err != nil {
			return nil, err
		}
		if err := m.Merge(o); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return m, nil
}

// begin reads the questions, and the state of a stopped run if there is one. files are the model's.
func (f *imatrixFlags) begin(ctx context.Context) (c *calibrate.Run, files store.Files, err error) {
	questions, err := eval.ReadQuestions(ctx, f.questions, "")
	if err != nil {
		return nil, files, err
	}
	if files, err = store.Find(f.model, f.mmproj, ""); err != nil {
		return nil, files, err
	}
	id := store.NewIdentity(f.resize, f.maxTokens)
	if err := eval.WriteIdentity(id, questions); err != nil {
		return nil, files, err
	}
	id.Models(files.Text, files.Vision)
	run, err := id.Text(32)
	if err != nil {
		return nil, files, err
	}
	c, err = calibrate.Begin(calibrate.Options{
		Questions: questions, Dataset: filepath.Base(f.questions), MaxTokens: f.maxTokens,
		ID: run, State: f.output + ".state", SaveEvery: f.every, Force: f.force,
	})
	return c, files, err
}

// calibrate asks the questions.
func (f *imatrixFlags) calibrate(cmd *cobra.Command) (*quant.Imatrix, *calibrate.Run, error) {
	c, files, err := f.begin(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	if n := c.Resumed(); n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: continuing after question %d of %d\n", c.State, n, len(c.Questions))
	}
	f.kv, f.device = "f32", "cpu"
	options, err := f.options()
	if err != nil {
		return nil, nil, err
	}
	warnSlow(cmd.ErrOrStderr())
	collector := ggml.NewCollector()
	defer collector.Free()
	model, err := llamacpp.Open(files.Text, files.Vision, llamacpp.Options{
		Threads: options.Threads, KV: options.KV, Device: options.Device, Collect: collector,
	})
	if err != nil {
		return nil, nil, err
	}
	defer model.Close()
	pixels := imageproc.PixelReader(f.limits, model.Config().ImageSize, imageproc.Resize(f.resize))
	bar := progress.Count(cmd.ErrOrStderr(), "imatrix")
	defer bar.Close()
	m, err := c.Ask(cmd.Context(), &runner.ImageCache{Runner: model.Runner(), Pixels: pixels}, collector, bar.Set)
	return m, c, err
}
