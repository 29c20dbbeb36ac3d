package main

// This file: a run of pali label, and what it says.

import (
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

// badImage is an image that is left out.
type badImage struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// labelReport is what pali label --json prints.
type labelReport struct {
	*dataset.Summary
	Prompts  int        `json:"prompts"`
	Answered int        `json:"answered"` // images that the model was asked about
	Known    int        `json:"known"`    // images that the journal had, or that are the same as another
	Bad      []badImage `json:"bad"`
	Encoded  int        `json:"pictures_encoded"` // runs of the vision model
	Rate     float64    `json:"pictures_per_second"`
	Busy     float64    `json:"model_busy"` // share of the time until the last row in which the model ran
	Ms       float64    `json:"total_ms"`
}

func (l *labelling) run(cmd *cobra.Command, sources []dataset.Source) error {
	start := time.Now()
	path := filepath.Join(l.flags.output, dataset.JournalName)
	_, missing := os.Stat(path)
	x := &dataset.Export{
		Out: l.flags.output, Formats: l.flags.formats, Prompts: l.prompts,
		MinScore: l.flags.minScore, Divisor: float64(l.flags.divisor), Decoder: l.decoder,
	}
	if err := x.Check(sources, missing != nil && !l.flags.force); err != nil {
		return err
	}
	j, err := dataset.OpenJournal(path, l.id, journal.Options{Fresh: l.flags.force})
	if err != nil {
		return err
	}
	defer j.Close()
	if n := j.Len(); n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: continuing; it has %d images\n", path, n)
	}
	out, err := l.label(cmd, j, sources)
	if err != nil {
		if n := j.Len(); n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "pali: %s keeps %d images; the same command continues from there\n", path, n)
		}
		return err
	}
	if len(out.Bad) == len(sources) {
		return fmt.Errorf("none of the %d images could be read", len(sources))
	}
	bar := progress.Count(cmd.ErrOrStderr(), "writing")
	x.Journal, x.Progress = j, bar.Set
	s, err := x.Run(cmd.Context(), sources, out.Digests)
	bar.Close()
	if err != nil {
		return err
	}
	return l.print(cmd, l.report(s, out, time.Since(start)), len(sources))
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
		OnError: func(s dataset.Source, err error) {
			bar.Println(stderr, "pali: "+forTerminal(fmt.Sprintf("%s: left out: %v", s.Path, withFlag(err))))
		},
		Progress: bar.Set,
	}
	return labeller.Run(cmd.Context(), sources)
}

// report says what was done.
func (l *labelling) report(s *dataset.Summary, out *dataset.Outcome, took time.Duration) labelReport {
	r := labelReport{
		Summary: s, Prompts: len(l.prompts), Answered: out.Answered, Known: out.Known, Bad: []badImage{},
		Ms: progress.Milliseconds(took),
	}
	for _, b := range out.Bad {
		r.Bad = append(r.Bad, badImage{b.Name, withFlag(b.Err).Error()})
	}
	if l.asker != nil {
		r.Encoded = l.asker.Encoded
	}
	if out.Took > 0 {
		r.Rate, r.Busy = float64(out.Answered)/out.Took.Seconds(), out.Busy.Seconds()/out.Took.Seconds()
	}
	return r
}

// print prints what was done. Images that were left out are a failure.
func (l *labelling) print(cmd *cobra.Command, r labelReport, sources int) error {
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
		fmt.Fprintf(cmd.ErrOrStderr(),
			"%d images, %d objects; %d objects left out, %d parts of answers that are not objects\n", r.Images,
			r.Objects, r.Dropped, r.Unparsed)
		if r.Answered > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(),
				"%d images asked about, %.2f a second; the model was busy %.1f %% of the time\n", r.Answered, r.Rate,
				100*r.Busy)
		}
	}
	if n := len(r.Bad); n > 0 {
		return fmt.Errorf("%d of %d images could not be read and are left out", n, sources)
	}
	return nil
}
