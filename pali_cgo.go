//go:build cgo

package pali

import (
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

func openBackend(f store.Files, o Options) (backend, error) {
	return llamacpp.Open(f.Text, f.Vision, llamacpp.Options{
		Threads: o.Threads, KV: o.KV, Device: o.Device, OffloadLayers: o.OffloadLayers, MaxContext: o.MaxContext,
		Beams: o.Beams,
	})
}
