package main

// This file: pali compare.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

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
	return printDifferences(cmd.OutOrStdout(), d)
}

// mostNames is how many tensors that only one file has, or that are not compared, are named to
// people.
const mostNames = 10

// printDifferences writes the differences for people: tensors that are equal in every value are
// only counted.
func printDifferences(out io.Writer, d *inspect.Differences) error {
	w := bufio.NewWriter(out)
	equal := 0
	for _, t := range d.Tensors {
		if t.Unequal == 0 {
			equal++
		}
	}
	if equal < len(d.Tensors) {
		printTable(w, d)
	}
	fmt.Fprintf(w,
		"%d tensors compared, %d equal in every value; over all values: largest difference %.3g, RMS %.3g, relative %.3g\n",
		len(d.Tensors), equal, d.All.MaxAbs, d.All.RMS, d.All.Relative)
	var skipped []string
	for _, s := range d.Skipped {
		skipped = append(skipped, inspect.Plain(s.Name)+": "+s.Reason)
	}
	printFirst(w, "not compared", skipped)
	for _, f := range []inspect.Side{d.A, d.B} {
		var names []string
		for _, name := range f.Only {
			names = append(names, inspect.Plain(name))
		}
		printFirst(w, "only in "+inspect.Plain(f.Path), names)
	}
	return w.Flush()
}

// printFirst writes the first of some lines, and how many more there are.
func printFirst(w io.Writer, what string, lines []string) {
	for _, line := range lines[:min(len(lines), mostNames)] {
		fmt.Fprintf(w, "%s: %s\n", what, line)
	}
	if more := len(lines) - mostNames; more > 0 {
		fmt.Fprintf(w, "%s: %d more\n", what, more)
	}
}

// printTable writes a line for each tensor that differs.
func printTable(w io.Writer, d *inspect.Differences) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "tensor\tA\tB\tshape\tmax abs\tRMS\trelative\tcosine")
	for _, t := range d.Tensors {
		if t.Unequal > 0 {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.3g\t%.3g\t%.3g\t%.7f%s\n", inspect.Plain(t.Name), t.TypeA, t.TypeB,
				inspect.ShapeText(t.Shape), t.MaxAbs, t.RMS, t.Relative, t.Cosine, remark(t))
		}
	}
	table.Flush()
	fmt.Fprintln(w)
}

// remark says what the figures leave out.
func remark(t inspect.TensorDifference) string {
	switch {
	case t.Bad > 0:
		return fmt.Sprintf("  %d are not finite numbers", t.Bad)
	case t.Padded != nil:
		return "  of " + inspect.ShapeText(t.Padded)
	}
	return ""
}
