package kernels

// This file: our kernels as nodes of a graph that runs on the processor.

// #include "nodes.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// Nodes makes the nodes of one graph that our kernels compute, and holds what they need besides
// their tensors. The nodes are made in the context c. Free it after the scheduler.
type Nodes struct{ p *C.struct_pali_nodes }

var errNoMemory = errors.New("kernels: no memory")

// NewNodes makes room for count nodes of a graph that a scheduler with the given number of threads
// runs. It fails where threads is not 1 to ggml.MaxThreads, and where count is negative.
func NewNodes(count, threads int) (*Nodes, error) {
	if threads < 1 || threads > ggml.MaxThreads {
		return nil, fmt.Errorf("kernels: %d threads, want 1 to %d", threads, ggml.MaxThreads)
	}
	if count < 0 {
		return nil, fmt.Errorf("kernels: %d nodes", count)
	}
	p := C.pali_nodes_new(C.int(threads), C.int(count))
	if p == nil {
		return nil, errNoMemory
	}
	return &Nodes{p}, nil
}

// Alloc allocates the threads' scratch memory. Call it after the last node was made.
func (n *Nodes) Alloc() error {
	if !C.pali_nodes_alloc(n.p) {
		return errNoMemory
	}
	return nil
}

// Free releases the memory. It does nothing the second time.
func (n *Nodes) Free() {
	if n.p != nil {
		C.pali_nodes_free(n.p)
		n.p = nil
	}
}

// next returns the next node, which needs room bytes of scratch for each thread. It panics where
// NewNodes was called with too small a count.
func (n *Nodes) next(room C.size_t) *C.struct_pali_node {
	p := C.pali_nodes_next(n.p, room)
	if p == nil {
		panic("kernels: more nodes than NewNodes made room for")
	}
	return p
}

// Norm is LayerNorm of x [W,T] with weight [W] and bias [W], in two passes over each row; eps is
// added to the variance. The node is made in c.
func (n *Nodes) Norm(c ggml.Context, x, weight, bias ggml.Tensor, eps float32) ggml.Tensor {
	node := n.next(0)
	node.number = C.float(eps)
	return c.Custom(x.Size(0), x.Size(1), unsafe.Pointer(C.pali_run_norm), unsafe.Pointer(node), x, weight, bias)
}

// Bias is x [W,T] plus bias [W]. It overwrites x.
func (n *Nodes) Bias(c ggml.Context, x, bias ggml.Tensor) ggml.Tensor {
	return c.CustomInplace(x, unsafe.Pointer(C.pali_run_bias), unsafe.Pointer(n.next(0)), bias)
}

// BiasGELU is gelu of x [W,T] plus bias [W], exact to a few units in the last place. It overwrites
// x.
func (n *Nodes) BiasGELU(c ggml.Context, x, bias ggml.Tensor) ggml.Tensor {
	node := n.next(0)
	node.gelu = 1
	return c.CustomInplace(x, unsafe.Pointer(C.pali_run_bias), unsafe.Pointer(node), bias)
}

// BiasAdd is x [W,T] plus bias [W] plus other [W,T]. It overwrites x.
func (n *Nodes) BiasAdd(c ggml.Context, x, bias, other ggml.Tensor) ggml.Tensor {
	return c.CustomInplace(x, unsafe.Pointer(C.pali_run_bias), unsafe.Pointer(n.next(0)), bias, other)
}

// Attention is unmasked multi-head attention of heads heads in 32-bit floats: q, k, v [W,T], with
// their biases biasQ, biasK and biasV [W], give [W,T]. Scores are multiplied by scale before their
// softmax.
func (n *Nodes) Attention(c ggml.Context, q, biasQ, k, biasK, v, biasV ggml.Tensor, heads int,
	scale float32) ggml.Tensor {
	width, tokens := q.Size(0), q.Size(1)
	pack := n.next(0)
	pack.heads = C.int(heads)
	size := C.pali_packed_size(C.int64_t(tokens), C.int64_t(width), C.int64_t(heads))
	packed := c.Custom(int(size), 1, unsafe.Pointer(C.pali_run_pack), unsafe.Pointer(pack), k, biasK, v, biasV)
	attend := n.next(C.pali_attention_room(C.int64_t(width), C.int64_t(heads)))
	attend.heads, attend.number = C.int(heads), C.float(scale)
	return c.Custom(width, tokens, unsafe.Pointer(C.pali_run_attention), unsafe.Pointer(attend), q, biasQ, packed)
}
