package inspect

// This file: how two files differ. pairs.go reads their values.

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/quant"
)

// Differences is how two files differ. Its JSON is what pali compare --json prints.
type Differences struct {
	A       Side               `json:"a"`
	B       Side               `json:"b"`
	Tensors []TensorDifference `json:"tensors"` // the worst first: those with bad elements, then by relative RMS
	All     Loss               `json:"all"`     // over the values of all tensors
	Skipped []Skipped          `json:"skipped"` // in both files, and not compared
}

// Side is one of the two files.
type Side struct {
	Path string   `json:"path"`
	Kind string   `json:"kind"` // "gguf" or "npz"
	Only []string `json:"only"` // tensors that the other file lacks
}

// TensorDifference is how a tensor that both files have differs.
type TensorDifference struct {
	Name   string `json:"name"`
	TypeA  string `json:"type_a"`
	TypeB  string `json:"type_b"`
	Shape  []int  `json:"shape"`            // of what was compared
	Padded []int  `json:"padded,omitempty"` // shape of the side that is padded
	Loss
}

// Skipped is a tensor that both files have and that cannot be compared.
type Skipped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Loss is how far the values of B are from those of A.
type Loss struct {
	MaxAbs   float64 `json:"max_abs"`
	RMS      float64 `json:"rms"`
	Relative float64 `json:"relative_rms"`
	Cosine   float64 `json:"cosine"`
	Unequal  int64   `json:"unequal"` // elements that differ
	// of these, those where one side is not a finite number: in none of the figures above
	Bad int64 `json:"bad"`
}

func newLoss(l quant.Loss) Loss {
	return Loss{l.MaxAbs, l.RMS(), l.Relative(), l.Cosine(), l.Unequal, l.Bad}
}

// comparison is two open files and what they have in common.
type comparison struct {
	a, b         *Listing
	checkpoint   *convert.Checkpoint // where one is an archive and the other a GGUF file
	pairs        []*pair             // in A's order
	byName       map[string]*pair
	onlyA, onlyB []string
	skipped      []Skipped
}

// Compare reads the values of a and b, threads strips at a time (0: one for each processor), and
// returns how they differ; a is the reference. Two GGUF files and two archives are
// compared by the names of their tensors; a checkpoint with a GGUF file by what convert makes of
// it. Compare fails where no tensor can be compared. progress, which may be nil, is called with the
// bytes of a read so far and in total. Compare ends when ctx does.
func Compare(ctx context.Context, a, b *Listing, threads int, progress func(done, total int64)) (*Differences, error) {
	c, err := newComparison(a, b)
	if err != nil {
		return nil, err
	}
	if err := c.read(ctx, threads, progress); err != nil {
		return nil, err
	}
	return c.differences(), nil
}

// newComparison finds what the two files have in common. It fails where that is nothing.
func newComparison(a, b *Listing) (*comparison, error) {
	c := &comparison{a: a, b: b, byName: map[string]*pair{}}
	inA, err := c.tensors(a, b)
	if err != nil {
		return nil, err
	}
	inB, err := c.tensors(b, a)
	if err != nil {
		return nil, err
	}
	left := map[string]Tensor{}
	for _, t := range inB {
		left[t.Name] = t
	}
	for _, t := range inA {
		other, both := left[t.Name]
		if both {
			c.add(t, other)
			delete(left, t.Name)
		} else {
			c.onlyA = append(c.onlyA, t.Name)
		}
	}
	for _, t := range inB {
		if _, alone := left[t.Name]; alone {
			c.onlyB = append(c.onlyB, t.Name)
		}
	}
	if len(c.pairs) == 0 {
		why := "no tensor has the same name in both"
		if len(c.skipped) > 0 {
			why = fmt.Sprintf("%s: %s", Plain(c.skipped[0].Name), c.skipped[0].Reason)
		}
		return nil, fmt.Errorf("%s and %s cannot be compared: %s", a.path(), b.path(), why)
	}
	return c, nil
}

// tensors lists what of l can be compared with other: if other is a GGUF file, an archive is a
// checkpoint, and one half of it is meant.
func (c *comparison) tensors(l, other *Listing) ([]Tensor, error) {
	if l.Archive == nil || other.Archive != nil {
		return l.Tensors, nil
	}
	architecture, _ := other.File.Lookup(mmproj.KeyArchitecture)
	var err error
	if c.checkpoint, err = convert.ReadCheckpoint(l.Archive, architecture == mmproj.Architecture); err != nil {
		return nil, fmt.Errorf("%s: %w", l.path(), err)
	}
	var out []Tensor
	for _, t := range c.checkpoint.Tensors() {
		out = append(out, Tensor{Name: t.Name, Type: t.DType.String(), Shape: t.Shape, Bytes: t.Bytes()})
	}
	return out, nil
}

// add adds a tensor that both files have, or says why it is not compared.
func (c *comparison) add(a, b Tensor) {
	p := &pair{name: a.Name, a: a, b: b, shape: append([]int{}, a.Shape...), parts: map[int]quant.Loss{}}
	why := ""
	switch {
	case !isFloat(a.Type) || !isFloat(b.Type):
		why = fmt.Sprintf("elements %s and %s, want floats", a.Type, b.Type)
	case slices.Equal(a.Shape, b.Shape):
	case mmproj.IsPadded(a.Name, a.Shape, b.Shape):
		p.padded = b.Shape
	case mmproj.IsPadded(a.Name, b.Shape, a.Shape):
		p.shape, p.padded = append([]int{}, b.Shape...), a.Shape
	default:
		why = fmt.Sprintf("shapes %s and %s", ShapeText(a.Shape), ShapeText(b.Shape))
	}
	if why != "" {
		c.skipped = append(c.skipped, Skipped{a.Name, why})
		return
	}
	c.pairs = append(c.pairs, p)
	c.byName[p.name] = p
}

// isFloat reports whether elements of a type stand for floats of at most 32 bits.
func isFloat(typ string) bool {
	return !slices.Contains([]string{"I8", "I16", "I32", "I64", "F64"}, typ)
}

// differences puts the worst first: tensors with bad elements, then by relative RMS.
func (c *comparison) differences() *Differences {
	d := &Differences{
		A:       Side{c.a.path(), c.a.Kind, append([]string{}, c.onlyA...)},
		B:       Side{c.b.path(), c.b.Kind, append([]string{}, c.onlyB...)},
		Tensors: []TensorDifference{}, Skipped: append([]Skipped{}, c.skipped...),
	}
	var all quant.Loss
	for _, p := range c.pairs {
		l := p.loss()
		all.Merge(l)
		d.Tensors = append(d.Tensors, TensorDifference{p.name, p.a.Type, p.b.Type, p.shape, p.padded, newLoss(l)})
	}
	d.All = newLoss(all)
	slices.SortStableFunc(d.Tensors, func(a, b TensorDifference) int {
		return cmp.Or(cmp.Compare(b.Bad, a.Bad), cmp.Compare(b.Relative, a.Relative), cmp.Compare(b.MaxAbs, a.MaxAbs))
	})
	return d
}
