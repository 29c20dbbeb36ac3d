package ggml

// This file: contexts, tensors and the operations of a graph.

// #include "glue.h"
import "C"

import "unsafe"

// Type is an element type, numbered as ggml does.
type Type uint32

// F32 is the type of every input and result of a graph here.
const F32 = Type(C.PALI_GGML_TYPE_F32)

// TypeCount is the number of the first type that does not exist.
const TypeCount = Type(C.PALI_GGML_TYPE_COUNT)

// Name calls ggml_type_name. The type must be below TypeCount.
func (t Type) Name() string { return C.GoString(C.ggml_type_name(C.uint(t))) }

// BlockSize calls ggml_blck_size: the elements in one block.
func (t Type) BlockSize() int { return int(C.ggml_blck_size(C.uint(t))) }

// Size calls ggml_type_size: the bytes of one block.
func (t Type) Size() int { return int(C.ggml_type_size(C.uint(t))) }

// Context holds the descriptions of tensors and graphs, not their data.
type Context struct{ p *C.struct_ggml_context }

// NewContext calls ggml_init with room for n tensors and one graph of n nodes.
func NewContext(n int) Context {
	size := C.size_t(n)*C.ggml_tensor_overhead() + C.ggml_graph_overhead_custom(C.size_t(n), false)
	return Context{C.ggml_init(C.struct_pali_ggml_init_params{mem_size: size, no_alloc: true})}
}

// Free calls ggml_free. It does nothing the second time.
func (c *Context) Free() {
	if c.p != nil {
		C.ggml_free(c.p)
		c.p = nil
	}
}

// Tensor is a node of a graph, or a weight.
type Tensor struct{ p *C.struct_ggml_tensor }

// New calls ggml_new_tensor for a tensor of type t and size ne, in ggml's order.
func (c Context) New(t Type, ne ...int) Tensor {
	var dims [4]C.int64_t
	for i, n := range ne {
		dims[i] = C.int64_t(n)
	}
	return Tensor{C.ggml_new_tensor(c.p, C.uint(t), C.int(len(ne)), &dims[0])}
}

// SetName calls ggml_set_name with name, and returns t.
func (t Tensor) SetName(name string) Tensor {
	return withCString(name, func(s *C.char) Tensor { return Tensor{C.ggml_set_name(t.p, s)} })
}

// SetInput calls ggml_set_input: the tensor keeps its memory until the graph has run.
func (t Tensor) SetInput() { C.ggml_set_input(t.p) }

// SetOutput calls ggml_set_output: the tensor's memory is not used again by later nodes.
func (t Tensor) SetOutput() { C.ggml_set_output(t.p) }

// Size returns the elements along an axis: ggml's ne[axis].
func (t Tensor) Size(axis int) int {
	return int((*C.struct_pali_ggml_tensor)(unsafe.Pointer(t.p)).ne[axis])
}

// Len calls ggml_nelements.
func (t Tensor) Len() int { return int(C.ggml_nelements(t.p)) }

// Bytes calls ggml_nbytes.
func (t Tensor) Bytes() int { return int(C.ggml_nbytes(t.p)) }

// SetBytes calls ggml_backend_tensor_set with the whole of a tensor's data. len(b) must be
// t.Bytes().
func (t Tensor) SetBytes(b []byte) {
	C.ggml_backend_tensor_set(t.p, unsafe.Pointer(unsafe.SliceData(b)), 0, C.size_t(len(b)))
}

// SetFloat32s calls ggml_backend_tensor_set on an F32 tensor. len(v) must be t.Len().
func (t Tensor) SetFloat32s(v []float32) {
	C.ggml_backend_tensor_set(t.p, unsafe.Pointer(unsafe.SliceData(v)), 0, C.size_t(4*len(v)))
}

// Float32s calls ggml_backend_tensor_get on an F32 tensor.
func (t Tensor) Float32s() []float32 {
	v := make([]float32, t.Len())
	C.ggml_backend_tensor_get(t.p, unsafe.Pointer(unsafe.SliceData(v)), 0, C.size_t(4*len(v)))
	return v
}

// Add calls ggml_add: a + b, b repeated where it has fewer rows.
func (c Context) Add(a, b Tensor) Tensor { return Tensor{C.ggml_add(c.p, a.p, b.p)} }

// Mul calls ggml_mul: a * b element by element, b repeated where it has fewer rows.
func (c Context) Mul(a, b Tensor) Tensor { return Tensor{C.ggml_mul(c.p, a.p, b.p)} }

// MulMat calls ggml_mul_mat: a [k,m], b [k,n] -> [m,n]. Every device adds up in 32-bit floats
// (device.c).
func (c Context) MulMat(a, b Tensor) Tensor { return Tensor{C.ggml_mul_mat(c.p, a.p, b.p)} }

// precision is what the product t asks for: an enum ggml_prec.
func precision(t Tensor) int {
	return int((*C.struct_pali_ggml_tensor)(unsafe.Pointer(t.p)).op_params[0])
}

// Norm calls ggml_norm: every row of a less its mean, over its standard deviation, to whose square
// eps is added.
func (c Context) Norm(a Tensor, eps float32) Tensor {
	return Tensor{C.ggml_norm(c.p, a.p, C.float(eps))}
}

