package dataset

// This file: masks as PNGs with a palette, one for each image: 0 is background, n is the class
// number n of COCO's file, from 1. classes.txt lists the classes. Where objects overlap, the one
// with the highest score is on top.

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/tasks/draw"
)

// maskClasses is the file that lists the classes, one per line, from number 1.
const maskClasses = "classes.txt"

// maxMaskClasses is the number of classes that a PNG with a palette can have.
const maxMaskClasses = 255

type maskWriter struct {
	e       *Export
	folder  string
	palette color.Palette
}

func openMasks(e *Export, folder string) (writer, error) {
	if err := checkMaskClasses(len(e.classes)); err != nil {
		return nil, unfitError{fmt.Errorf("masks are not written: %w", err)}
	}
	w := &maskWriter{e, folder, color.Palette{color.RGBA{A: 0xff}}}
	for _, c := range e.classes {
		w.palette = append(w.palette, draw.Colour(c))
	}
	return w, nil
}

// checkMaskClasses refuses n classes if a palette cannot have them.
func checkMaskClasses(n int) error {
	if n <= maxMaskClasses {
		return nil
	}
	return fmt.Errorf("there are %d classes, and an image with a palette can have at most %d", n, maxMaskClasses)
}

func (w *maskWriter) add(img *labelledImage) error {
	all := img.objects()
	slices.SortStableFunc(all, func(a, b object) int { return cmp.Compare(a.Score.Score, b.Score.Score) })
	m := image.NewPaletted(image.Rect(0, 0, img.width, img.height), w.palette)
	for _, o := range all {
		if o.Mask == nil {
			continue
		}
		for i, in := range o.Mask.Bits {
			if in {
				m.Pix[i] = uint8(o.class + 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return err
	}
	return w.e.put(filepath.Join(w.folder, filepath.FromSlash(img.baseName)+".png"), b.Bytes())
}

func (w *maskWriter) end() error {
	return w.e.put(filepath.Join(w.folder, maskClasses), []byte(classLines(w.e.classes)))
}

// classLines returns classes, each on a line.
func classLines(classes []string) string {
	var b strings.Builder
	for _, c := range classes {
		b.WriteString(cleanLabel(c) + "\n")
	}
	return b.String()
}

func (w *maskWriter) abort() {}
