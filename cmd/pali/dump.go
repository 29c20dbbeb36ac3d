package main

// This file: --dump, what the model saw and computed, as the reference programs write it (scripts/reference).

import (
	"errors"
	"fmt"
	"os"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/runner"
)

// writeDump writes pixels f32 [n,3,S,S], image_embeddings f32 [n*T,E], prefix_tokens i32 [P], tokens i32 [G] and logits f32 [G,V] to a new .npz.
// It writes to PATH.partial first and leaves nothing behind if it fails.
func writeDump(path string, c pali.VisionConfig, r *runner.Result) error {
	partial := path + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	err = errors.Join(dumpArrays(npz.NewWriter(f), c, r), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func dumpArrays(w *npz.Writer, c pali.VisionConfig, r *runner.Result) error {
	var logits []float32
	for _, row := range r.Logits {
		logits = append(logits, row...)
	}
	s, e := c.ImageSize, c.ProjectionDim
	return errors.Join(
		w.AddFloat32s("pixels", []int{len(r.Pixels) / (3 * s * s), 3, s, s}, r.Pixels),
		w.AddFloat32s("image_embeddings", []int{len(r.Embeddings) / e, e}, r.Embeddings),
		w.AddInt32s("prefix_tokens", []int{len(r.PrefixTokens)}, r.PrefixTokens),
		w.AddInt32s("tokens", []int{len(r.Tokens)}, r.Tokens),
		w.AddFloat32s("logits", []int{len(r.Logits), len(logits) / len(r.Logits)}, logits),
		w.Close())
}
