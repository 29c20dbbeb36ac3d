package kernels

// This file: matrix products on the processor against 64-bit floats. Where the build has a kernel
// for them, it computes them.

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// exact makes n numbers that every type of activations holds exactly: 8-bit integers times a power
// of two, in blocks of 32 whose largest is 127.
func exact(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(255)-127) / 64
		if i%32 == 0 {
			x[i] = 127.0 / 64
		}
	}
	return x
}

func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, typ := range []ggml.Type{
		ggml.F32, 1 /* f16 */, 30 /* bf16 */, 8 /* q8_0 */, 2 /* q4_0 */, 6 /* q5_0 */, 20, /* iq4_nl */
		12 /* q4_K */, 13 /* q5_K */, 14 /* q6_K */, 3, /* q4_1 */
	} {
		for _, size := range [][3]int{ // m, n, k
			{1, 8, 32}, {16, 9, 64}, {31, 8, 96}, {33, 13, 544}, {130, 47, 512}, {200, 100, 1152}, {65, 60, 4352},
			{384, 7, 256}, {257, 1, 4352}, {5, 2, 96}, {70, 1, 2048}, {9, 1, 33024},
		} {
			m, n, k := size[0], size[1], size[2]
			if k%typ.BlockSize() != 0 {
				k = 256 * (k/256 + 1)
			}
			weights, x := random(r, m*k, 1), exact(r, n*k)
			raw := make([]byte, m*k/typ.BlockSize()*typ.Size())
			ggml.Quantize(typ, raw, weights, k, nil)
			if err := ggml.Dequantize(typ, weights, raw); err != nil {
				t.Fatal(err)
			}
			want := make([]float64, m*n)
			for i := range n {
				for j := range m {
					for l := range k {
						want[i*m+j] += float64(x[i*k+l]) * float64(weights[j*k+l])
					}
				}
			}
			for threads := 1; threads <= 3; threads++ {
				t.Run(fmt.Sprintf("%s/%v/%d", typ.Name(), size, threads), func(t *testing.T) {
					wantNear(t, matMul(t, threads, typ, raw, x, m, n, k), want, 1e-5)
				})
			}
		}
	}
}

// matMul runs a single MulMat with weights [k,m] of type typ and x [k,n].
func matMul(t *testing.T, threads int, typ ggml.Type, weights []byte, x []float32, m, n, k int) []float32 {
	stop := ggml.NewStop()
	defer stop.Free()
	s, err := ggml.NewScheduler([]ggml.Device{ggml.Processor()}, 8, threads, stop)
	if err != nil {
		t.Fatal(err)
	}
	c, w := ggml.NewContext(8), ggml.NewContext(1)
	defer func() { s.Free(); c.Free(); w.Free() }()
	a := w.New(typ, k, m)
	memory, err := w.Alloc(ggml.Processor().BufferType())
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Free()
	a.SetBytes(weights)
	b := c.New(ggml.F32, k, n)
	b.SetInput()
	out := c.MulMat(a, b)
	out.SetOutput()
	g := c.NewGraph(8)
	g.Expand(out)
	if err := s.Alloc(g); err != nil {
		t.Fatal(err)
	}
	b.SetFloat32s(x)
	if err := s.Compute(g); err != nil {
		t.Fatal(err)
	}
	return out.Float32s()
}

// The types that need no repacking are those with a kernel for many activations and for few.
func TestHasMatMul(t *testing.T) {
	if !HasMatMul(ggml.F32) {
		t.Skip("this build has no matrix products of its own")
	}
	for _, typ := range []ggml.Type{1, 30, 8, 2, 6, 20, 12, 13, 14} {
		if !HasMatMul(typ) {
			t.Errorf("no product for %s", typ.Name())
		}
	}
	for _, typ := range []ggml.Type{3 /* q4_1 */, 11 /* q3_K */, ggml.TypeCount} {
		if HasMatMul(typ) {
			t.Errorf("a product for type %d", typ)
		}
	}
}
