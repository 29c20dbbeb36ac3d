package imageproc

// This file: an image turned into the encoder's input.

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Resize is a method of resizing an image to the encoder's square. None of them keeps the aspect
// ratio.
type Resize string

const (
	// TensorFlow's bilinear with antialias, kept in floats: the authors' notebook and half of their
	// tasks
	Antialias Resize = "antialias"
	// TensorFlow's bilinear without antialias, truncated to whole numbers: their other tasks
	Bilinear Resize = "bilinear"
	Bicubic  Resize = "bicubic" // Pillow's bicubic: Hugging Face's processor
)

// Resizes lists the methods, the default first.
var Resizes = []Resize{Antialias, Bilinear, Bicubic}

// ParseResize returns the method called name, one of Resizes.
func ParseResize(name string) (Resize, error) {
	if slices.Contains(Resizes, Resize(name)) {
		return Resize(name), nil
	}
	return "", fmt.Errorf("image: resize: have %q, want one of %v", name, Resizes)
}

// Preprocess resizes p to side x side pixels and returns them as the encoder takes them:
// [3,side,side], channels red, green, blue, values from -1 to 1. how must be one of Resizes, or ""
// for Antialias, and side positive.
func Preprocess(p *Image, side int, how Resize) []float32 {
	out := make([]float32, 3*side*side)
	switch how {
	case Antialias, "":
		resizeAntialias(p, side, out)
	case Bilinear:
		resizeBilinear(p, side, out)
	case Bicubic:
		resizeBicubic(p, side, out)
	default:
		// a caller's mistake: names go through ParseResize
		panic(fmt.Sprintf("imageproc: Preprocess: unknown resize %q", how))
	}
	return out
}

// PixelReader returns a function that reads the image file at path within limits and returns what
// Preprocess makes of it, [3,side,side], with how long Preprocess took.
func PixelReader(limits Limits, side int, how Resize) func(path string) ([]float32, time.Duration, error) {
	return func(path string) ([]float32, time.Duration, error) {
		p, err := Open(path, limits)
		if err != nil {
			return nil, 0, err
		}
		start := time.Now()
		pixels := Preprocess(p, side, how)
		return pixels, time.Since(start), nil
	}
}

// planes splits a row of interleaved values, [side,3], into row y of the three planes of out,
// [3,side,side].
func planes(out []float32, side, y int, row []float32) {
	r, g, b := out[y*side:][:side], out[(side+y)*side:][:side], out[(2*side+y)*side:][:side]
	for x := range side {
		r[x], g[x], b[x] = row[3*x], row[3*x+1], row[3*x+2]
	}
}

// eachBand splits n rows into one band for each processor and runs do on all bands at once: rows
// from to to-1.
func eachBand(n int, do func(from, to int)) {
	bands := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for i := range bands {
		wg.Add(1)
		go func() {
			defer wg.Done()
			do(n*i/bands, n*(i+1)/bands)
		}()
	}
	wg.Wait()
}
