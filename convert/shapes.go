package convert

// This file: the model's sizes, inferred from the shapes of a checkpoint's arrays, and every shape
// checked against them.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// maxAxis bounds every axis but the layers'; the largest published one is the vocabulary, 257152.
const maxAxis = 1 << 20

// The letters whose sizes make the two configurations.
var (
	textLetters   = strings.Fields("v d l n k h f")
	visionLetters = strings.Fields("y x c d t l n h f e")
)

// axisNames are the letters' meanings, for errors.
var axisNames = map[string]string{"v": "vocabulary", "d": "width", "l": "layers", "n": "heads", "k": "key/value heads",
	"h": "head dim", "f": "feed-forward", "y": "rows of a patch", "x": "columns of a patch", "c": "channels",
	"t": "image tokens", "e": "projected width"}

// checkpoint is a complete checkpoint: its arrays in the source's order and the sizes they imply.
type checkpoint struct {
	schema       *Schema
	prefix       string            // of every key
	outer        string            // folders that begin the prefix, and that the schema does not name
	renamed      map[string]string // by an array's key: the key that it has in this checkpoint
	gemma2       bool
	text, vision *half
	arrays       []array

	textConfig   paligemma.TextConfig
	visionConfig paligemma.VisionConfig
	parameters   int64 // of both halves
}

func (c *checkpoint) halves() []*half { return []*half{c.text, c.vision} }

// axes returns the letters of the array as it is stored, its layers' axis included.
func (a array) axes() []string {
	axes := a.mappings[0].axes()
	if a.mappings[0].layered() && a.layer < 0 {
		return append([]string{"l"}, axes...)
	}
	return axes
}

// inferSizes gives every letter the size that most arrays agree on; the first array wins a tie.
func (c *checkpoint) inferSizes() {
	type axis struct {
		half   *half
		letter string
	}
	votes := map[axis]map[int]int{} // arrays that have a size
	for _, a := range c.arrays {
		axes := a.axes()
		if len(axes) != len(a.tensor.Shape) {
			continue
		}
		for i, letter := range axes {
			if _, isIndex := parseIndex(letter); isIndex {
				continue
			}
			have := votes[axis{a.half, letter}]
			if have == nil {
				have = map[int]int{}
				votes[axis{a.half, letter}] = have
			}
			size := a.tensor.Shape[i]
			have[size]++
			if have[size] > have[a.half.sizes[letter]] {
				a.half.sizes[letter] = size
			}
		}
	}
	for _, h := range c.halves() {
		if h.unstacked > 0 {
			h.sizes["l"] = h.unstacked
		}
	}
}

// shapeErrors names every array whose shape or type is not what the letters say.
func (c *checkpoint) shapeErrors() []string {
	var out []string
	for _, a := range c.arrays {
		fits := len(a.axes()) == len(a.tensor.Shape)
		var want []string
		for i, letter := range a.axes() {
			size, known := a.half.sizes[letter]
			if _, isIndex := parseIndex(letter); isIndex {
				size, known = len(a.mappings), true
			}
			if known {
				want = append(want, fmt.Sprint(size))
			} else {
				want = append(want, letter)
			}
			fits = fits && a.tensor.Shape[i] == size
		}
		if !fits {
			out = append(out, fmt.Sprintf("%s: shape %v, want [%s]", a.tensor.Name, a.tensor.Shape,
				strings.Join(want, " ")))
		}
		if d := a.tensor.DType; d != tensor.F32 && d != tensor.F16 && d != tensor.BF16 {
			out = append(out, fmt.Sprintf("%s: elements %v, want F32, F16 or BF16", a.tensor.Name, d))
		}
	}
	return out
}

// configure fills in the two configurations and checks what ties their sizes together.
func (c *checkpoint) configure(src Source) error {
	t, v := c.text.sizes, c.vision.sizes
	if c.schema.Derive != nil {
		if err := c.schema.Derive(src, t, v); err != nil {
			return fmt.Errorf("convert: %s: %w", c.schema.Name, err)
		}
	}
	if err := c.checkAxes(c.text, textLetters); err != nil {
		return err
	}
	if err := c.checkAxes(c.vision, visionLetters); err != nil {
		return err
	}
	side := 1
	for side*side < v["t"] {
		side++
	}
	for _, rule := range []struct {
		holds bool
		what  string
	}{
		{v["y"] == v["x"], fmt.Sprintf("patches of %d x %d pixels, want squares", v["x"], v["y"])},
		{v["c"] == 3, fmt.Sprintf("patches of %d channels, want 3", v["c"])},
		{side*side == v["t"], fmt.Sprintf("%d image positions, want a square number", v["t"])},
		{v["n"]*v["h"] == v["d"], fmt.Sprintf("vision heads: have %d of %d, want them to fill the width %d", v["n"],
			v["h"], v["d"])},
		{v["e"] == t["d"], fmt.Sprintf("the projector gives %d values, want the decoder's embedding length %d", v["e"],
			t["d"])},
		{t["n"]%t["k"] == 0, fmt.Sprintf("%d query heads, want a multiple of the %d key/value heads", t["n"], t["k"])},
		{t["h"]%2 == 0, fmt.Sprintf("head dim %d, want an even number (rotary halves)", t["h"])},
	} {
		if !rule.holds {
			return fmt.Errorf("convert: %s", rule.what)
		}
	}
	c.textConfig = paligemma.TextConfig{Architecture: paligemma.Gemma, EmbeddingLength: t["d"], BlockCount: t["l"],
		FeedForwardLength: t["f"], HeadCount: t["n"], HeadCountKV: t["k"], KeyLength: t["h"], VocabSize: t["v"]}
	if c.gemma2 {
		c.textConfig.Architecture = paligemma.Gemma2
	}
	c.visionConfig = paligemma.VisionConfig{ImageSize: side * v["x"], PatchSize: v["x"], EmbeddingLength: v["d"],
		FeedForwardLength: v["f"], BlockCount: v["l"], HeadCount: v["n"], ProjectionDim: v["e"]}
	for _, a := range c.arrays {
		c.parameters += int64(a.tensor.Len())
	}
	return nil
}

// checkAxes checks the sizes of all letters of a half, and that those that must be known are.
func (c *checkpoint) checkAxes(h *half, letters []string) error {
	all := maps.Clone(h.sizes)
	for _, letter := range letters {
		all[letter] += 0
	}
	for _, letter := range slices.Sorted(maps.Keys(all)) {
		if n := all[letter]; n < 1 || n > maxAxis || letter == "l" && n > maxLayers {
			limit := maxAxis
			if letter == "l" {
				limit = maxLayers
			}
			return fmt.Errorf("convert: %saxis %s (%s) of %d: want 1 to %d", c.withAxis(h, letter), letter,
				axisNames[letter], n, limit)
		}
	}
	return nil
}

// withAxis names an array of half h that has this axis, and its shape; "" if there is none.
func (c *checkpoint) withAxis(h *half, letter string) string {
	for _, a := range c.arrays {
		if a.half == h && slices.Contains(a.axes(), letter) {
			return fmt.Sprintf("%s: shape %v with ", a.tensor.Name, a.tensor.Shape)
		}
	}
	return ""
}
