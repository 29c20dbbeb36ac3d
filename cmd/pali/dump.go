package main

// This file: --dump, what the model saw and computed, as the reference programs write it (scripts/reference).

import (
	"errors"
	"fmt"
	"os"

	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// dump is an .npz under way: PATH.partial until it is complete.
type dump struct {
	path string
	f    *os.File
}

// beginDump makes PATH.partial before any work is done, so that a folder that is not there or cannot be written to is known at once.
func beginDump(path string) (*dump, error) {
	f, err := os.Create(path + ".partial")
	if err != nil {
		return nil, fmt.Errorf("--dump: %w", err)
	}
	return &dump{path, f}, nil
}

// write writes pixels f32 [n,3,S,S], image_embeddings f32 [n*T,E], prefix_tokens i32 [P], tokens i32 [G]
// and logits f32 [G,V], and gives the file its name.
func (d *dump) write(c paligemma.VisionConfig, q question, r *runner.Result) error {
	err := errors.Join(dumpArrays(npz.NewWriter(d.f), c, q, r), d.f.Sync(), d.f.Close())
	if err == nil {
		err = os.Rename(d.f.Name(), d.path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.path, err)
	}
	return nil
}

// end removes what is left of a dump that was not written. A nil dump has nothing to remove.
func (d *dump) end() {
	if d != nil {
		d.f.Close()
		os.Remove(d.f.Name())
	}
}

func dumpArrays(w *npz.Writer, c paligemma.VisionConfig, q question, r *runner.Result) error {
	var logits []float32
	for _, row := range r.Logits {
		logits = append(logits, row...)
	}
	s, e := c.ImageSize, c.ProjectionDim
	return errors.Join(
		w.AddFloat32s("pixels", []int{len(q.pixels) / (3 * s * s), 3, s, s}, q.pixels),
		w.AddFloat32s("image_embeddings", []int{len(q.Embeddings) / e, e}, q.Embeddings),
		w.AddInt32s("prefix_tokens", []int{len(r.PrefixTokens)}, r.PrefixTokens),
		w.AddInt32s("tokens", []int{len(r.Tokens)}, r.Tokens),
		w.AddFloat32s("logits", []int{len(r.Logits), len(logits) / len(r.Logits)}, logits),
		w.Close())
}
