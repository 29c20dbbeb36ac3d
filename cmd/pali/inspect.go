package main

// This file: pali inspect. Before it: listing.go.

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// How much of a value is shown.
const (
	fewElements  = 6   // of an array, to people
	mostElements = 16  // of an array that --json and --diffable give whole
	mostRunes    = 72  // of a string, to people
	mostBytes    = 256 // of a string that --diffable gives whole
)

func newInspect() *cobra.Command {
	var asJSON, diffable bool
	cmd := &cobra.Command{
		Use:   "inspect FILE.gguf|FILE.npz...",
		Short: "Lists the keys and tensors of a GGUF file or a checkpoint",
		Long: `Lists the keys and tensors of a GGUF file, or the arrays of an .npz archive, in the file's order. What kind a file is, its
content says. Several arguments are the pieces of one archive (NAME.npz.part0 NAME.npz.part1 ...), in order.

Shapes are NumPy's, the slowest axis first. --diffable reads the data too and prints nothing that depends on where things lie in
the file: two files that hold the same give the same text.`,
		Example: `  pali inspect models/PaliGemma-3B-mix-224-Q8_0.gguf
  diff <(pali inspect --diffable a.gguf) <(pali inspect --diffable b.gguf)`,
		Args: atLeastOne("no file: give a GGUF file or an .npz archive"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && diffable {
				return usagef("--json and --diffable: want one of them")
			}
			l, err := list(args)
			if err != nil {
				return err
			}
			defer l.close()
			switch out := cmd.OutOrStdout(); {
			case asJSON:
				return printJSON(out, l.json(args))
			case diffable:
				return l.diffable(cmd.Context(), out, cmd.ErrOrStderr())
			default:
				return l.text(out, args)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object; of an array of more than "+strconv.Itoa(mostElements)+" elements, only their number")
	cmd.Flags().BoolVar(&diffable, "diffable", false, "print keys and tensors with their sha256, and neither offsets nor names of files")
	return cmd
}

// text writes the listing for people.
func (l *listing) text(out io.Writer, paths []string) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s: %s, %s (%d bytes)\n", plain(strings.Join(paths, ", ")), l.kind, bytesText(l.bytes), l.bytes)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(l.keys) > 0 {
		fmt.Fprintln(table)
	}
	for _, kv := range l.keys {
		fmt.Fprintf(table, "%s\t%s\t%s\n", plain(kv.Key), valueType(kv.Value), shortText(kv.Value))
	}
	table.Flush()
	fmt.Fprintln(table)
	for _, t := range l.tensors {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", plain(t.name), t.kind, shapeText(t.shape), bytesText(t.bytes))
	}
	table.Flush()
	fmt.Fprintln(table)
	var elements int64
	for _, t := range l.totals() {
		fmt.Fprintf(table, "%s\t%d tensors\t%d elements\t%s\n", t.Type, t.Tensors, t.Elements, bytesText(t.Bytes))
		elements += t.Elements
	}
	fmt.Fprintf(table, "all\t%d tensors\t%d elements\t\n", len(l.tensors), elements)
	table.Flush()
	return w.Flush()
}

// diffable writes the listing so that equal content gives equal text.
func (l *listing) diffable(ctx context.Context, out, progress io.Writer) error {
	sums := make([]hash.Hash, len(l.tensors))
	err := l.read(ctx, progress, "inspect", func(i int) io.Writer {
		sums[i] = sha256.New()
		return sums[i]
	})
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, kv := range l.keys {
		fmt.Fprintf(w, "%s %s %s\n", plain(kv.Key), valueType(kv.Value), exactText(kv.Value))
	}
	for i, t := range l.tensors {
		fmt.Fprintf(w, "%s %s %s %x\n", plain(t.name), t.kind, shapeText(t.shape), sums[i].Sum(nil))
	}
	return w.Flush()
}

// listingJSON is what pali inspect --json prints.
type listingJSON struct {
	Kind     string       `json:"kind"`
	Files    []string     `json:"files"`
	Bytes    int64        `json:"bytes"`
	Keys     []keyJSON    `json:"keys,omitempty"`
	Tensors  []tensorJSON `json:"tensors"`
	Elements int64        `json:"elements"`
	Types    []typeTotal  `json:"types"`
}

type keyJSON struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Count *int   `json:"count,omitempty"` // of an array's elements
	Value any    `json:"value,omitempty"` // none for a long array
}

