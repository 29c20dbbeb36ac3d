package kernels

// This file: our own kernels against the same in 64-bit floats.

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// run makes a graph of inputs and one result on the processor, and returns the result. It runs the
// graph twice, since a node is reset for the next run.
func run(t *testing.T, threads int, inputs [][]float32, sizes [][]int,
	build func(c ggml.Context, k *Nodes, in []ggml.Tensor) ggml.Tensor) []float32 {
	t.Helper()
	const nodes = 64
	stop := ggml.NewStop()
	defer stop.Free()
	s, err := ggml.NewScheduler([]ggml.Device{ggml.Processor()}, nodes, threads, stop)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewNodes(nodes, threads)
	if err != nil {
		t.Fatal(err)
	}
	c := ggml.NewContext(nodes)
	defer func() { s.Free(); c.Free(); k.Free() }()
	var in []ggml.Tensor
	for _, size := range sizes {
		x := c.New(ggml.F32, size...)
		x.SetInput()
		in = append(in, x)
	}
	out := build(c, k, in)
	out.SetOutput()
	g := c.NewGraph(nodes)
	g.Expand(out)
	if err := k.Alloc(); err != nil {
		t.Fatal(err)
	}
	if err := s.Alloc(g); err != nil {
		t.Fatal(err)
	}
	var first []float32
	for range 2 {
		for i, x := range in {
			x.SetFloat32s(inputs[i])
		}
		if err := s.Compute(g); err != nil {
			t.Fatal(err)
		}
		got := out.Float32s()
		for i := range first {
			if math.Float32bits(first[i]) != math.Float32bits(got[i]) {
				t.Fatalf("the second run differs at %d: %v, %v", i, first[i], got[i])
			}
		}
		first = got
	}
	return first
}

func random(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * scale)
	}
	return x
}

// wantNear fails where a value is off by more than bound times the reference's largest value.
func wantNear(t *testing.T, got []float32, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	scale, most, at := 0.0, 0.0, 0
	for i := range want {
		scale = max(scale, math.Abs(want[i]))
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= most) {
			most, at = d, i
		}
	}
	if !(most <= bound*scale) {
		t.Errorf("value %d is %v, want %v: off by %.1e of the largest, bound %.0e",
			at, got[at], want[at], most/scale, bound)
	}
}