// Sqr calls ggml_sqr: a * a, element by element.
func (c Context) Sqr(a Tensor) Tensor { return Tensor{C.ggml_sqr(c.p, a.p)} }

// ScaleBias calls ggml_scale_bias: s*a + b.
func (c Context) ScaleBias(a Tensor, s, b float32) Tensor {
	return Tensor{C.ggml_scale_bias(c.p, a.p, C.float(s), C.float(b))}
}

// Sigmoid calls ggml_sigmoid: 1 / (1 + e^-a), element by element.
func (c Context) Sigmoid(a Tensor) Tensor { return Tensor{C.ggml_sigmoid(c.p, a.p)} }

// SoftMax calls ggml_soft_max_ext without a mask: softmax of scale*a over every row.
func (c Context) SoftMax(a Tensor, scale float32) Tensor {
	return Tensor{C.ggml_soft_max_ext(c.p, a.p, nil, C.float(scale), 0)}
}

// Permute calls ggml_permute: axis i of a becomes axis axes[i] of the result.
func (c Context) Permute(a Tensor, axes [4]int) Tensor {
	return Tensor{C.ggml_permute(c.p, a.p, C.int(axes[0]), C.int(axes[1]), C.int(axes[2]), C.int(axes[3]))}
}

// Cont calls ggml_cont: a contiguous copy.
func (c Context) Cont(a Tensor) Tensor { return Tensor{C.ggml_cont(c.p, a.p)} }

// Cont2D calls ggml_cont_2d: a contiguous copy, seen as ne0 x ne1.
func (c Context) Cont2D(a Tensor, ne0, ne1 int) Tensor {
	return Tensor{C.ggml_cont_2d(c.p, a.p, C.int64_t(ne0), C.int64_t(ne1))}
}

// Reshape2D calls ggml_reshape_2d: a, contiguous, seen as ne0 x ne1.
func (c Context) Reshape2D(a Tensor, ne0, ne1 int) Tensor {
	return Tensor{C.ggml_reshape_2d(c.p, a.p, C.int64_t(ne0), C.int64_t(ne1))}
}

// Reshape3D calls ggml_reshape_3d: a, contiguous, seen as ne0 x ne1 x ne2.
func (c Context) Reshape3D(a Tensor, ne0, ne1, ne2 int) Tensor {
	return Tensor{C.ggml_reshape_3d(c.p, a.p, C.int64_t(ne0), C.int64_t(ne1), C.int64_t(ne2))}
}

// Rows calls ggml_view_2d: rows [from, from+n) of the F32 matrix a, whose rows have ne0 elements.
func (c Context) Rows(a Tensor, ne0, from, n int) Tensor {
	row := C.size_t(4 * ne0)
	return Tensor{C.ggml_view_2d(c.p, a.p, C.int64_t(ne0), C.int64_t(n), row, C.size_t(from)*row)}
}

// Concat calls ggml_concat: a, then b, along axis dim.
func (c Context) Concat(a, b Tensor, dim int) Tensor {
	return Tensor{C.ggml_concat(c.p, a.p, b.p, C.int(dim))}
}

// Custom calls ggml_custom_4d: an F32 node of ne0 x ne1 that the C function op (ggml_custom_op_t)
// computes from args. Every thread of the processor calls op once, with the pointer data.
func (c Context) Custom(ne0, ne1 int, op, data unsafe.Pointer, args ...Tensor) Tensor {
	a := pointers(args)
	return Tensor{C.ggml_custom_4d(c.p, C.PALI_GGML_TYPE_F32, C.int64_t(ne0), C.int64_t(ne1), 1, 1,
		&a[0], C.int(len(a)), C.pali_custom_op(op), C.PALI_GGML_N_TASKS_MAX, data)}
}

// CustomInplace calls ggml_custom_inplace: as Custom, with op, data and args, but the node is x
// itself, and op overwrites it.
func (c Context) CustomInplace(x Tensor, op, data unsafe.Pointer, args ...Tensor) Tensor {
	a := pointers(args)
	return Tensor{C.ggml_custom_inplace(c.p, x.p, &a[0], C.int(len(a)), C.pali_custom_op(op),
		C.PALI_GGML_N_TASKS_MAX, data)}
}

func pointers(tensors []Tensor) []*C.struct_ggml_tensor {
	all := make([]*C.struct_ggml_tensor, len(tensors))
	for i, t := range tensors {
		all[i] = t.p
	}
	return all
}

// Graph is a list of nodes in the order in which they are computed. It lives in its context.
type Graph struct{ p *C.struct_ggml_cgraph }

// NewGraph calls ggml_new_graph_custom for a graph of at most nodes nodes.
func (c Context) NewGraph(nodes int) Graph {
	return Graph{C.ggml_new_graph_custom(c.p, C.size_t(nodes), false)}
}

// Expand calls ggml_build_forward_expand: adds t and the nodes it is computed from.
func (g Graph) Expand(t Tensor) { C.ggml_build_forward_expand(g.p, t.p) }
