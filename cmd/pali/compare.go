package main

// This file: pali compare.

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/progress"
)

func newCompare() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Compares two files tensor by tensor, the worst first",
		Long: `Compares the values of two files tensor by tensor. A is the reference; either may be a GGUF file or an
.npz archive. Two GGUF files and two archives are compared by the names of their tensors; a checkpoint with a GGUF file
by what pali convert makes of it. Blocks are decoded first. Several arguments before the last are the parts of one
archive (NAME.npz.part0 NAME.npz.part1 ...).

For each tensor that differs: the largest difference, the root of the mean square of the differences (RMS), the same
relative to the RMS of A (of B where A is all zero), and the cosine of the two as vectors. Where only one vision MLP is
padded, the common part is compared. Differences are not a failure: the exit code is 1 only where the files cannot be
compared.`,
		Example: `  pali compare paligemma-3b-mix-224.npz models/PaliGemma-3B-mix-224-Q8_0.gguf
  pali compare models/demo-F32.gguf models/demo-Q4_0.gguf --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("want two files")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads (0: one for each processor)")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

type compareFlags struct {
	threads int
	asJSON  bool
}

func (f *compareFlags) run(cmd *cobra.Command, paths []string) error {
	last := len(paths) - 1
	a, err := openListing(paths[:last])
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := openListing(paths[last:])
	if err != nil {
		return err
	}
	defer b.Close()
	bar := progress.Bytes(cmd.ErrOrStderr(), "compare")
	d, err := inspect.Compare(cmd.Context(), a, b, f.threads, bar.Set)
	bar.Close()
	if err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), d)
	}
	return d.Print(cmd.OutOrStdout())
}
