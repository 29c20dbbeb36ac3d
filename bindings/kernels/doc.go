// Package kernels is our own C: computations that are faster or more exact than ggml's operations.
//
// There are two ways to call them. Nodes puts custom nodes into a ggml graph: norm.c, bias.c,
// attention.c. And ggml's own matrix products come here (gemm.c): ggml offers each one to
// llamafile_sgemm, and the linker sends that call to gemm_wrap.c. So weights stay as the file holds
// them, and both the vision graph and llama.cpp's graphs gain; a product for which the build has no
// kernel is computed by ggml's own code.
//
//	file                          kernel                             compiled for
//	norm.c bias.c                 LayerNorm; bias, gelu, residual    every processor, with the
//	attention.c gemm_f32.c vec.h  attention and its product          compiler's own vectors
//	gemm.c gemm_wrap.c            which kernel computes a product    amd64 but macOS
//	gemm_floats_avx512_amd64.c    weights in F32, F16, BF16          AVX-512 with VNNI and BF16
//	gemm_blocks_avx512_amd64.c    weights in ggml's blocks           the same
//	gemv_avx512_amd64.c           the same, few activations          the same
//	peak*.c                       what the processor can do at most  amd64, arm64, others
//
// A new matrix product is one file, named after its instruction set and with Go's suffix for its
// architecture (gemm_blocks_avx2_amd64.c, gemv_neon_arm64.c), and one line in the architecture's
// table of kernels (table_amd64.c). The first one for another architecture also adds its table
// (table_arm64.c) and its name to the build constraints of gemm_wrap.c and table_other.c, and to
// the linker's flag below.
//
// testdata/check.c runs every kernel of the table on memory of exactly its size, under the
// compiler's sanitizers (make asan-short). A kernel walks within one array: a pointer past the end
// of an inner array, or past the last row, is undefined even where it is not read.
//
// Nothing here is safe for concurrent use unless its comment says so.
package kernels

// #cgo CFLAGS: -std=gnu11 -I${SRCDIR}/../ggml
// #cgo amd64,!darwin LDFLAGS: -Wl,--wrap=llamafile_sgemm
// #include "gemm.h"
import "C"

import "github.com/pali-gguf/pali/bindings/ggml"

// HasMatMul reports whether this build has a kernel for products with weights of type t, in the
// layout that a file holds them. Repacked weights would not reach it. Safe for concurrent use.
func HasMatMul(t ggml.Type) bool { return bool(C.pali_gemm_has(C.uint(t))) }
