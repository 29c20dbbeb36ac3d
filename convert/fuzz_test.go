package convert

// This file: checkpoints with any shapes. Whatever is accepted must be a whole model; nothing may
// panic.

import (
	"slices"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// FuzzShapes changes the arrays of a checkpoint of the smallest sizes as the data says, three bytes
// a change: which array, what (an axis more, an axis less, another name, another axis size), how
// much. What readCheckpoint accepts must have a layout, and the layout must read every byte.
func FuzzShapes(f *testing.F) {
	f.Add([]byte{}, false, false)
	f.Add([]byte{3, 0, 1, 7, 1, 0, 20, 2, 0, 25, 5, 9}, true, false)
	f.Add([]byte{25, 4, 0, 26, 3, 2}, true, true)
	for i, a := range tinymodel.Arrays(tinymodel.Options{}) { // each axis of none
		for axis := range a.Shape {
			what := 4
			for what%len(a.Shape) != axis {
				what++
			}
			f.Add([]byte{byte(i), byte(what), 0}, false, false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, gemma2, unstacked bool) {
		o := tinymodel.Options{Unstacked: unstacked, Text: paligemma.TextConfig{Architecture: paligemma.Gemma,
			EmbeddingLength: 3, BlockCount: 2, FeedForwardLength: 5,
			HeadCount: 4, HeadCountKV: 1, KeyLength: 2, VocabSize: 7}}
		if gemma2 {
			o.Text.Architecture = paligemma.Gemma2
		}
		o.Vision = paligemma.VisionConfig{ImageSize: 4, PatchSize: 2, EmbeddingLength: 6, FeedForwardLength: 5,
			BlockCount: 1, HeadCount: 3, ProjectionDim: 3}
		arrays := tinymodel.Arrays(o)
		for ; len(data) >= 3; data = data[3:] {
			change(&arrays[int(data[0])%len(arrays)], data[1], int(data[2]))
		}
		packed, err := tinymodel.Pack(arrays, false)
		if err != nil {
			return // two arrays of one name
		}
		c, err := readCheckpoint(opened(t, packed))
		if err != nil {
			return
		}
		l, err := newLayout(c, oneType(gguf.F16), oneType(gguf.Q8_0))
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range l.jobs {
			at := int64(0)
			for _, span := range j.spans {
				if int64(span.first*j.tensor.DType.Size()) != at {
					t.Errorf("%s: a span at byte %d, want %d", j.tensor.Name, span.first*j.tensor.DType.Size(), at)
				}
				at += int64(span.bytes)
			}
			if at != j.tensor.Bytes() {
				t.Errorf("%s: spans of %d bytes, want %d", j.tensor.Name, at, j.tensor.Bytes())
			}
		}
	})
}

// change does one change to an array.
func change(a *tinymodel.Array, what byte, much int) {
	a.Shape = slices.Clone(a.Shape)
	switch {
	case what == 0:
		a.Shape = append(a.Shape, 1+much%3)
	case what == 1 && len(a.Shape) > 0:
		a.Shape = a.Shape[1:]
	case what == 2:
		a.Name += string(rune('a' + much%26))
	case what == 3:
		a.DType = []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.I32}[much%4]
	case len(a.Shape) > 0:
		a.Shape[int(what)%len(a.Shape)] = much % 9
	}
	if product(a.Shape) > 1<<16 {
		a.Shape = []int{1}
	}
	a.Values = make([]float32, product(a.Shape))
}
