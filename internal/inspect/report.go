package inspect

// This file: differences as text for people.

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"
)

// mostNames is how many tensors that only one file has, or that are not compared, are named to
// people.
const mostNames = 10

// Print writes the differences for people: tensors that are equal in every value are only counted.
func (d *Differences) Print(out io.Writer) error {
	w := bufio.NewWriter(out)
	equal := 0
	for _, t := range d.Tensors {
		if t.Unequal == 0 {
			equal++
		}
	}
	if equal < len(d.Tensors) {
		d.printTable(w)
	}
	fmt.Fprintf(w,
		"%d tensors compared, %d equal in every value; over all values: largest difference %.3g, RMS %.3g, relative "+
			"%.3g\n",
		len(d.Tensors), equal, d.All.MaxAbs, d.All.RMS, d.All.Relative)
	var skipped []string
	for _, s := range d.Skipped {
		skipped = append(skipped, Plain(s.Name)+": "+s.Reason)
	}
	printFirst(w, "not compared", skipped)
	for _, f := range []Side{d.A, d.B} {
		var names []string
		for _, name := range f.Only {
			names = append(names, Plain(name))
		}
		printFirst(w, "only in "+Plain(f.Path), names)
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
func (d *Differences) printTable(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "tensor\tA\tB\tshape\tmax abs\tRMS\trelative\tcosine")
	for _, t := range d.Tensors {
		if t.Unequal > 0 {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.3g\t%.3g\t%.3g\t%.7f%s\n", Plain(t.Name), t.TypeA, t.TypeB,
				ShapeText(t.Shape), t.MaxAbs, t.RMS, t.Relative, t.Cosine, remark(t))
		}
	}
	table.Flush()
	fmt.Fprintln(w)
}

// remark says what the figures leave out.
func remark(t TensorDifference) string {
	switch {
	case t.Bad > 0:
		return fmt.Sprintf("  %d are not finite numbers", t.Bad)
	case t.Padded != nil:
		return "  of " + ShapeText(t.Padded)
	}
	return ""
}
