package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// BenchmarkGEMV is one activation times matrices of an answer's step, larger than caches: MB/s is
// how fast the weights are read.
func BenchmarkGEMV(b *testing.B) {
	for _, typ := range []ggml.Type{8, 2, 12, 14} {
		for _, k := range []int{2048, 16384} {
			b.Run(fmt.Sprintf("%s/%d", typ.Name(), k), func(b *testing.B) { benchmarkMatMul(b, typ, 1<<28/k, 1, k) })
		}
	}
}

// BenchmarkGEMM is a prefix of 256 activations times one matrix.
func BenchmarkGEMM(b *testing.B) {
	for _, typ := range []ggml.Type{ggml.F32, 1, 30, 8, 2, 12, 14} {
		b.Run(typ.Name(), func(b *testing.B) { benchmarkMatMul(b, typ, 2048, 256, 2048) })
	}
}

// benchmarkMatMul multiplies weights [k,m] of type typ with x [k,n] by two threads.
func benchmarkMatMul(b *testing.B, typ ggml.Type, m, n, k int) {
	stop := ggml.NewStop()
	defer stop.Free()
	s, err := ggml.NewScheduler([]ggml.Device{ggml.Processor()}, 8, 2, stop)
	if err != nil {
		b.Fatal(err)
	}
	c, w := ggml.NewContext(8), ggml.NewContext(1)
	defer func() { s.Free(); c.Free(); w.Free() }()
	a := w.New(typ, k, m)
	memory, err := w.Alloc(ggml.Processor().BufferType())
	if err != nil {
		b.Fatal(err)
	}
	defer memory.Free()
	r := rand.New(rand.NewPCG(7, 7))
	row := make([]byte, k/typ.BlockSize()*typ.Size())
	ggml.Quantize(typ, row, random(r, k, 1), k, nil)
	all := make([]byte, 0, len(row)*m)
	for range m {
		all = append(all, row...)
	}
	a.SetBytes(all)
	x := c.New(ggml.F32, k, n)
	x.SetInput()
	out := c.MulMat(a, x)
	out.SetOutput()
	g := c.NewGraph(8)
	g.Expand(out)
	if err := s.Alloc(g); err != nil {
		b.Fatal(err)
	}
	x.SetFloat32s(exact(r, n*k))
	b.SetBytes(int64(len(all)))
	for b.Loop() {
		if err := s.Compute(g); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
}
