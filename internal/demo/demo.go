// Package demo converts the demo checkpoint that is inside the program.
//
// Before it: the embedded files of testdata/demo. After it: a pair of GGUF files, for "pali demo"
// and the library's examples.
package demo

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/testdata/demo"
)

// Convert writes the checkpoint and its pair of GGUF files in f32 to folder, which must exist.
func Convert(ctx context.Context, folder string) (*convert.Result, error) {
	data, err := fs.ReadFile(demo.Files, "demo.npz")
	if err != nil {
		return nil, err
	}
	checkpoint := filepath.Join(folder, "demo.npz")
	if err := os.WriteFile(checkpoint, data, 0o600); err != nil {
		return nil, err
	}
	src, err := npz.Open(checkpoint)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	tokenizer, err := fs.ReadFile(demo.Files, "tokenizer.model")
	if err != nil {
		return nil, err
	}
	vocabulary, err := sentencepiece.Parse(tokenizer)
	if err != nil {
		return nil, err
	}
	plan, err := quant.NewPlan("f32", false)
	if err != nil {
		return nil, err
	}
	return convert.Run(ctx, src, vocabulary, convert.Options{Name: "demo", Text: plan, Vision: plan, OutDir: folder})
}

// Image returns the bytes of the embedded image file called name.
func Image(name string) ([]byte, error) { return fs.ReadFile(demo.Files, "pictures/"+name) }
