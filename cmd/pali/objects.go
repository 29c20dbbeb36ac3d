package main

// This file: an answer's objects as text and as images.

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"strings"

	"github.com/disintegration/imaging"

	"github.com/pali-gguf/pali/tasks"
)

// printObjects writes a line for each object.
func printObjects(w io.Writer, objects []tasks.Detection) error {
	for _, o := range objects {
		line := fmt.Sprintf("%s %.2f: x %.0f to %.0f, y %.0f to %.0f", forTerminal(o.Label), o.Score.Score, o.XYXY[0],
			o.XYXY[2], o.XYXY[1], o.XYXY[3])
		if o.Area != nil {
			line += fmt.Sprintf(", %d pixels", *o.Area)
		}
		if _, err := fmt.Fprintln(w, strings.TrimSpace(line)); err != nil {
			return err
		}
	}
	return nil
}

// printLosses says what answers lost, a line each.
func printLosses(w io.Writer, lost tasks.Losses) {
	lost.NoDecoder = 0 // openMasks has said it
	for _, s := range lost.Sentences(tasks.OptionNames{MinScore: "--min-score", MaxTokens: "--max-tokens"}) {
		fmt.Fprintf(w, "pali: %s\n", forTerminal(s))
	}
}

// maskForms are the images that --mask-png can be.
const maskForms = "palette or grey"

// writePNG writes an image. PATH.partial gets the name when it is complete.
func writePNG(path string, p image.Image) error {
	f, err := os.Create(path + ".partial")
	if err != nil {
		return err
	}
	err = errors.Join(imaging.Encode(f, p, imaging.PNG), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
