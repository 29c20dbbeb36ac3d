package main

// This file: pali quantize.

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/progress"
	"github.com/pali-gguf/pali/quant"
)

type quantizeFlags struct {
	types      typeFlags
	requantize bool
	force      bool
	asJSON     bool
	threads    int
}

func newQuantize() *cobra.Command {
	var f quantizeFlags
	cmd := &cobra.Command{
		Use:   "quantize IN.gguf OUT.gguf TYPE",
		Short: "Stores a text GGUF or an mmproj GGUF in another type",
		Long: `Stores a text GGUF or an mmproj GGUF in another type, and prints the new file's path. TYPE is one of

  ` + typesText() + `

as llama.cpp has them; int8 and int4 are those that we recommend on a CPU. quant/recipe.go says which tensor gets which.

The source is an f32, f16 or bf16 file. From an f32 file the result has the bytes that pali convert makes of the
checkpoint. The new file appears when it is complete; until then it is called OUT.gguf.partial.`,
		Example: `  pali quantize models/demo-F16.gguf models/demo-Q4_K_M.gguf q4_k_m
  pali quantize models/mmproj-demo-F16.gguf models/mmproj-demo-Q8_0.gguf int8
  pali quantize in.gguf out.gguf q4_0 --tensor-type 'ffn_down=q8_0' --token-embedding-type q6_k`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fmt.Errorf("%d arguments, want three: IN.gguf OUT.gguf TYPE", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1], args[2]) },
	}
	fs := cmd.Flags()
	f.types.add(fs)
	fs.BoolVar(&f.requantize, "requantize", false,
		"take a source that is in blocks already, though rounding twice loses more than rounding once")
	fs.BoolVar(&f.force, "force", false, "replace OUT.gguf if it is there")
	fs.IntVar(&f.threads, "threads", 0, "threads (0: one for each processor)")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *quantizeFlags) run(cmd *cobra.Command, in, out, name string) error {
	if _, err := f.types.plan(name, false); err != nil { // a wrong call is told before a file is looked for
		return err
	}
	src, err := quant.Open(in)
	if err != nil {
		return err
	}
	defer src.Close()
	plan, err := f.types.plan(name, src.Vision)
	if err != nil {
		return err
	}
	if err := checkOutput("OUT.gguf", out, ".gguf", f.force, in); err != nil {
		return err
	}
	bar := progress.Bytes(cmd.ErrOrStderr(), "quantize")
	start := time.Now()
	r, err := src.Quantize(cmd.Context(), out, plan, quant.Options{Requantize: f.requantize, Force: f.force,
		Threads: f.threads, Progress: bar.Set})
	bar.Close()
	if errors.As(err, new(*quant.RequantizeError)) {
		return fmt.Errorf("%w, or --requantize", err)
	}
	if err != nil {
		return err
	}
	if f.types.matrix != "" && len(plan.Keys()) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pali: --imatrix does nothing: no matrix is rounded by it in %s\n", plan.Name())
	}
	q := quantizedJSON{
		convertedFile: convertedFile{out, r.Bytes, byName(r.Types), fallbacks(plan)},
		Type:          strings.ToLower(plan.Name()), SourceBytes: r.SourceBytes,
		FFNWidth: r.FFNWidth, PaddedFFNWidth: r.PaddedFFNWidth, Ms: progress.Milliseconds(time.Since(start)),
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), q)
	}
	q.summary(cmd.ErrOrStderr())
	_, err = fmt.Fprintln(cmd.OutOrStdout(), out)
	return err
}

// quantizedJSON is what pali quantize --json prints.
type quantizedJSON struct {
	convertedFile
	Type           string  `json:"type"`
	SourceBytes    int64   `json:"source_bytes"`
	FFNWidth       int     `json:"vision_feed_forward_length,omitempty"`
	PaddedFFNWidth int     `json:"vision_feed_forward_length_padded,omitempty"`
	Ms             float64 `json:"total_ms"`
}

// summary prints what was written.
func (q *quantizedJSON) summary(w io.Writer) {
	fmt.Fprintf(w, "%s to %s in %.1f s\n", bytesText(q.SourceBytes), bytesText(q.Bytes), q.Ms/1000)
	writeTypes(w, inspect.Plain(filepath.Base(q.Path)), q.Types, q.Fallbacks)
	writePadding(w, q.FFNWidth, q.PaddedFFNWidth)
}
