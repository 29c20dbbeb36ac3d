package main

// This file: the model of pali label, and what the command says. Before it: label.go. After it: package tasks/dataset, whose pipeline calls back here.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/journal"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
	"github.com/pali-gguf/pali/tasks/masks"
)

// labelling is a run under way.
type labelling struct {
	flags           *labelFlags
	prompts         []tasks.Prompt
	strict          []*tasks.Grammar // of each prompt; nil where it asks for no objects, or without --strict
	text, projector string           // paths
	side            int              // of the pixels that the model sees
	name            string           // names what the answers depend on
	decoder         *masks.Decoder   // nil without a mask file
	model           *llamacpp.Model  // nil until there is something to ask
	runner          *runner.Runner
	encoded         int // images that the vision model has seen
	bad             []badImage
}

// badImage is an image that is left out.
type badImage struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// labelling finds the files that the flags mean, and what the answers depend on.
func (f *labelFlags) labelling(cmd *cobra.Command, prompts []tasks.Prompt) (*labelling, error) {
	l := &labelling{flags: f, prompts: prompts}
	var err error
	if _, err = f.options(); err != nil {
		return nil, err
	}
	files, err := store.Find(f.model, f.mmproj, "")
	if err != nil {
		return nil, err
	}
	l.text, l.projector = files.Text, files.Vision
	vision, err := store.ReadVision(l.projector)
	if err != nil {
		return nil, err
	}
	l.side = vision.ImageSize
	if err := l.openMasks(cmd); err != nil {
		return nil, err
	}
	l.name, err = l.identify()
	return l, err
}

// openMasks loads the mask decoder. Without one there are boxes only, which is said if masks are asked for, and no formats of masks.
func (l *labelling) openMasks(cmd *cobra.Command) error {
	path, err := l.flags.maskFile(l.flags.masks)
	if err != nil {
		return err
	}
	if path != "" {
		l.decoder, err = masks.Open(path)
		return err
	}
	for _, name := range l.flags.formats {
		if dataset.NeedsMasks(name) {
			return usagef(`--format %s: no mask file beside the model ("pali convert --masks" makes one)`, name)
		}
	}
	for _, p := range l.prompts {
		if p.Masks() {
			fmt.Fprintln(cmd.ErrOrStderr(), "pali: "+noMasks)
			break
		}
	}
	return nil
}

// identify returns a text that differs for runs whose answers may differ. A model is known by its keys and the beginning of each tensor.
func (l *labelling) identify() (string, error) {
	f, h := l.flags, sha256.New()
	fmt.Fprintln(h, f.resize, f.maxTokens, f.strict, f.kv, f.device, f.gpuLayers)
	var prompts []string
	for _, p := range l.prompts {
		prompts = append(prompts, p.Text)
	}
	fmt.Fprintf(h, "%q\n", prompts)
	if err := store.Identify(h, l.text, l.projector); err != nil {
		return "", err
	}
	return fmt.Sprintf("%.8x", h.Sum(nil)), nil
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
	Busy     float64    `json:"model_busy"` // share of the time, from the first image to the last row, in which the model ran
	Ms       float64    `json:"total_ms"`
}

func (l *labelling) run(cmd *cobra.Command, sources []dataset.Source) error {
	start := time.Now()
	path := filepath.Join(l.flags.output, dataset.JournalName)
	_, missing := os.Stat(path)
	x := &dataset.Export{
		Out: l.flags.output, Formats: l.flags.formats, Prompts: l.prompts, MinScore: l.flags.minScore, Divisor: float64(l.flags.divisor), Decoder: l.decoder,
		Lookahead: runtime.GOMAXPROCS(0) + 1,
	}
	if err := x.Check(sources, missing != nil && !l.flags.force); err != nil {
		return err
	}
	j, err := dataset.OpenJournal(path, l.name, journal.Options{Fresh: l.flags.force})
	if err != nil {
		return err
	}
	defer j.Close()
	x.Journal = j
	defer func() {
		if l.model != nil {
			l.model.Close()
		}
	}()
	out, err := l.label(cmd, j, sources)
	if err != nil {
		if n := j.Len(); n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "pali: %s keeps %d images; the same command goes on from there\n", path, n)
		}
		return err
	}
	if out.Bad == len(sources) {
		return fmt.Errorf("none of the %d images could be read", len(sources))
	}
	bar := progress.Count(cmd.ErrOrStderr(), "writing")
	x.Progress = func(done, total int) { bar.Set(int64(done), int64(total)) }
	s, err := x.Run(cmd.Context(), sources, out.Sums)
	bar.Close()
	if err != nil {
		return err
	}
	r := labelReport{Summary: s, Prompts: len(l.prompts), Answered: out.Answered, Known: out.Known, Bad: append([]badImage{}, l.bad...), Encoded: l.encoded, Ms: progress.Milliseconds(time.Since(start))}
	if out.Took > 0 {
		r.Rate, r.Busy = float64(out.Answered)/out.Took.Seconds(), out.Busy.Seconds()/out.Took.Seconds()
	}
	return l.print(cmd, r, len(sources))
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
		fmt.Fprintf(cmd.ErrOrStderr(), "%d images, %d objects; %d objects left out, %d parts of answers that are no objects\n", r.Images, r.Objects, r.Dropped, r.Unparsed)
		if r.Answered > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d images asked about, %.2f a second; the model was busy %.1f %% of the time\n", r.Answered, r.Rate, 100*r.Busy)
		}
	}
	if n := len(r.Bad); n > 0 {
		return fmt.Errorf("%d of %d images could not be read and are left out", n, sources)
	}
	return nil
}

