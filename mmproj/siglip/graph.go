package siglip

// This file: the network as a graph.
// Axis letters: W width, T patches, h head dim, N heads, E projection.

import (
	"fmt"
	"math"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// queryRows is how many rows of queries attend at a time: it bounds the scores' memory to
// N*T*queryRows floats.
const queryRows = 1024

// graphNodes bounds the number of tensors in the graph.
func graphNodes(c paligemma.VisionConfig) int {
	chunks := (c.Tokens() + queryRows - 1) / queryRows
	return 32 + c.BlockCount*(56+12*chunks)
}

// build makes the graph: patches -> embedding -> blocks -> final norm -> projector.
func (e *Encoder) build(nodes int, watch bool) {
	c, w := e.config, e.weights
	e.context = ggml.NewContext(nodes)
	g := network{e.context, c, e.nodes}
	e.graph = e.context.NewGraph(nodes)
	e.stages = map[string]ggml.Tensor{}
	stage := func(name string, t ggml.Tensor) {
		if watch {
			t = g.Cont(t) // t itself may share its memory with a node that later ones replace
			t.SetOutput()
			e.graph.Expand(t)
			e.stages[name] = t
		}
	}

	e.patches = g.New(ggml.F32, 3*c.PatchSize*c.PatchSize, c.Tokens()).SetName("patches")
	e.patches.SetInput()
	kernel := g.Reshape2D(w.patch.w, 3*c.PatchSize*c.PatchSize, c.EmbeddingLength)
	x := g.Add(g.Add(g.MulMat(kernel, e.patches), w.patch.b), w.position)
	stage("with_posemb", x)
	for i, b := range w.blocks {
		x = g.linearAdd(g.attention(b, g.norm(x, b.ln1)), b.out, x)
		x = g.linearAdd(g.linearGELU(g.norm(x, b.ln2), b.up), b.down, x)
		stage(fmt.Sprintf("block%02d", i), x)
	}
	x = g.norm(x, w.post)
	stage("encoded", x)
	e.output = g.linear(x, w.head).SetName("image_embeddings")
	e.output.SetOutput()
	e.graph.Expand(e.output)
}

// network adds the layers of the encoder to a context: on a processor with our own kernels,
// elsewhere from ggml's operations.
type network struct {
	ggml.Context
	config paligemma.VisionConfig
	nodes  *kernels.Nodes // nil: ggml's operations alone
}

// norm is LayerNorm: x [W,T].
func (g network) norm(x ggml.Tensor, n linear) ggml.Tensor {
	if g.nodes != nil {
		return g.nodes.Norm(g.Context, x, n.w, n.b, mmproj.Epsilon)
	}
	return g.Add(g.Mul(g.Norm(x, mmproj.Epsilon), n.w), n.b)
}

// linear is x [in,T] times the layer's matrix, plus its bias: [out,T].
func (g network) linear(x ggml.Tensor, l linear) ggml.Tensor {
	if g.nodes != nil {
		return g.nodes.Bias(g.Context, g.MulMat(l.w, x), l.b)
	}
	return g.Add(g.MulMat(l.w, x), l.b)
}

// linearAdd is linear plus other [out,T].
func (g network) linearAdd(x ggml.Tensor, l linear, other ggml.Tensor) ggml.Tensor {
	if g.nodes != nil {
		return g.nodes.BiasAdd(g.Context, g.MulMat(l.w, x), l.b, other)
	}
	return g.Add(other, g.linear(x, l))
}

// linearGELU is gelu of linear.
func (g network) linearGELU(x ggml.Tensor, l linear) ggml.Tensor {
	if g.nodes != nil {
		return g.nodes.BiasGELU(g.Context, g.MulMat(l.w, x), l.b)
	}
	return g.gelu(g.linear(x, l))
}

// attention is that of every patch to every patch, without a mask: x [W,T] -> [W,T], before the
// layer's output matrix.
func (g network) attention(b block, x ggml.Tensor) ggml.Tensor {
	heads := g.config.HeadCount
	scale := float32(1 / math.Sqrt(float64(g.config.EmbeddingLength/heads)))
	if g.nodes != nil {
		q, k, v := g.MulMat(b.q.w, x), g.MulMat(b.k.w, x), g.MulMat(b.v.w, x)
		return g.nodes.Attention(g.Context, q, b.q.b, k, b.k.b, v, b.v.b, heads, scale)
	}
	return g.scores(g.linear(x, b.q), g.linear(x, b.k), g.linear(x, b.v), scale)
}

// scores is attention from ggml's operations: q, k, v [W,T] -> [W,T].
func (g network) scores(q, k, v ggml.Tensor, scale float32) ggml.Tensor {
	width, tokens, heads := g.config.EmbeddingLength, g.config.Tokens(), g.config.HeadCount
	dim := width / heads
	k = g.Permute(g.Reshape3D(k, dim, heads, tokens), [4]int{0, 2, 1, 3})         // [h,T,N]
	v = g.Cont(g.Permute(g.Reshape3D(v, dim, heads, tokens), [4]int{1, 2, 0, 3})) // [T,h,N]
	var all ggml.Tensor
	for from := 0; from < tokens; from += queryRows {
		n := min(queryRows, tokens-from)
		rows := g.Permute(g.Reshape3D(g.Rows(q, width, from, n), dim, heads, n), [4]int{0, 2, 1, 3}) // [h,n,N]
		weights := g.SoftMax(g.MulMat(k, rows), scale)                                               // [T,n,N]
		mixed := g.Permute(g.MulMat(v, weights), [4]int{0, 2, 1, 3})                                 // [h,N,n]
		out := g.Cont2D(mixed, width, n)
		if from == 0 {
			all = out
		} else {
			all = g.Concat(all, out, 1)
		}
	}
	return all
}

// gelu is flax's default, the tanh form 0.5*x*(1+tanh(u)) with u = sqrt(2/pi)*(x + 0.044715*x^3),
// written as x*sigmoid(2u). ggml's own gelu looks 16-bit floats up in a table and is too coarse for
// a comparison with the reference.
func (g network) gelu(x ggml.Tensor) ggml.Tensor {
	const a = 1.5957691216057308 // 2*sqrt(2/pi)
	u2 := g.Mul(g.ScaleBias(g.Sqr(x), 0.044715*a, a), x)
	return g.Mul(x, g.Sigmoid(u2))
}
