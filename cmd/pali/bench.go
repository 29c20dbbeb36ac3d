package main

// This file: pali bench: how fast a model is here, beside what this machine can do.

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/bench"
	"github.com/pali-gguf/pali/internal/host"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

type benchFlags struct {
	modelFlags
	bench.Options
	asJSON bool
}

func newBench() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench -m MODEL",
		Short: "Measures how fast a model is here, beside what this machine can do",
		Long: `Measures a model on this machine: loading, the vision encoder (SigLIP), the prefix (prefill), the answer
(decode), and the three together, on an image and tokens that are drawn at random. With -i the image is that file, and
decoding and resizing it is measured too. One round warms up, the others count. On the processor, beside the times stands
what the machine can do at most with as many threads, measured in the same run, and the share of it that is reached:

  decode    every weight of the text file is read once for each token: bytes a second, of those that memory gives
  prefill   two operations for each weight of the layers and each position, those of the products only: of the processor's rate for the weights' type
  siglip    the same, with the products of attention

Block types (q8_0, q4_0, ...) are compared with the rate of int8 products, f16 and f32 with that of f32, bf16 with its
own where there is one.`,
		Example: `  pali bench -m models
  pali bench -m models --prompt-tokens 32 --max-tokens 64 -r 10 --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.IntVar(&f.PromptTokens, "prompt-tokens", 8, "tokens of the prompt, BOS and separator among them")
	fs.StringVarP(&f.Image, "image", "i", "", "image file, or - for standard input (default: one drawn at random)")
	fs.IntVar(&f.Images, "images", 1, "images, all the same one")
	fs.IntVar(&f.Tokens, "max-tokens", 24, "tokens of the answer")
	fs.IntVarP(&f.Rounds, "rounds", "r", 5, "rounds that count")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *benchFlags) check() error {
	for _, v := range []struct {
		flag              string
		have, least, most int
	}{
		{"--prompt-tokens", f.PromptTokens, 2, runner.MaxPromptBytes},
		{"--images", f.Images, 1, runner.MaxImages},
		{"--max-tokens", f.Tokens, 2, runner.MaxAnswerTokens},
		{"--rounds", f.Rounds, 1, 1000},
	} {
		if v.have < v.least || v.have > v.most {
			return usagef("%s %d: want %d to %d", v.flag, v.have, v.least, v.most)
		}
	}
	return nil
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	start := time.Now()
	model, err := f.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer model.Close()
	load := time.Since(start)
	r, err := bench.Run(cmd.Context(), model.Runner(), f.Options)
	if err != nil {
		return err
	}
	files, err := store.Find(f.model, f.mmproj, "")
	if err != nil {
		return err
	}
	r.Load, r.Threads, r.KV = progress.Milliseconds(load), f.threads, f.kv
	r.PeakBytes = host.PeakMemory() // before the limits, which need memory of their own
	if r.Device, err = llamacpp.DeviceFor(f.device); err != nil {
		return err
	}
	if err := r.AddFiles(files, llamacpp.KVTypes[f.kv]); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	return printBench(cmd.OutOrStdout(), r)
}

func printBench(w io.Writer, r *bench.Report) error {
	p := &linePrinter{w: w}
	p.line("%s, %s, %s", r.TextFile.Path, bytesText(r.TextFile.Bytes), r.TextFile.Type)
	p.line("%s, %s, %s", r.VisionFile.Path, bytesText(r.VisionFile.Bytes), r.VisionFile.Type)
	p.line("%s, %d threads, KV cache %s; %d positions of prefix, %d tokens of answer", r.Device, r.Threads, r.KV,
		r.PrefillTokens, r.DecodeTokens)
	p.line("")
	p.line("%-12s %10s %10s %10s  %20s  %s", "", "median ms", "min", "max", "", "share of the limit")
	row := func(name string, s bench.Spread, unit string) {
		rate, share := fmt.Sprintf("%.3g %s", s.Rate, unit), ""
		if s.Limit != "" {
			share = fmt.Sprintf("%.0f %% of %s", 100*s.Share, s.Limit)
		}
		p.line("%-12s %10.1f %10.1f %10.1f  %20s  %s", name, s.Median, s.Min, s.Max, rate, share)
	}
	p.line("%-12s %10.1f", "load", r.Load)
	if r.Image != nil {
		row("image", *r.Image, "pictures/s")
	}
	row("siglip", r.Vision, "pictures/s")
	row("prefill", r.Prefill, "tokens/s")
	row("decode", r.Decode, "tokens/s")
	row("end to end", r.Total, "answers/s")
	if r.Machine.Read == 0 { // of the processor, which another device is not compared with
		return p.err
	}
	p.line("")
	limits := fmt.Sprintf("this machine at most: memory read %.1f GB/s", r.Machine.Read/1e9)
	for _, v := range []struct {
		rate float64
		name string
	}{{r.Machine.Int8, "int8"}, {r.Machine.BF16, "bf16"}, {r.Machine.F32, "f32"}} {
		if v.rate > 0 {
			limits += fmt.Sprintf(", %s %.0f G operations/s", v.name, v.rate/1e9)
		}
	}
	p.line("%s", limits)
	if r.PeakBytes > 0 {
		p.line("peak resident memory: %s, estimated %s", bytesText(r.PeakBytes), bytesText(r.EstimatedBytes))
	}
	return p.err
}
