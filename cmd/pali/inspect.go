package main

// This file: pali inspect.

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/internal/inspect"
	"github.com/pali-gguf/pali/internal/progress"
)

func newInspect() *cobra.Command {
	var asJSON, diffable bool
	cmd := &cobra.Command{
		Use:   "inspect FILE.gguf|FILE.npz...",
		Short: "Lists the keys and tensors of a GGUF file or a checkpoint",
		Long: `Lists the keys and tensors of a GGUF file, or the arrays of an .npz archive, in the file's order. What
kind a file is, its content says. Several arguments are the parts of one archive (NAME.npz.part0 NAME.npz.part1 ...), in
order.

Shapes are NumPy's, the slowest axis first. --diffable reads the data too and prints nothing that depends on where
things lie in the file: two files that hold the same give the same text.`,
		Example: `  pali inspect models/PaliGemma-3B-mix-224-Q8_0.gguf
  diff <(pali inspect --diffable a.gguf) <(pali inspect --diffable b.gguf)`,
		Args: atLeastOne("no file: give a GGUF file or an .npz archive"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && diffable {
				return usagef("--json and --diffable: want one of them")
			}
			l, err := openListing(args)
			if err != nil {
				return err
			}
			defer l.Close()
			switch out := cmd.OutOrStdout(); {
			case asJSON:
				return printJSON(out, l.Contents())
			case diffable:
				bar := progress.Bytes(cmd.ErrOrStderr(), "inspect")
				defer bar.Close()
				return l.Diffable(cmd.Context(), out, bar.Set)
			default:
				return printListing(out, l)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object; of an array of more than "+
		strconv.Itoa(inspect.MaxElements)+" elements, only their number")
	cmd.Flags().BoolVar(&diffable, "diffable", false,
		"print keys and tensors with their sha256, and neither offsets nor names of files")
	return cmd
}

// printListing writes what a file holds for people.
func printListing(out io.Writer, l *inspect.Listing) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s: %s, %s (%d bytes)\n", inspect.Plain(strings.Join(l.Paths, ", ")), l.Kind, bytesText(l.Bytes),
		l.Bytes)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(l.Keys) > 0 {
		fmt.Fprintln(table)
	}
	for _, kv := range l.Keys {
		fmt.Fprintf(table, "%s\t%s\t%s\n", inspect.Plain(kv.Key), inspect.ValueType(kv.Value),
			inspect.ShortText(kv.Value))
	}
	table.Flush()
	fmt.Fprintln(table)
	for _, t := range l.Tensors {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", inspect.Plain(t.Name), t.Type, inspect.ShapeText(t.Shape),
			bytesText(t.Bytes))
	}
	table.Flush()
	fmt.Fprintln(table)
	var elements int64
	for _, t := range l.Totals() {
		fmt.Fprintf(table, "%s\t%d tensors\t%d elements\t%s\n", t.Type, t.Tensors, t.Elements, bytesText(t.Bytes))
		elements += t.Elements
	}
	fmt.Fprintf(table, "all\t%d tensors\t%d elements\t\n", len(l.Tensors), elements)
	table.Flush()
	return w.Flush()
}
