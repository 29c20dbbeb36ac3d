package estimate

// This file: the memory of a request, from the sizes of the model.

import (
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Positions of a request besides its images, by default: a prompt of up to 64 tokens, and the
// default limit of an answer.
const (
	PromptPositions = 64
	AnswerPositions = 256
)

// Memory is what a request takes, in bytes but for the positions.
type Memory struct {
	Text      int64 `json:"text_bytes"`
	Vision    int64 `json:"mmproj_bytes"`
	Positions int   `json:"positions"`
	KV        int64 `json:"kv_bytes"`
	Work      int64 `json:"work_bytes"`
	Total     int64 `json:"memory_bytes"`
}

// Memory adds up what a request of a number of positions takes, the first of which are its prefix.
// cell is the type of the KV cache.
func (m Model) Memory(cell gguf.Type, prefix, positions int) Memory {
	n := Memory{Text: m.TextBytes, Vision: m.VisionBytes, Positions: positions,
		KV: kvBytes(m.Text, cell, positions), Work: workBytes(m.Text, m.Vision, prefix, positions)}
	n.Total = n.Text + n.Vision + n.KV + n.Work
	return n
}

// OneImage returns the memory of a usual request about one image, with a KV cache of type cell.
func (m Model) OneImage(cell gguf.Type) Memory {
	prefix := m.Vision.Tokens() + PromptPositions
	return m.Memory(cell, prefix, prefix+AnswerPositions)
}

// deviceExtra is what a GPU needs beside what Memory counts, about: the driver's context, cuBLAS with
// its workspace, and a matrix of f16 or bf16 as 32-bit floats while it is multiplied. Not measured.
const deviceExtra = 700 << 20

// OnDevice returns the bytes that the same request takes of a GPU's memory with all layers there.
func (n Memory) OnDevice() int64 { return n.Total + deviceExtra }

// cells returns the positions that the cache has room for: llama.cpp rounds them up to a multiple
// of 256.
func cells(positions int) int64 { return int64((positions + 255) / 256 * 256) }

// kvBytes returns the size of the cache: a key and a value for each layer, head and cell.
func kvBytes(c paligemma.TextConfig, cell gguf.Type, positions int) int64 {
	return 2 * int64(c.BlockCount) * cell.RowBytes(c.HeadCountKV*c.KeyLength) * cells(positions)
}

// workBytes returns the memory besides weights and cache while a prefix is read, as the two graphs
// and their callers hold it (docs/performance.md compares it with measurements). The decoder's
// graph is at its largest in the MLP of a layer or, with many positions, where the scores of all
// heads are there.
func workBytes(c paligemma.TextConfig, v paligemma.VisionConfig, prefix, positions int) int64 {
	const (
		program   = 30 << 20
		piece     = 160 // bytes of memory for each piece: text, score and type, in llama.cpp's maps and in our own
		float     = 4
		stored16  = 2 // bytes of an input of a product, as it is stored for that: q8_0 or 16-bit floats
		rowCopies = 5 // of the prefix: image embeddings, our batch, llama.cpp's two, the graph's input
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
