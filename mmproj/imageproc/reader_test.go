package imageproc

import (
	"errors"
	"slices"
	"testing"
)

// The reader's pixels are Preprocess's, and its limits count.
func TestPixelReader(t *testing.T) {
	const path, side = "testdata/pillow/upright.png", 8
	p, err := Open(path, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	have, took, err := PixelReader(DefaultLimits, side, Bicubic)(path)
	if err != nil || took <= 0 || !slices.Equal(have, Preprocess(p, side, Bicubic)) {
		t.Errorf("%d values in %v: %v", len(have), took, err)
	}
	small := DefaultLimits
	small.Side = 10
	if _, _, err := PixelReader(small, side, Bicubic)(path); !errors.As(err, new(LimitError)) {
		t.Errorf("an image of more than 10 pixels: %v", err)
	}
}
