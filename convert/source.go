package convert

// This file: which arrays of a source are the checkpoint, and whether they are all there.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/tensor"
)

// Source is an opened checkpoint. *npz.Archive is one.
type Source interface {
	// Tensors lists the arrays in the order of their bytes. They are read once, from the first to
	// the last.
	Tensors() []tensor.Tensor
	// Tensor returns the array of that name.
	Tensor(name string) (tensor.Tensor, bool)
	// Unchanged fails if a file was written to since it was opened: what was read may then be a
	// mixture.
	Unchanged() error
}

// maxLayers bounds the number of layers, as llama.cpp does (LLAMA_MAX_LAYERS); the largest
// published model has 46.
const maxLayers = 512

// half is one half of a checkpoint, in the way in which it is saved.
type half struct {
	*Half
	unstacked int            // layers that have arrays of their own; 0: an array holds all layers
	sizes     map[string]int // by the axis's letter
}

// array is one array of the checkpoint, and the mappings that read it: several where the array's
// leading index tells its parts apart, ordered by that index.
type array struct {
	tensor   tensor.Tensor
	half     *half
	mappings []Mapping
	layer    int // of an array that holds one layer; -1: all layers, or none
}

// readCheckpoint finds the checkpoint in a source and checks that all of it is there and nothing
// else is. The arrays keep the source's order.
func readCheckpoint(src Source) (*checkpoint, error) {
	keys := map[string]bool{}
	for _, t := range src.Tensors() {
		keys[t.Name] = true
	}
	c, err := recognise(keys)
	if err != nil {
		return nil, err
	}
	var problems []string
	want := map[string]array{}
	for _, a := range c.expect(c.gemma2) {
		want[a.tensor.Name] = a
		if !keys[a.tensor.Name] {
			problems = append(problems, a.tensor.Name+": missing")
		}
	}
	for _, t := range src.Tensors() {
		a, ok := want[t.Name]
		if !ok {
			if !c.isExtra(t.Name) {
				problems = append(problems, t.Name+": unknown")
			}
			continue
		}
		a.tensor = t
		c.arrays = append(c.arrays, a)
	}
	c.inferSizes()
	problems = append(problems, c.shapeErrors()...)
	if len(problems) > 0 {
		return nil, joinErrors(problems)
	}
	return c, c.configure(src)
}

// recognise finds the schema that keys belong to, and the way in which the checkpoint is saved.
func recognise(keys map[string]bool) (*checkpoint, error) {
	var roots []string
	folder := commonFolder(keys)
	for i := range Schemas {
		s := &Schemas[i]
		roots = append(roots, s.Vision.Root, s.Text.Root)
		for _, outer := range []string{"", folder} { // an archive may have been packed with a folder around it
			for _, prefix := range s.Prefixes {
				prefix = outer + prefix
				if anyBegins(keys, prefix+s.Text.Root) || anyBegins(keys, prefix+s.Vision.Root) {
					return newCheckpoint(s, outer, prefix, keys)
				}
			}
		}
	}
	if keys[maskBook] {
		return nil,
			errors.New("convert: this is the mask decoder's checkpoint (vae-oid.npz), not a PaliGemma checkpoint")
	}
	return nil, fmt.Errorf("convert: not a PaliGemma checkpoint: none of its %d arrays is below %s", len(keys),
		strings.Join(roots, " or "))
}

func anyBegins(keys map[string]bool, beginning string) bool {
	for key := range keys {
		if strings.HasPrefix(key, beginning) {
			return true
		}
	}
	return false
}

// commonFolder returns the folders that all keys begin with, but for what a Schema can name.
func commonFolder(keys map[string]bool) string {
	common, first := "", true
	for key := range keys {
		folder := key[:strings.LastIndexByte(key, '/')+1]
		if first {
			common, first = folder, false
		}
		for !strings.HasPrefix(folder, common) {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
	}
	for i := range Schemas {
		for _, prefix := range Schemas[i].Prefixes {
			common = strings.TrimSuffix(common, prefix)
		}
	}
	return common
}

// newCheckpoint finds in keys what schema s leaves open. outer is the part of prefix that s does
// not name.
func newCheckpoint(s *Schema, outer, prefix string, keys map[string]bool) (*checkpoint, error) {
	c := &checkpoint{schema: s, outer: outer, prefix: prefix, renamed: map[string]string{}}
	c.text, c.vision = &half{Half: &s.Text, sizes: map[string]int{}}, &half{Half: &s.Vision, sizes: map[string]int{}}
	for _, h := range c.halves() {
		before, after, _ := strings.Cut(prefix+h.OneLayer, "%d")
		seen := map[int]bool{}
		for key := range keys {
			rest, ok := strings.CutPrefix(key, before)
			number, _, found := strings.Cut(rest, after)
			if n, err := strconv.Atoi(number); ok && found && err == nil {
				seen[n] = true
			}
		}
		if h.unstacked = len(seen); len(seen) > maxLayers {
			return nil, fmt.Errorf("convert: %s: %d layers, want at most %d", before, len(seen), maxLayers)
		}
	}
	for key, older := range s.Older {
		if keys[prefix+older] && !keys[prefix+key] {
			c.renamed[key] = older
		}
	}
	c.gemma2 = c.isGemma2(keys)
	return c, nil
}

// isGemma2 reports whether the checkpoint has any of the arrays that only PaliGemma 2 has.
func (c *checkpoint) isGemma2(keys map[string]bool) bool {
	gemma := map[string]bool{}
	for _, a := range c.expect(false) {
		gemma[a.tensor.Name] = true
	}
	return slices.ContainsFunc(c.expect(true), func(a array) bool {
		return keys[a.tensor.Name] && !gemma[a.tensor.Name]
	})
}

// expect lists the arrays of a checkpoint that is saved in this way, with their keys as names.
func (c *checkpoint) expect(gemma2 bool) []array {
	var out []array
	for _, h := range c.halves() {
		for _, mappings := range h.byArray(gemma2) {
			add := func(layer int) {
				out = append(out, array{tensor.Tensor{Name: c.key(h, mappings[0].Source, layer)}, h, mappings, layer})
			}
			if !mappings[0].layered() || h.unstacked == 0 {
				add(-1)
				continue
			}
			for layer := range h.unstacked {
				add(layer)
			}
		}
	}
	return out
}

// key returns the key of a mapping's source; layer is -1 for an array of all layers.
func (c *checkpoint) key(h *half, source string, layer int) string {
	if layer >= 0 {
		source = fmt.Sprintf(h.OneLayer, layer) + strings.TrimPrefix(source, h.AllLayers)
	}
	if older, ok := c.renamed[source]; ok {
		source = older
	}
	return c.prefix + source
}

// isExtra reports whether key belongs to what a training checkpoint holds besides the model's
// arrays.
func (c *checkpoint) isExtra(key string) bool {
	return c.prefix != c.outer && slices.ContainsFunc(c.schema.Extra, func(b string) bool {
		return strings.HasPrefix(key, c.outer+b)
	})
}

// joinErrors makes one error of problems, of which it shows the first ten.
func joinErrors(problems []string) error {
	const maxShown = 10
	more := ""
	if n := len(problems) - maxShown; n > 0 {
		problems, more = problems[:maxShown], fmt.Sprintf("\n  and %d more", n)
	}
	return fmt.Errorf("convert: the checkpoint's arrays are not a PaliGemma's:\n  %s%s", strings.Join(problems, "\n  "),
		more)
}
