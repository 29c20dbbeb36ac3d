package convert

// This file: what a way of saving PaliGemma is, in the abstract. The ways there are: bigvision.go.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

// Schemas are the ways of saving PaliGemma that are known, in the order in which they are tried.
var Schemas = []Schema{BigVision}

// Schema says how one program saves PaliGemma: which arrays there are, their names and their axes.
type Schema struct {
	Name         string            // of the program
	Prefixes     []string          // of all keys, in the order in which they are tried; "" for none
	Extra        []string          // beginnings of other keys that a checkpoint with a prefix may have
	Older        map[string]string // by an array's key: the key that older files have instead
	Text, Vision Half

	// Derive adds the sizes of letters that no array has as an axis, as the number of heads where
	// heads and head dim are one axis. It gets the sizes of the two halves by letter. nil: the
	// arrays have all.
	Derive func(src Source, text, vision map[string]int) error
}

// Half is what a schema says of the decoder, or of the encoder with the projector.
type Half struct {
	Root      string // beginning of keys by which the half is recognised
	AllLayers string // beginning of the Source of every array that has one part for each layer
	OneLayer  string // what stands in its place where each layer has arrays of its own; %d is the layer
	Mappings  []Mapping
}

// Mapping says where one tensor comes from and what it becomes.
//
// Pattern names the array's axes on the left and the tensor's on the right, in NumPy order;
// brackets merge axes. A leading "l" on both sides means one tensor for each layer, and %d in To is
// the layer. A number on the left is the index taken on that axis. Two mappings of one array stand
// side by side. The letters that every schema must use:
//
//	Text    v vocabulary, d embedding, l layers, n query heads, k key/value heads, h head dim,
//	        f feed-forward
//	Vision  y x c row, column and channel in a patch, d width, t image tokens, l layers, n heads,
//	        h head dim, f the MLP's hidden width (zero-padded for block types, see
//	        mmproj.PaddedWidth), e the decoder's embedding
type Mapping struct {
	Source  string // the array's key without the checkpoint's prefix, as of an array of all layers
	Pattern string // axes: tensor.ParsePattern's words
	To      string // the tensor's name in the GGUF file
	Flags   Flags  // what else is done to it
}

// Flags is a set of properties of a mapping.
type Flags uint8

const (
	AddOne     Flags = 1 << iota // Gemma stores the norm's scale minus one, GGUF stores the scale
	OnlyGemma                    // holds for PaliGemma 1 alone
	OnlyGemma2                   // holds for PaliGemma 2 alone
)

// holds reports whether the mapping is one of PaliGemma 2, or else of PaliGemma 1.
func (m Mapping) holds(gemma2 bool) bool {
	if gemma2 {
		return m.Flags&OnlyGemma == 0
	}
	return m.Flags&OnlyGemma2 == 0
}

// layered reports whether the mapping makes one tensor for each layer.
func (m Mapping) layered() bool { return strings.HasPrefix(m.Pattern, "l ") }

// name returns the tensor's name in a layer (ignored by mappings that are not layered).
func (m Mapping) name(layer int) string {
	if !m.layered() {
		return m.To
	}
	return fmt.Sprintf(m.To, layer)
}

// axes returns the letters (or numbers) of the source's axes, without the layer's.
func (m Mapping) axes() []string {
	left := tensor.ParsePattern(m.Pattern).Left
	if m.layered() {
		return left[1:]
	}
	return left
}

// inner returns the pattern that is left once the layer's axis and a leading index are cut away,
// and that index (0 if there is none). What the two cut out of a C-ordered array is one run of
// bytes.
func (m Mapping) inner() (p tensor.Pattern, index int) {
	p = tensor.ParsePattern(m.Pattern)
	if m.layered() {
		p.Left, p.Right = p.Left[1:], p.Right[1:]
	}
	if n, ok := parseIndex(p.Left[0]); ok {
		p.Left, index = p.Left[1:], n
	}
	return p, index
}

// parseIndex reads an axis that is an index and not a letter.
func parseIndex(axis string) (n int, ok bool) {
	n, err := strconv.Atoi(axis)
	return n, err == nil
}

// byArray groups the mappings that hold by the array that they read, each group ordered by the
// leading index.
func (h *Half) byArray(gemma2 bool) [][]Mapping {
	var groups [][]Mapping
	for _, m := range h.Mappings {
		last := len(groups) - 1
		switch {
		case !m.holds(gemma2):
		case last >= 0 && groups[last][0].Source == m.Source:
			groups[last] = append(groups[last], m)
		default:
			groups = append(groups, []Mapping{m})
		}
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b Mapping) int {
			_, x := a.inner()
			_, y := b.inner()
			return x - y
		})
	}
	return groups
}
