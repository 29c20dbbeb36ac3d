package ggml

// This file: our own kernels as nodes of a graph, for a graph that runs on the processor. Before it: graph.go. After it: kernels.h and the C behind it.

// #include "kernels.h"
import "C"

import (
	"errors"
	"unsafe"
)

// Kernels holds what the custom nodes of one graph need beside their tensors. Free it after the scheduler.
type Kernels struct{ p *C.struct_pali_kernels }

// NewKernels makes room for so many nodes, in a graph that so many threads run.
func NewKernels(nodes, threads int) (*Kernels, error) {
	p := C.pali_kernels_new(C.int(threads), C.int(nodes))
	if p == nil {
		return nil, errors.New("ggml: no memory for the kernels")
	}
	return &Kernels{p}, nil
}

// Alloc gives the kernels their working memory. It must be called after the last node was made.
func (k *Kernels) Alloc() error {
	if !C.pali_kernels_alloc(k.p) {
		return errors.New("ggml: no memory for the kernels")
	}
	return nil
}

// Free releases the memory. It does nothing the second time.
func (k *Kernels) Free() {
	if k.p != nil {
		C.pali_kernels_free(k.p)
		k.p = nil
	}
}

// next takes the next kernel, whose threads need so many bytes each.
func (k *Kernels) next(room C.size_t) *C.struct_pali_kernel {
	p := C.pali_kernel_next(k.p, room)
	if p == nil {
		panic("ggml: more kernels than NewKernels was told")
	}
	return p
}

// everyThread is GGML_N_TASKS_MAX.
const everyThread = -1

// custom calls ggml_custom_4d for an F32 result of ne0 x ne1.
func (k *Kernels) custom(c Context, ne0, ne1 int, run C.pali_custom_op, kernel *C.struct_pali_kernel, sources ...Tensor) Tensor {
	args := pointers(sources)
	return Tensor{C.ggml_custom_4d(c.p, C.PALI_GGML_TYPE_F32, C.int64_t(ne0), C.int64_t(ne1), 1, 1, &args[0], C.int(len(args)), run, everyThread, unsafe.Pointer(kernel))}
}

func pointers(tensors []Tensor) []*C.struct_ggml_tensor {
	var all []*C.struct_ggml_tensor
	for _, t := range tensors {
		all = append(all, t.p)
	}
	return all
}

// Norm is LayerNorm with its weight [W] and bias [W], of x [W,T], in two passes over each row.
func (k *Kernels) Norm(c Context, x, weight, bias Tensor, eps float32) Tensor {
	kernel := k.next(0)
	kernel.number = C.float(eps)
	return k.custom(c, x.Size(0), x.Size(1), C.pali_custom_op(C.pali_run_norm), kernel, x, weight, bias)
}

// Finish is x [W,T] plus bias [W], in the place of x.
func (k *Kernels) Finish(c Context, x, bias Tensor) Tensor { return k.finish(c, k.next(0), x, bias) }

// FinishGELU is gelu of x [W,T] plus bias [W], in the place of x. It is exact to a few units in the last place.
func (k *Kernels) FinishGELU(c Context, x, bias Tensor) Tensor {
	kernel := k.next(0)
	kernel.gelu = 1
	return k.finish(c, kernel, x, bias)
}

// FinishAdd is x [W,T] plus bias [W] plus other [W,T], in the place of x.
func (k *Kernels) FinishAdd(c Context, x, bias, other Tensor) Tensor {
	return k.finish(c, k.next(0), x, bias, other)
}

// finish calls ggml_custom_inplace.
func (k *Kernels) finish(c Context, kernel *C.struct_pali_kernel, x Tensor, more ...Tensor) Tensor {
	args := pointers(more)
	return Tensor{C.ggml_custom_inplace(c.p, x.p, &args[0], C.int(len(args)), C.pali_custom_op(C.pali_run_finish), everyThread, unsafe.Pointer(kernel))}
}

// Attention lets every row attend to every row, in so many heads and 32-bit floats: q, k, v [W,T] and their biases [W] -> [W,T]. Scores are
// multiplied by scale before their softmax.
func (k *Kernels) Attention(c Context, q, biasQ, key, biasK, v, biasV Tensor, heads int, scale float32) Tensor {
	width, tokens := q.Size(0), q.Size(1)
	pack := k.next(0)
	pack.heads = C.int(heads)
	packed := k.custom(c, int(C.pali_packed_size(C.int64_t(tokens), C.int64_t(width), C.int64_t(heads))), 1, C.pali_custom_op(C.pali_run_pack), pack, key, biasK, v, biasV)
	attend := k.next(C.pali_attention_room(C.int64_t(width), C.int64_t(heads)))
	attend.heads, attend.number = C.int(heads), C.float(scale)
	return k.custom(c, width, tokens, C.pali_custom_op(C.pali_run_attention), attend, q, biasQ, packed)
}

// ProductTakes reports whether this build has its own product for weights of a type, in the layout that a file holds (product.c).
func ProductTakes(t Type) bool { return bool(C.pali_product_takes(C.uint(t))) }
