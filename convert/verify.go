package convert

// This file: the check that the readers of the files will accept them, made before anything is
// written. No reader's answer depends on the tensors' data.

import (
	"fmt"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/tasks/masks"
)

// verify reads the two headers back.
func (l *layout) verify() error {
	text, err := l.text.gguf.File()
	if err == nil {
		_, err = gemma.Check(text)
	}
	if err != nil {
		return unreadable(err)
	}
	vision, err := l.vision.gguf.File()
	if err == nil {
		_, err = mmproj.Check(vision)
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

// verifyMasks reads a mask file's header back.
func verifyMasks(l *gguf.Layout) error {
	f, err := l.File()
	if err == nil {
		_, err = masks.Check(f)
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

func unreadable(err error) error {
	return fmt.Errorf("convert: the checkpoint would make a file that cannot be read: %w", err)
}