// aheadAtMost is how many images may be prepared at once: with the largest ones each takes a gigabyte.
const aheadAtMost = 4

// label runs the pipeline.
func (l *labelling) label(cmd *cobra.Command, j *dataset.Journal, sources []dataset.Source) (*dataset.Outcome, error) {
	stderr := cmd.ErrOrStderr()
	if n := j.Len(); n > 0 {
		fmt.Fprintf(stderr, "%s: going on; it has %d images\n", filepath.Join(l.flags.output, dataset.JournalName), n)
	}
	bar := progress.Count(stderr, "label")
	defer bar.Close()
	p := dataset.Labeller{
		Journal: j, Prepare: l.prepare, Answer: l.answer, Lookahead: min(max(runtime.GOMAXPROCS(0)/2, 2), aheadAtMost),
		Begin: func() (err error) {
			if l.model, err = l.flags.open(stderr); err != nil {
				return err
			}
			l.runner = l.model.Runner()
			return l.constrain()
		},
		OnError: func(s dataset.Source, err error) {
			bar.Println(stderr, "pali: "+forTerminal(fmt.Sprintf("%s: left out: %v", s.Path, withFlag(err))))
			l.bad = append(l.bad, badImage{s.Name, withFlag(err).Error()})
		},
		Progress: func(answered, others int) { bar.Set(int64(answered), int64(len(sources)-others)) },
	}
	return p.Run(cmd.Context(), sources)
}

// constrain prepares --strict for each prompt.
func (l *labelling) constrain() error {
	l.strict = make([]*tasks.Grammar, len(l.prompts))
	if !l.flags.strict {
		return nil
	}
	for i, p := range l.prompts {
		if !p.Boxes() {
			continue
		}
		g, err := tasks.NewGrammar(l.runner.Vocabulary, p.Labels, p.Masks(), l.flags.maxTokens)
		if err != nil {
			return usageError{err}
		}
		l.strict[i] = g
	}
	return nil
}

// prepare reads, decodes and resizes an image, unless its contents are known.
func (l *labelling) prepare(s dataset.Source, known func(dataset.Digest) bool) (p dataset.Prepared, err error) {
	if err := checkName(s.Name); err != nil {
		return p, err
	}
	data, err := imageproc.ReadFile(s.Path, l.flags.limits.Bytes)
	if err != nil {
		return p, err
	}
	p.Sum = sha256.Sum256(data)
	if known(p.Sum) {
		return p, nil
	}
	picture, err := imageproc.Decode(data, l.flags.limits)
	if err != nil {
		return p, err
	}
	p.Width, p.Height = picture.Width, picture.Height
	p.Pixels = imageproc.Preprocess(picture, l.side, imageproc.Resize(l.flags.resize))
	return p, nil
}

// answer asks all prompts about an image, which the vision model sees once.
func (l *labelling) answer(ctx context.Context, p dataset.Prepared) (all []dataset.Answer, err error) {
	embeddings, _, err := l.runner.Encode(ctx, p.Pixels)
	if err != nil {
		return nil, err
	}
	l.encoded++
	for i, prompt := range l.prompts {
		q := runner.Request{Embeddings: embeddings, Prompt: prompt.Text, MaxTokens: l.flags.maxTokens}
		if l.strict[i] != nil {
			q.Constraint = l.strict[i].Clone()
		}
		r, err := l.runner.Generate(ctx, q, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, dataset.NewAnswer(prompt.Text, r))
	}
	return all, nil
}
