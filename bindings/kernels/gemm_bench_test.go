package ggml

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkProductToken is one token times matrices of an answer's step, more of them than caches hold: GB/s is how fast the weights are read.
func BenchmarkProductToken(b *testing.B) {
	for _, typ := range []Type{8, 2, 12, 14} {
		for _, k := range []int{2048, 16384} {
			b.Run(fmt.Sprintf("%s/%d", typ.Name(), k), func(b *testing.B) {
				m := 1 << 28 / k
				stop := NewStop()
				defer stop.Free()
				s, err := NewScheduler([]Device{Processor()}, 8, 2, stop)
				if err != nil {
					b.Fatal(err)
				}
				c, w := NewContext(8), NewContext(1)
				defer func() { s.Free(); c.Free(); w.Free() }()
				a := w.New(typ, k, m)
				memory, err := w.Alloc(Processor().BufferType())
				if err != nil {
					b.Fatal(err)
				}
				defer memory.Free()
				r := rand.New(rand.NewPCG(7, 7))
				row := make([]byte, k/typ.BlockSize()*typ.Size())
				Quantize(typ, row, random(r, k, 1), k, nil)
				all := make([]byte, 0, len(row)*m)
				for range m {
					all = append(all, row...)
				}
				a.SetBytes(all)
				x := c.New(F32, k, 1)
				x.SetInput()
				out := c.MulMat(a, x)
				out.SetOutput()
				g := c.NewGraph(8)
				g.Expand(out)
				if err := s.Alloc(g); err != nil {
					b.Fatal(err)
				}
				x.SetFloat32s(exact(r, k))
				b.SetBytes(int64(len(all)))
				for b.Loop() {
					if err := s.Compute(g); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
