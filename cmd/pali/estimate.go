package main

// This file: pali estimate: what a model needs in another type, before anything is loaded or
// converted.

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/checkpoint"
	"github.com/pali-gguf/pali/internal/estimate"
	"github.com/pali-gguf/pali/internal/host"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

type estimateFlags struct {
	types           typeFlags
	vision          string
	tokenizer, name string
	kv              string
	context         int
	images          int
	asJSON          bool
}

func newEstimate() *cobra.Command {
	var f estimateFlags
	cmd := &cobra.Command{
		Use:   "estimate MODEL|SIZE TYPE",
		Short: "Reports what a model needs in a type: disk, memory, and whether it fits here",
		Long: `Reports what a model would need in a type, before anything is converted or loaded: the bytes of its two
files, the memory of a run, and whether that fits into the free memory of this machine. MODEL is a text GGUF, or the
folder that holds it and its mmproj file, or a checkpoint (.npz, or all its parts in order) with its tokenizer; SIZE is
3b, 2-3b, 2-10b or 2-28b, with -448 or -896 for larger images. The types are those of pali quantize.

The files of a MODEL are exact to the byte; those of a SIZE to a few hundred bytes, with Gemma's tokenizer. Memory is
that of one request on the CPU: the weights, the KV cache of its positions, and the working memory of both halves. Where
there are GPUs, what each has free is told too.`,
		Example: `  pali estimate 3b int4
  pali estimate 2-10b-448 q4_k_m --mmproj-type q8_0 --images 2
  pali estimate models q4_0 --json
  pali estimate paligemma-3b-mix-224.npz int8 --tokenizer paligemma_tokenizer.model`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("%d arguments, want two: MODEL or SIZE, and TYPE", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[:len(args)-1], args[len(args)-1])
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.vision, "mmproj-type", "", "type of the mmproj file (default: as TYPE)")
	f.types.add(fs)
	fs.StringVar(&f.tokenizer, "tokenizer", "", "SentencePiece model of a checkpoint")
	fs.StringVar(&f.name, "name", "",
		"name that the files of a checkpoint will have (default: from the checkpoint's name)")
	fs.IntVar(&f.images, "images", 1, "images of a request")
	fs.IntVar(&f.context, "ctx", 0, "positions of a request (0: the images, and 320 of prompt and answer)")
	fs.StringVar(&f.kv, "kv", "f16", "type of the KV cache: f16, f32 or q8_0")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

// estimateJSON is what pali estimate --json prints, in bytes but for the positions.
type estimateJSON struct {
	estimate.Memory
	Free int64          `json:"free_bytes,omitempty"` // of this machine, if it says
	Fits *bool          `json:"fits,omitempty"`
	GPUs []llamacpp.GPU `json:"gpus,omitempty"`
}

func (f *estimateFlags) run(cmd *cobra.Command, paths []string, typ string) error {
	if f.vision == "" {
		f.vision = typ
	}
	cell, ok := llamacpp.KVTypes[f.kv]
	switch {
	case !ok:
		return usagef("--kv %s: want f16, f32 or q8_0", f.kv)
	case f.images < 1 || f.images > runner.MaxImages:
		return usagef("--images %d: want 1 to %d", f.images, runner.MaxImages)
	case f.context < 0 || f.context > 1<<20:
		return usagef("--ctx %d: want 0 to %d", f.context, 1<<20)
	}
	if err := refuseIdle(cmd.Flags(), checkpoint.Format(paths[0]) == "", "without a checkpoint", "tokenizer",
		"name"); err != nil {
		return err
	}
	m, err := f.measure(paths, typ)
	if err != nil {
		return err
	}
	prefix := f.images*m.Vision.Tokens() + estimate.PromptPositions
	positions := prefix + estimate.AnswerPositions
	if f.context > 0 {
		prefix, positions = min(prefix, f.context), f.context
	}
	e := estimateJSON{Memory: m.Memory(cell, prefix, positions), GPUs: llamacpp.GPUs()}
	if free := host.AvailableMemory(); free > 0 {
		fits := e.Total <= int64(free)
		e.Free, e.Fits = int64(free), &fits
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return e.print(cmd.OutOrStdout())
}

// measure returns the model that the arguments mean, in the types wanted.
func (f *estimateFlags) measure(paths []string, typ string) (m estimate.Model, err error) {
	var p estimate.Plans
	if p.Text, err = f.types.plan(typ, false); err != nil {
		return m, err
	}
	if p.Vision, err = f.types.plan(f.vision, true); err != nil {
		return m, err
	}
	switch isCheckpoint := checkpoint.Format(paths[0]) != ""; {
	case isCheckpoint && f.tokenizer == "":
		return m, usagef("no tokenizer: give the checkpoint's SentencePiece model with --tokenizer")
	case !isCheckpoint && len(paths) > 1:
		return m, usagef("%d files: want a model, a size, or the parts of one checkpoint, and then a type", len(paths))
	}
	return estimate.Of(paths, f.tokenizer, f.name, p)
}

func (e estimateJSON) print(w io.Writer) error {
	p := &linePrinter{w: w}
	p.line("disk    %10s  text %s, mmproj %s", bytesText(e.Text+e.Vision), bytesText(e.Text), bytesText(e.Vision))
	p.line("memory  %10s  weights %s, KV cache of %d positions %s, working memory %s", bytesText(e.Total),
		bytesText(e.Text+e.Vision), e.Positions, bytesText(e.KV), bytesText(e.Work))
	switch {
	case e.Fits == nil:
	case *e.Fits:
		p.line("It fits: %s are free here.", bytesText(e.Free))
	default:
		p.line("It does not fit: %s are free here.", bytesText(e.Free))
	}
	for _, g := range e.GPUs {
		p.line("On %s, with about %s: %s are free there.", g.Name, bytesText(e.OnDevice()), bytesText(int64(g.Free)))
	}
	return p.err
}
