package main

// This file: which flag mends an error of the packages below, which name none.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/input"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/quant/calibrate"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/dataset"
)

// fileFlags are the flags that name the files of a model.
var fileFlags = map[paligemma.FileKind]string{
	paligemma.TextFile: "-m", paligemma.VisionFile: "--mmproj", paligemma.MaskFile: "--masks",
}

// withFlag returns err with the flag that mends it, if there is one.
func withFlag(err error) error {
	var missing store.NotFoundError
	var several store.AmbiguousError
	var other paligemma.FileKindError
	var limit imageproc.LimitError
	switch {
	case errors.As(err, new(atomicfile.ExistsError)):
		return fmt.Errorf("%w; use --force to replace it", err)
	case errors.As(err, new(calibrate.OtherRunError)):
		return fmt.Errorf("%w: remove it, or use --force", err)
	case errors.Is(err, dataset.ErrOtherRun):
		return fmt.Errorf("%w: start again as then, use --force to forget it, or choose another folder", err)
	case errors.Is(err, dataset.ErrNoImages):
		return fmt.Errorf("%w; --recursive looks into the folders below", err)
	case errors.As(err, new(tasks.TokensError)):
		return fmt.Errorf("%w: allow more with --max-tokens, or any form with --free", err)
	case errors.As(err, &limit):
		return fmt.Errorf("%w (--max-image-%s)", err, limit.Limit)
	case errors.As(err, &missing) && missing.Is == "":
		return fmt.Errorf("%w: give one with %s", err, fileFlags[missing.Want])
	case errors.As(err, &several) && several.Want == "":
		return fmt.Errorf("%w: say which", err)
	case errors.As(err, &several):
		return fmt.Errorf("%w: say which with %s", err, fileFlags[several.Want])
	case errors.As(err, &other):
		return fmt.Errorf("%w; give it with %s, and the %s file with %s",
			err, fileFlags[other.Have], other.Want, fileFlags[other.Want])
	case errors.As(err, new(llamacpp.DeviceMemoryError)):
		return fmt.Errorf("%w; --gpu-layers N puts fewer layers there, --device cpu none", err)
	}
	return err
}

// fieldFlags are the flags of the fields that a runner.ValueError can name.
var fieldFlags = map[string]string{
	"max_tokens": "--max-tokens", "temperature": "--temperature", "top_k": "--top-k", "top_p": "--top-p",
	"min_p": "--min-p", "logprobs": "--logprobs", "beams": "--beam", "kv": "--kv",
}

// message is an error's text, with the flags of what the packages below name by fields and sizes.
func message(err error) string {
	text := input.Text(withFlag(err))
	var value runner.ValueError
	if errors.As(err, &value) && fieldFlags[value.Field] != "" {
		named := value
		named.Field = fieldFlags[value.Field]
		text = strings.Replace(text, value.Error(), named.Error(), 1)
	}
	var limit runner.LimitError
	if errors.As(err, &limit) && limit.What == "positions" {
		text += " (--ctx)"
	}
	return text
}
