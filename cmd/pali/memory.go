package main

// This file: the memory of a run, told from a model's sizes. Before it: estimate.go and bench.go. After it: nothing.

import (
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/paligemma"
)

// stored is a model as its two files hold it.
type stored struct {
	text                   paligemma.TextConfig
	vision                 paligemma.VisionConfig // with the width that the MLP is stored with
	textBytes, visionBytes int64
}

// storedOf returns a model as its files are.
func storedOf(m store.Info) stored {
	return stored{m.Text, m.Vision, m.TextFile.Bytes, m.VisionFile.Bytes}
}

// memory adds up what a request of so many positions takes, of which so many are its prefix.
func (s stored) memory(cell gguf.Type, prefix, positions int) estimateJSON {
	e := estimateJSON{Text: s.textBytes, Vision: s.visionBytes, Positions: positions}
	e.KV, e.Work = kvBytes(s.text, cell, positions), workBytes(s.text, s.vision, prefix, positions)
	e.Memory = e.Text + e.Vision + e.KV + e.Work
	return e
}

// cells is how many positions the cache has room for: llama.cpp counts them in 256s.
func cells(positions int) int64 { return int64((positions + 255) / 256 * 256) }

// kvBytes returns the size of the cache: a key and a value for each head and cell.
func kvBytes(c paligemma.TextConfig, cell gguf.Type, positions int) int64 {
	return 2 * int64(c.BlockCount) * cell.RowBytes(c.HeadCountKV*c.KeyLength) * cells(positions)
}

// workBytes returns the memory beside weights and cache while a prefix is read, as the two graphs and their callers hold it (docs/performance.md
// compares it with what was measured). The decoder's graph is at its largest in a layer's MLP, or, of many positions, where all heads' scores are there.
func workBytes(c paligemma.TextConfig, v paligemma.VisionConfig, prefix, positions int) int64 {
	const (
		program   = 30 << 20
		piece     = 160 // bytes of the vocabulary in memory for each piece: text, score and type, in llama.cpp's maps and in our own
		float     = 4
		stored16  = 2 // bytes of an input of a product, as it is stored for that: q8_0 or 16-bit floats
		rowCopies = 5 // of the prefix: image rows, our batch, llama.cpp's two, the graph's input
	)
	p, cache, heads := int64(prefix), cells(positions), int64(c.HeadCount)
	d, f := int64(c.EmbeddingLength), int64(c.FeedForwardLength)
	mlp := float * p * (3*f + 3*d) // gate, up and their product; the residual, the norm, the result
	scores := float * (p*cache*heads + p*6*d)
	masks := float * p * cache
	if c.Architecture == paligemma.Gemma2 {
		masks *= 2 // one with the sliding window
	}
	text := max(mlp, scores) + masks + float*p*d*rowCopies + stored16*p*max(f, cache*heads)
	t, w, h := int64(v.Tokens()), int64(v.EmbeddingLength), int64(v.FeedForwardLength)
	vision := float*t*(8*w+2*h) + stored16*t*h
	return program + piece*int64(c.VocabSize) + text + vision
}