type tensorJSON struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

func (l *listing) json(paths []string) listingJSON {
	out := listingJSON{Kind: l.kind, Files: paths, Bytes: l.bytes, Tensors: []tensorJSON{}, Types: l.totals()}
	for _, kv := range l.keys {
		k := keyJSON{Key: kv.Key, Type: valueType(kv.Value)}
		if elements, ok := array(kv.Value); !ok {
			k.Value = forJSON(kv.Value)
		} else {
			n := elements.Len()
			k.Count = &n
			if n <= mostElements {
				values := make([]any, n)
				for i := range values {
					values[i] = forJSON(elements.Index(i).Interface())
				}
				k.Value = values
			}
		}
		out.Keys = append(out.Keys, k)
	}
	for _, t := range l.tensors {
		out.Tensors = append(out.Tensors, tensorJSON{t.name, t.kind, append([]int{}, t.shape...), t.bytes})
		out.Elements += t.elements
	}
	return out
}

// forJSON replaces numbers that JSON cannot write by their names.
func forJSON(v any) any {
	switch f := v.(type) {
	case float32:
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return fmt.Sprint(f)
		}
	case float64:
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(f)
		}
	}
	return v
}

// array returns a value's elements if it is an array.
func array(v any) (reflect.Value, bool) {
	r := reflect.ValueOf(v)
	return r, r.Kind() == reflect.Slice
}

// valueType names a value's type: "uint32", "[2048]string".
func valueType(v any) string {
	if elements, ok := array(v); ok {
		return fmt.Sprintf("[%d]%s", elements.Len(), elements.Type().Elem())
	}
	return fmt.Sprintf("%T", v)
}

// shortText writes a value for people, the beginning of a long one.
func shortText(v any) string {
	if elements, ok := array(v); ok {
		return elementsText(elements, fewElements, shortText)
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	if runes := []rune(s[:min(len(s), 4*mostRunes)]); len(runes) > mostRunes {
		return strconv.Quote(string(runes[:mostRunes])) + fmt.Sprintf("... %d bytes", len(s))
	}
	return strconv.Quote(s)
}

// elementsText writes the first so many elements of an array, and dots where there are more.
func elementsText(elements reflect.Value, most int, write func(any) string) string {
	var parts []string
	for i := range min(elements.Len(), most) {
		parts = append(parts, write(elements.Index(i).Interface()))
	}
	if elements.Len() > most {
		parts = append(parts, "...")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// exactText writes a value whole, or the sha256 of a long one's bytes as the file stores them.
func exactText(v any) string {
	sum := sha256.New()
	switch v := v.(type) {
	case string:
		if len(v) <= mostBytes {
			return strconv.Quote(v)
		}
		io.WriteString(sum, v)
		return fmt.Sprintf("%d bytes sha256:%x", len(v), sum.Sum(nil))
	case []string:
		for _, text := range v {
			binary.Write(sum, binary.LittleEndian, uint64(len(text)))
			io.WriteString(sum, text)
		}
	default:
		if _, ok := array(v); !ok {
			return fmt.Sprint(v)
		}
		binary.Write(sum, binary.LittleEndian, v)
	}
	if elements, _ := array(v); elements.Len() <= mostElements {
		return elementsText(elements, mostElements, exactText)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil))
}

// shapeText writes a shape without blanks: "[256,1152]".
func shapeText(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }

// plain returns a name from a file as it is, or quoted where it could break a line, split a column or steer a terminal.
func plain(name string) string {
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || r == ' ' || r == '"' || r == unicode.ReplacementChar
	}) {
		return name
	}
	return strconv.Quote(name)
}
