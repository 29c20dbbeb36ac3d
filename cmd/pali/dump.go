package main

// This file: --dump, what the model saw and computed, as the reference programs write it
// (scripts/reference).

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/npz"
)

// dump is an .npz to be written.
type dump struct {
	path   string
	vision time.Duration // took encode
}

// beginDump checks that path can be written before any work is done.
func beginDump(path string) (*dump, error) {
	if err := atomicfile.MayWrite(path, true); err != nil {
		return nil, fmt.Errorf("--dump: %w", err)
	}
	return &dump{path: path}, nil
}

// encode encodes the images of q before it is asked, so that their embeddings are there to be
// written.
func (d *dump) encode(ctx context.Context, m *pali.Model, q *pali.Request) (err error) {
	start := time.Now()
	q.Embeddings, err = m.Embed(ctx, q.Images...)
	d.vision = time.Since(start)
	return err
}

// write writes pixels f32 [n,3,S,S], image_embeddings f32 [n*T,E], prefix_tokens i32 [P], tokens
// i32 [G] and logits f32 [G,V].
func (d *dump) write(m *pali.Model, q pali.Request, r *pali.Result) error {
	r.Timings.Vision = d.vision
	return atomicfile.Write(d.path, true, func(w io.Writer) error { return dumpArrays(npz.NewWriter(w), m, q, r) })
}

func dumpArrays(w *npz.Writer, m *pali.Model, q pali.Request, r *pali.Result) error {
	var pixels, logits []float32
	for _, img := range q.Images {
		pixels = append(pixels, m.Pixels(img)...)
	}
	for _, row := range r.Logits {
		logits = append(logits, row...)
	}
	s, e := m.Config().ImageSize, m.Config().ProjectionDim
	return errors.Join(
		w.AddFloat32s("pixels", []int{len(q.Images), 3, s, s}, pixels),
		w.AddFloat32s("image_embeddings", []int{len(q.Embeddings) / e, e}, q.Embeddings),
		w.AddInt32s("prefix_tokens", []int{len(r.PrefixTokens)}, r.PrefixTokens),
		w.AddInt32s("tokens", []int{len(r.Tokens)}, r.Tokens),
		w.AddFloat32s("logits", []int{len(r.Logits), len(logits) / len(r.Logits)}, logits),
		w.Close())
}
