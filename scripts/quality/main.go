// Command quality measures what each type costs the demo checkpoint, and writes docs/quality.md and
// its two plots.
//
//	demo.npz ──pali convert──▶ f32 pair ──pali imatrix──▶ what matters
//	              f32 pair ──pali quantize──▶ both files in every type
//	              pairs ──pali eval --against f32──▶ a journal for each pair
//	              journals ──figures.go──▶ scores, losses, divergence ──page.go, plot.go──▶ docs
//
// It calls the program as a user does. The importance matrix is of the demo's own images
// (testdata/demo), the scores are on others (testdata/quality). A stopped run continues with
// --resume.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"
)

type flags struct {
	pali, data, work, out string
	questions             string
	jobs                  int
	resume                bool
}

func main() {
	var f flags
	fs := pflag.NewFlagSet("quality", pflag.ExitOnError)
	fs.StringVar(&f.pali, "pali", "bin/pali", "the program")
	fs.StringVar(&f.data, "data", "testdata", "folder that holds demo/ and quality/")
	fs.StringVar(&f.questions, "questions", "", "questions to score (default: quality/questions.jsonl)")
	fs.StringVar(&f.work, "work", "bin/quality", "folder for models and answers")
	fs.StringVarP(&f.out, "output", "o", "docs", "folder for the page and its plots")
	fs.IntVar(&f.jobs, "jobs", max(1, runtime.NumCPU()), "evaluations at a time, one thread each")
	fs.BoolVar(&f.resume, "resume", false, "keep the answers of a stopped run")
	fs.Parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := f.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func (f *flags) run(ctx context.Context) error {
	if f.questions == "" {
		f.questions = filepath.Join(f.data, "quality", "questions.jsonl")
	}
	if !f.resume {
		if err := os.RemoveAll(f.work); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(f.work, 0o777); err != nil {
		return err
	}
	m := &measurement{flags: f}
	if err := m.models(ctx); err != nil {
		return err
	}
	if err := m.evaluate(ctx); err != nil {
		return err
	}
	r, err := m.figures()
	if err != nil {
		return err
	}
	if r.sizes, err = m.estimate(ctx); err != nil {
		return err
	}
	return write(f.out, r)
}
