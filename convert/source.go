package convert

// This file: which arrays of an archive are the checkpoint, and whether they are all there.
// Before it: the archive's list of arrays. After it: shapes.go infers the sizes, plan.go cuts the arrays into pieces.
//
// big_vision saves the same arrays in several layouts, all accepted here: below "params/", below "opt/target/" (a training checkpoint) or
// bare; layers stacked on a first axis or one folder for each; the position table of older SigLIP files one folder deeper.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tensor"
)

// The two files, and the two tables.
const (
	textFile = iota
	visionFile
)

// towers gives each table and the folder that its layers lie in.
var towers = [2]struct {
	rows      []Mapping
	stacked   string // all layers in one array
	unstacked string // one folder for each layer
}{
	textFile:   {Text, "llm/layers/", "llm/layers/%d/"},
	visionFile: {Vision, "img/Transformer/encoderblock/", "img/Transformer/encoderblock_%d/"},
}

// The position table's key, and where SigLIP files from before 2022 keep it (big_vision models/vit.py, fix_old_checkpoints).
const (
	positionKey    = "img/pos_embedding"
	oldPositionKey = "img/Transformer/pos_embedding"
)

// maxLayers bounds the number of layers, as llama.cpp does (LLAMA_MAX_LAYERS); the largest published model has 46.
const maxLayers = 512

// array is one array of the checkpoint, and the rows that read it: several where the array's leading index tells its parts apart,
// ordered by that index.
type array struct {
	tensor tensor.Tensor
	file   int
	rows   []Mapping
	layer  int // of an array that holds one layer; -1: all layers, or none
}

// layout is what distinguishes the ways in which a checkpoint is saved.
type layout struct {
	prefix string
	layers [2]int // of each tower, if they are not stacked; 0 if they are
	oldPos bool
}

// findLayout looks at the archive's keys.
func findLayout(keys map[string]tensor.Tensor) (layout, error) {
	l, found := layout{}, false
	for _, p := range []string{"params/", "opt/target/", ""} {
		for key := range keys {
			found = found || strings.HasPrefix(key, p+"llm/") || strings.HasPrefix(key, p+"img/")
		}
		if found {
			l.prefix = p
			break
		}
	}
	if !found {
		return l, fmt.Errorf("convert: not a PaliGemma checkpoint: none of its %d arrays is below img/ or llm/", len(keys))
	}
	for file, tower := range towers {
		folder, _, _ := strings.Cut(l.prefix+tower.unstacked, "%d")
		seen := map[int]bool{}
		for key := range keys {
			rest, ok := strings.CutPrefix(key, folder)
			number, _, slash := strings.Cut(rest, "/")
			if n, err := strconv.Atoi(number); ok && slash && err == nil {
				seen[n] = true
			}
		}
		if l.layers[file] = len(seen); len(seen) > maxLayers {
			return l, fmt.Errorf("convert: %s: %d layers, want at most %d", folder, len(seen), maxLayers)
		}
	}
	_, now := keys[l.prefix+positionKey]
	_, old := keys[l.prefix+oldPositionKey]
	l.oldPos = old && !now
	return l, nil
}

// expect lists the arrays that a checkpoint of this layout has, with their keys as names.
func (l layout) expect(gemma2 bool) []array {
	var out []array
	for file, tower := range towers {
		for i := 0; i < len(tower.rows); {
			row := tower.rows[i]
			end := i + 1
			for end < len(tower.rows) && tower.rows[end].Source == row.Source {
				end++
			}
			rows := slices.SortedFunc(slices.Values(tower.rows[i:end]), func(a, b Mapping) int {
				_, x := a.inner()
				_, y := b.inner()
				return x - y
			})
			i = end
			if row.Mark&OnlyGemma2 != 0 && !gemma2 {
				continue
			}
			if !row.layered() || l.layers[file] == 0 {
				out = append(out, array{tensor.Tensor{Name: l.key(file, row, -1)}, file, rows, -1})
				continue
			}
			for layer := range l.layers[file] {
				out = append(out, array{tensor.Tensor{Name: l.key(file, row, layer)}, file, rows, layer})
			}
		}
	}
	return out
}

// key returns the archive's name for a row's source; layer is -1 for an array of all layers.
func (l layout) key(file int, row Mapping, layer int) string {
	source := row.Source
	if layer >= 0 {
		rest := strings.TrimPrefix(source, towers[file].stacked)
		source = fmt.Sprintf(towers[file].unstacked, layer) + rest
	}
	if l.oldPos && source == positionKey {
		source = oldPositionKey
	}
	return l.prefix + source
}

// gemma2 reports whether the checkpoint has any of the arrays that only PaliGemma 2 has.
func (l layout) gemma2(keys map[string]tensor.Tensor) bool {
	return slices.ContainsFunc(l.expect(true), func(a array) bool {
		_, ok := keys[a.tensor.Name]
		return ok && a.rows[0].Mark&OnlyGemma2 != 0
	})
}

// training reports whether a key belongs to the optimizer's or the trainer's state, which a training checkpoint holds beside the
// parameters (big_vision train.py: "opt" and "extra").
func (l layout) training(key string) bool {
	return l.prefix != "" && (strings.HasPrefix(key, "opt/") || strings.HasPrefix(key, "extra/"))
}

// readCheckpoint finds the checkpoint in an archive and checks that all of it is there and nothing else is. The arrays keep the
// archive's order.
func readCheckpoint(src *npz.Archive) (*checkpoint, error) {
	keys := map[string]tensor.Tensor{}
	for _, t := range src.Tensors() {
		keys[t.Name] = t
	}
	l, err := findLayout(keys)
	if err != nil {
		return nil, err
	}
	c := &checkpoint{gemma2: l.gemma2(keys), layers: l.layers}
	var problems []string
	want := map[string]array{}
	for _, a := range l.expect(c.gemma2) {
		want[a.tensor.Name] = a
		if _, ok := keys[a.tensor.Name]; !ok {
			problems = append(problems, a.tensor.Name+": missing")
		}
	}
	for _, t := range src.Tensors() {
		a, ok := want[t.Name]
		if !ok {
			if !l.training(t.Name) {
				problems = append(problems, t.Name+": unknown")
			}
			continue
		}
		a.tensor = t
		c.arrays = append(c.arrays, a)
	}
	c.inferSizes()
	problems = append(problems, c.misfits()...)
	if len(problems) > 0 {
		return nil, listed(problems)
	}
	return c, c.configure()
}

// listed makes one error of many.
func listed(problems []string) error {
	const most = 10
	more := ""
	if n := len(problems) - most; n > 0 {
		problems, more = problems[:most], fmt.Sprintf("\n  and %d more", n)
	}
	return fmt.Errorf("convert: the checkpoint's arrays are not a PaliGemma's:\n  %s%s", strings.Join(problems, "\n  "), more)
}
