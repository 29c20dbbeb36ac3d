package main

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/quant/calibrate"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
)

// Each error that a flag mends names it.
func TestHints(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"file that is there", atomicfile.ExistsError{Path: "a"}, "a exists; use --force to replace it"},
		{"state of another run", calibrate.OtherRunError{Path: "s"},
			"s is of a stopped run with other questions, another model or other options: remove it, or use --force"},
		{"journal of another run", fmt.Errorf("j: line 1: %w", dataset.ErrOtherRun),
			"j: line 1: made with another model, other prompts or other options: " +
				"start again as then, use --force to forget it, or choose another folder"},
		{"no images", dataset.ErrNoImages,
			"no images: a folder's are its JPEG, PNG, GIF, BMP and WebP files; --recursive looks into the folders below"},
		{"value", runner.Request{Prompt: "x", MaxTokens: -1}.Validate(), "--max-tokens -1: want 1 to 65536"},
		{"form", fmt.Errorf("x: %w", tasks.TokensError{Have: 5, Need: 9}),
			"x: at most 5 tokens: an object may take 9 in " +
				"the strict form: allow more with --max-tokens, or any form with --free"},
		{"full GPU", llamacpp.DeviceMemoryError{Device: "CUDA0", Free: 1e9, Total: 8e9, Err: errors.New("b")},
			"CUDA0 has too little memory for this, 1.0 GB free of 8.0 GB: b; " +
				"--gpu-layers N puts fewer layers there, --device cpu none"},
		{"Go's operation", fmt.Errorf("x: %w", &fs.PathError{Op: "openat", Path: "a b", Err: fs.ErrPermission}),
			"x: a b: permission denied"},
		{"another error", errors.New("a"), "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := message(c.err); have != c.want {
				t.Errorf("have %s\nwant %s", have, c.want)
			}
		})
	}
}