// Scratch memory is for the threads that NewNodes was given: none, and more than ggml's, are
// refused.
func TestNewNodesRefuses(t *testing.T) {
	for _, c := range []struct{ count, threads int }{{8, 0}, {8, -1}, {8, ggml.MaxThreads + 1}, {-1, 1}} {
		if n, err := NewNodes(c.count, c.threads); err == nil {
			n.Free()
			t.Errorf("%d nodes, %d threads: no error", c.count, c.threads)
		}
	}
	n, err := NewNodes(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Alloc(); err != nil {
		t.Error(err)
	}
	n.Free()
	n.Free()
}

// A graph that runs with more threads than its nodes have scratch for stays within it.
func TestAttentionWithMoreThreads(t *testing.T) {
	const tokens, width = 300, 8
	in := make([][]float32, 6)
	sizes := make([][]int, 6)
	r := rand.New(rand.NewPCG(4, 4))
	for i := range in {
		in[i], sizes[i] = random(r, width, 1), []int{width}
		if i%2 == 0 {
			in[i], sizes[i] = random(r, width*tokens, 1), []int{width, tokens}
		}
	}
	attention := func(c ggml.Context, _ *Nodes, in []ggml.Tensor) ggml.Tensor {
		n, err := NewNodes(2, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Free)
		out := n.Attention(c, in[0], in[1], in[2], in[3], in[4], in[5], 1, 1)
		if err := n.Alloc(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	wantNear(t, run(t, 3, in, sizes, attention), attention64(in, tokens, 1, width, 1), 1e-5)
}

func TestNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, width := range []int{1, 3, 16, 48, 80, 1152, 1153} {
		const rows, eps = 37, 1e-6
		x, w, b := random(r, width*rows, 3), random(r, width, 1), random(r, width, 1)
		for i := range x {
			x[i] += 5
		}
		var want []float64
		for row := range rows {
			v := x[row*width:][:width]
			var mean, variance float64
			for _, f := range v {
				mean += float64(f) / float64(width)
			}
			for _, f := range v {
				variance += (float64(f) - mean) * (float64(f) - mean) / float64(width)
			}
			for i, f := range v {
				want = append(want, (float64(f)-mean)/math.Sqrt(variance+eps)*float64(w[i])+float64(b[i]))
			}
		}
		for threads := 1; threads <= 2; threads++ {
			got := run(t, threads, [][]float32{x, w, b}, [][]int{{width, rows}, {width}, {width}},
				func(c ggml.Context, k *Nodes, in []ggml.Tensor) ggml.Tensor {
					return k.Norm(c, in[0], in[1], in[2], eps)
				})
			t.Run(fmt.Sprint(width, threads), func(t *testing.T) { wantNear(t, got, want, 2e-6) })
		}
	}
}

// gelu64 is the tanh form in 64-bit floats.
func gelu64(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// Every float from -20 to 20 in steps, and larger ones: relative to |x| the kernel is as good as
// floats are.
func TestBiasGELU(t *testing.T) {
	var x []float32
	for v := -20.0; v <= 20; v += 1.0 / 512 {
		x = append(x, float32(v))
	}
	for _, v := range []float32{0, 1e-30, 1e-10, 1e-4, 50, 88, 100, 1e3, 1e10, 1e19, 1e30, math.MaxFloat32} {
		x = append(x, v, -v)
	}
	got := run(t, 2, [][]float32{x, make([]float32, len(x))}, [][]int{{len(x), 1}, {len(x)}},
		func(c ggml.Context, k *Nodes, in []ggml.Tensor) ggml.Tensor {
			return k.BiasGELU(c, c.Cont(in[0]), in[1])
		})
	for i, v := range x {
		want := gelu64(float64(v))
		if d := math.Abs(float64(got[i]) - want); !(d <= 2.5e-7*math.Abs(float64(v))) {
			t.Errorf("gelu(%v) = %v, want %v: off by %.1e", v, got[i], want, d)
		}
	}
}

func TestBias(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const width, rows = 45, 19
	x, b, other := random(r, width*rows, 1), random(r, width, 1), random(r, width*rows, 1)
	var want, wantAdd []float64
	for i := range x {
		want = append(want, float64(x[i])+float64(b[i%width]))
		wantAdd = append(wantAdd, want[i]+float64(other[i]))
	}
	sizes := [][]int{{width, rows}, {width}, {width, rows}}
	wantNear(t, run(t, 2, [][]float32{x, b, other}, sizes, func(c ggml.Context, k *Nodes,
		in []ggml.Tensor) ggml.Tensor {
		return k.BiasAdd(c, c.Cont(in[0]), in[1], in[2])
	}), wantAdd, 1e-7)
	wantNear(t, run(t, 2, [][]float32{x, b}, sizes[:2], func(c ggml.Context, k *Nodes, in []ggml.Tensor) ggml.Tensor {
		return k.Bias(c, c.Cont(in[0]), in[1])
	}), want, 1e-7)
}

func TestAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, c := range []struct {
		tokens, heads, dim int
		scale              float64 // of q and k: at 20, one key takes nearly all
	}{{1, 1, 4, 1}, {5, 2, 3, 1}, {64, 2, 16, 1}, {65, 3, 72, 1}, {200, 2, 72, 3}, {130, 1, 100, 20}} {
		width := c.heads * c.dim
		var in [][]float32
		var sizes [][]int
		for i := range 3 {
			scale := c.scale
			if i == 2 {
				scale = 1
			}
			in = append(in, random(r, width*c.tokens, scale), random(r, width, 0.5))
			sizes = append(sizes, []int{width, c.tokens}, []int{width})
		}
		factor := 1 / math.Sqrt(float64(c.dim))
		want := attention64(in, c.tokens, c.heads, c.dim, factor)
		for threads := 1; threads <= 2; threads++ {
			got := run(t, threads, in, sizes, func(ctx ggml.Context, k *Nodes, in []ggml.Tensor) ggml.Tensor {
				return k.Attention(ctx, in[0], in[1], in[2], in[3], in[4], in[5], c.heads, float32(factor))
			})
			// A score's rounding grows with its size, and e^score with it.
			t.Run(fmt.Sprint(c, threads), func(t *testing.T) { wantNear(t, got, want, 2e-6*max(1, c.scale*c.scale)) })
		}
	}
}

// attention64 is softmax(q k^T * factor) v in 64-bit floats. in: q, bias, k, bias, v, bias.
func attention64(in [][]float32, tokens, heads, dim int, factor float64) []float64 {
	width := heads * dim
	at := func(which, row, col int) float64 {
		return float64(in[2*which][row*width+col]) + float64(in[2*which+1][col])
	}
	out := make([]float64, tokens*width)
	for h := range heads {
		for i := range tokens {
			weights, total, most := make([]float64, tokens), 0.0, math.Inf(-1)
			for j := range tokens {
				for d := range dim {
					weights[j] += at(0, i, h*dim+d) * at(1, j, h*dim+d) * factor
				}
				most = max(most, weights[j])
			}
			for j := range weights {
				weights[j] = math.Exp(weights[j] - most)
				total += weights[j]
			}
			for j, w := range weights {
				for d := range dim {
					out[i*width+h*dim+d] += w / total * at(2, j, h*dim+d)
				}
			}
		}
	}
	return out
}
