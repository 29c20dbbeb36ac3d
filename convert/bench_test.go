package convert

// This file: how fast a checkpoint goes through, without the disk on either side.

import (
	"bytes"
	"context"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tensor"
)

// nowhere takes everything.
type nowhere struct{}

func (nowhere) WriteAt(b []byte, at int64) (int, error) { return len(b), nil }

// BenchmarkConvert reports bytes of the checkpoint per second. Its layers have a quarter of the 3B
// model's width.
func BenchmarkConvert(b *testing.B) {
	o := tinymodel.Options{Prefix: "params/"}
	o.Text, o.Vision = tinymodel.Options{}.Sizes()
	o.Text.EmbeddingLength, o.Text.BlockCount, o.Text.FeedForwardLength, o.Text.KeyLength = 512, 2, 4096, 64
	o.Vision.ProjectionDim = 512
	for _, c := range []struct {
		name string
		from tensor.DType
		to   gguf.Type
	}{
		{"f32-f32", tensor.F32, gguf.F32}, {"f32-f16", tensor.F32, gguf.F16}, {"bf16-f16", tensor.BF16, gguf.F16},
		{"bf16-bf16", tensor.BF16, gguf.BF16}, {"f16-f32", tensor.F16, gguf.F32},
	} {
		b.Run(c.name, func(b *testing.B) {
			o.DType = c.from
			data, err := tinymodel.Pack(tinymodel.Arrays(o), false)
			if err != nil {
				b.Fatal(err)
			}
			a, err := npz.NewArchive(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				b.Fatal(err)
			}
			checkpoint, err := readCheckpoint(a)
			if err != nil {
				b.Fatal(err)
			}
			l, err := newLayout(checkpoint, oneType(c.to), oneType(c.to))
			if err != nil {
				b.Fatal(err)
			}
			l.text.to, l.vision.to = nowhere{}, nowhere{}
			b.SetBytes(l.bytes())
			for b.Loop() {
				if err := l.run(context.Background(), 2, newWriter, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
