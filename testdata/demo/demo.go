// Package demo holds the demo checkpoint, so that `pali demo` needs no file.
package demo

import "embed"

// Files are demo.npz, tokenizer.model and a few pictures.
//
//go:embed demo.npz tokenizer.model pictures/000.png pictures/008.png pictures/013.jpg
var Files embed.FS
