package main

// This file: the flags that say in which types a file is stored.

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/quant"
)

// typeFlags change a type's recipe.
type typeFlags struct {
	tensor []string
	table  string
	pure   bool
	matrix string
}

func (f *typeFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.tensor, "tensor-type", nil,
		"REGEX=TYPE: another type for the matrices whose names it matches, as ffn_down=q6_k (again for more; the last counts)")
	fs.StringVar(&f.table, "token-embedding-type", "",
		"another type for the token table, which is input and output at once")
	fs.BoolVar(&f.pure, "pure", false,
		"every matrix in the same type, with no exceptions for some layers, the token table and the projector")
	fs.StringVar(&f.matrix, "imatrix", "",
		"importance matrix of the model (pali imatrix): round the columns that matter more finely")
}

// typesText lists the types for a flag's help.
func typesText() string { return strings.Join(quant.Names(), ", ") }

// plan makes the plan for a text file or a vision file.
func (f *typeFlags) plan(name string, vision bool) (*quant.Plan, error) {
	p, err := quant.NewPlan(name, vision)
	if err != nil {
		return nil, usageError{err}
	}
	p.Pure = f.pure
	for _, s := range f.tensor {
		if err := p.Override(s); err != nil {
			return nil, usagef("--tensor-type: %w", err)
		}
	}
	if f.table != "" {
		if err := p.OverrideTable(f.table); err != nil {
			return nil, usagef("--token-embedding-type: %w", err)
		}
	}
	if f.matrix != "" {
		if p.Imatrix, err = quant.OpenImatrix(f.matrix); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// byName counts tensors by the names of their types.
func byName(types map[gguf.Type]int) map[string]int {
	out := map[string]int{}
	for t, n := range types {
		out[t.String()] = n
	}
	return out
}

// fallbackJSON are tensors whose rows the blocks of a type do not divide.
type fallbackJSON struct {
	Wanted string `json:"wanted"`
	Taken  string `json:"taken"`
	Count  int    `json:"tensors"`
}

// fallbacks lists the tensors that have another type than was meant, in the order of the types'
// names.
func fallbacks(p *quant.Plan) []fallbackJSON {
	all := []fallbackJSON{}
	for types, n := range p.Fallbacks {
		all = append(all, fallbackJSON{types[0].String(), types[1].String(), n})
	}
	slices.SortFunc(all, func(a, b fallbackJSON) int { return strings.Compare(a.Wanted+a.Taken, b.Wanted+b.Taken) })
	return all
}

// writeTypes prints how many tensors of a file have which type, and how many have it because their
// rows do not fit another.
func writeTypes(w io.Writer, file string, types map[string]int, fallbacks []fallbackJSON) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(types)) {
		parts = append(parts, fmt.Sprintf("%d %s", types[name], name))
	}
	fmt.Fprintf(w, "%s: %s\n", file, strings.Join(parts, ", "))
	for _, i := range fallbacks {
		fmt.Fprintf(w, "%s: %d tensors are %s instead of %s, whose blocks their rows do not fill\n", file, i.Count,
			i.Taken, i.Wanted)
	}
}

// writePadding prints that the vision MLP is wider than it was.
func writePadding(w io.Writer, from, to int) {
	if from != to {
		fmt.Fprintf(w, "the vision MLP is padded with zeros from %d to %d, so that it fits the blocks\n", from, to)
	}
}
