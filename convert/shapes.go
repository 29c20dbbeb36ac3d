package convert

// This file: the model's sizes, inferred from the shapes of a checkpoint's arrays, and every shape checked against them.
// Before it: source.go, which found the arrays. After it: plan.go, and the keys of meta.go.

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

// checkpoint is a complete checkpoint: its arrays in the archive's order and the sizes they imply.
type checkpoint struct {
	arrays     []array
	gemma2     bool
	layers     [2]int            // of each tower, if they are not stacked; 0 if they are
	sizes      [2]map[string]int // of each tower: axis letter to size
	text       paligemma.TextConfig
	vision     paligemma.VisionConfig
	parameters int64 // of both towers and the projector
}

// axes returns the letters of the array as it is stored, its layers' axis included.
func (a array) axes() []string {
	axes := a.rows[0].axes()
	if a.rows[0].layered() && a.layer < 0 {
		return append([]string{"l"}, axes...)
	}
	return axes
}

// inferSizes gives every letter the size that most arrays agree on; the first array wins a tie.
func (c *checkpoint) inferSizes() {
	votes := [2]map[string]map[int]int{{}, {}}
	for file := range c.sizes {
		c.sizes[file] = map[string]int{}
	}
	for _, a := range c.arrays {
		axes := a.axes()
		if len(axes) != len(a.tensor.Shape) {
			continue
		}
		for i, letter := range axes {
			if _, isIndex := number(letter); isIndex {
				continue
			}
			votesFor := votes[a.file][letter]
			if votesFor == nil {
				votesFor = map[int]int{}
				votes[a.file][letter] = votesFor
			}
			size := a.tensor.Shape[i]
			votesFor[size]++
			if votesFor[size] > votesFor[c.sizes[a.file][letter]] {
				c.sizes[a.file][letter] = size
			}
		}
	}
	for file, n := range c.layers {
		if n > 0 {
			c.sizes[file]["l"] = n
		}
	}
}

// misfits names every array whose shape or type is not what the letters say.
func (c *checkpoint) misfits() []string {
	var out []string
	for _, a := range c.arrays {
		fits := len(a.axes()) == len(a.tensor.Shape)
		var want []string
		for i, letter := range a.axes() {
			size, known := c.sizes[a.file][letter]
			if _, isIndex := number(letter); isIndex {
				size, known = len(a.rows), true
			}
			if known {
				want = append(want, fmt.Sprint(size))
			} else {
				want = append(want, letter)
			}
			fits = fits && a.tensor.Shape[i] == size
		}
		if !fits {
			out = append(out, fmt.Sprintf("%s: shape %v, want [%s]", a.tensor.Name, a.tensor.Shape, strings.Join(want, " ")))
		}
		if d := a.tensor.DType; d != tensor.F32 && d != tensor.F16 && d != tensor.BF16 {
			out = append(out, fmt.Sprintf("%s: elements %v, want F32, F16 or BF16", a.tensor.Name, d))
		}
	}
	return out
}

// configure fills in the two configurations and checks what ties their sizes together.
func (c *checkpoint) configure() error {
	t, v := c.sizes[textFile], c.sizes[visionFile]
	for _, sizes := range c.sizes {
		for _, letter := range slices.Sorted(maps.Keys(sizes)) {
			n := sizes[letter]
			if n < 1 || n > maxAxis || letter == "l" && n > maxLayers {
				return fmt.Errorf("convert: axis %s: have %d, want 1 to %d (layers: to %d)", letter, n, maxAxis, maxLayers)
			}
		}
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
		{v["n"]*v["h"] == v["d"], fmt.Sprintf("vision heads: have %d of %d, want them to fill the width %d", v["n"], v["h"], v["d"])},
		{v["e"] == t["d"], fmt.Sprintf("img/head gives %d values, want the decoder's embedding length %d", v["e"], t["d"])},
		{t["n"]%t["k"] == 0, fmt.Sprintf("%d query heads, want a multiple of the %d key/value heads", t["n"], t["k"])},
		{t["h"]%2 == 0, fmt.Sprintf("head dim %d, want an even number (rotary halves)", t["h"])},
	} {
		if !rule.holds {
			return fmt.Errorf("convert: %s", rule.what)
		}
	}
	c.text = paligemma.TextConfig{Architecture: paligemma.Gemma, EmbeddingLength: t["d"], BlockCount: t["l"], FeedForwardLength: t["f"],
		HeadCount: t["n"], HeadCountKV: t["k"], KeyLength: t["h"], VocabSize: t["v"]}
	if c.gemma2 {
		c.text.Architecture = paligemma.Gemma2
	}
	c.vision = paligemma.VisionConfig{ImageSize: side * v["x"], PatchSize: v["x"], EmbeddingLength: v["d"], FeedForwardLength: v["f"],
		BlockCount: v["l"], HeadCount: v["n"], ProjectionDim: v["e"]}
	for _, a := range c.arrays {
		c.parameters += int64(a.tensor.Len())
	}
	return nil
}
