package main

// This file: a run of pali label, and what it says.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// labelling is a run under way.
type labelling struct {
	flags   *labelFlags
	prompts []tasks.Prompt
	side    int            // of the pixels that the model sees
	id      string         // names what the answers depend on
	decoder *masks.Decoder // nil without a mask file
	asker   *dataset.Asker // nil until there is something to ask
}

// labelling finds the files that the flags mean, and what the answers depend on.
func (f *labelFlags) labelling(cmd *cobra.Command, prompts []tasks.Prompt) (*labelling, error) {
	l := &labelling{flags: f, prompts: prompts}
	if _, err := f.options(); err != nil {
		return nil, err
	}
	files, err := store.Find(f.model, f.mmproj, "")
	if err != nil {
		return nil, err
	}
	vision, err := store.ReadVision(files.Vision)
	if err != nil {
		return nil, err
	}
	l.side = vision.ImageSize
	if err := l.openMasks(cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	id := store.NewIdentity(f.resize, f.maxTokens, f.strict, f.kv, f.device, f.gpuLayers)
	var texts []string
	for _, p := range prompts {
		texts = append(texts, p.Text)
	}
	fmt.Fprintf(id, "%q\n", texts)
	id.Models(files.Text, files.Vision)
	l.id, err = id.Text(8)
	return l, err
}

// openMasks loads the mask decoder, which some formats need and the prompts of some tasks want.
func (l *labelling) openMasks(stderr io.Writer) (err error) {
	needs := ""
	if i := slices.IndexFunc(l.flags.formats, dataset.NeedsMasks); i >= 0 {
		needs = "--format " + l.flags.formats[i]
	}
	l.decoder, err = l.flags.modelFlags.openMasks(stderr, l.flags.masks, needs, slices.ContainsFunc(l.prompts,
		tasks.Prompt.Masks))
	return err
}

func (l *labelling) run(cmd *cobra.Command, found *dataset.Found) error {
	start, stderr := time.Now(), cmd.ErrOrStderr()
	path := filepath.Join(l.flags.output, dataset.JournalName)
	_, missing := os.Stat(path)
	x := &dataset.Export{
		Out: l.flags.output, Formats: l.flags.formats, Prompts: l.prompts, Limits: l.flags.limits,
		MinScore: l.flags.minScore, Divisor: float64(l.flags.divisor), Decoder: l.decoder,
	}
	if err := x.Check(found.Sources, missing != nil && !l.flags.force); err != nil {
		return err
	}
	j, err := dataset.OpenJournal(path, l.id, journal.Options{Fresh: l.flags.force})
	if err != nil {
		return err
	}
	defer j.Close()
	printLines(stderr, found.Sentences("--recursive", withFlag))
	if n := j.Len(); n > 0 {
		fmt.Fprintf(stderr, "%s: continuing; it has %d images\n", path, n)
	}
	out, err := l.label(cmd, j, found.Sources)
	if err != nil {
		if n := j.Len(); n > 0 {
			fmt.Fprintf(stderr, "pali: %s keeps %d images; the same command continues from there\n", path, n)
		}
		return err
	}
	if len(out.Bad) == len(found.Sources) {
		return errors.New(found.Failure(len(out.Bad)))
	}
	bar := progress.Count(stderr, "writing")
	x.Journal, x.Progress = j, bar.Set
	s, err := x.Run(cmd.Context(), found.Sources, out.Digests)
	bar.Close()
	if err != nil {
		return err
	}
	printLines(stderr, dataset.LeftOut(s.Bad, withFlag))
	r := dataset.NewReport(found, out, s, time.Since(start), withFlag)
	r.Prompts = len(l.prompts)
	if l.asker != nil {
		r.Encoded = l.asker.Encoded
	}
	return l.print(cmd, r)
}

// label asks the model about the images that the journal does not have.
func (l *labelling) label(cmd *cobra.Command, j *dataset.Journal, sources []dataset.Source) (*dataset.Outcome, error) {
	stderr := cmd.ErrOrStderr()
	bar := progress.Count(stderr, "label")
	defer bar.Close()
	closeModel := func() {}
	defer func() { closeModel() }()
	labeller := dataset.Labeller{
		Journal: j, Limits: l.flags.limits, Side: l.side, Resize: imageproc.Resize(l.flags.resize),
		Open: func() (dataset.Model, error) {
			model, err := l.flags.open(stderr)
			if err != nil {
				return nil, err
			}
			closeModel = func() { model.Close() }
			l.asker, err = dataset.NewAsker(model.Runner(), l.prompts, l.flags.maxTokens, l.flags.strict)
			if err != nil {
				return nil, usageError{err}
			}
			return l.asker, nil
		},
		OnError: func(b dataset.BadImage) {
			bar.Println(stderr, "pali: "+forTerminal(dataset.LeftOut([]dataset.BadImage{b}, withFlag)[0]))
		},
		Progress: bar.Set,
	}
	return labeller.Run(cmd.Context(), sources)
}

// print prints what was done. What was given and not labelled is a failure.
func (l *labelling) print(cmd *cobra.Command, r *dataset.Report) error {
	stderr := cmd.ErrOrStderr()
	if l.flags.asJSON {
		if err := printJSON(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	} else {
		for _, path := range r.Files {
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), path); err != nil {
				return err
			}
		}
		fmt.Fprint(stderr, r)
	}
	printLosses(stderr, r.Losses)
	printLines(stderr, r.Notes)
	if text := r.Failure(); text != "" {
		return errors.New(text)
	}
	return nil
}

// printLines prints sentences, a line each.
func printLines(w io.Writer, sentences []string) {
	for _, s := range sentences {
		fmt.Fprintln(w, "pali: "+forTerminal(s))
	}
}
