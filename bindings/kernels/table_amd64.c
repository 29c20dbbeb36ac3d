//go:build !darwin

/* The matrix products of amd64: a line for each kernel, the preferred one first. */

#include "avx512.h"

#ifdef PALI_AVX512
#define KERNELS(K) \
	K(pali_gemm_floats_avx512) \
	K(pali_gemm_blocks_avx512) \
	K(pali_gemv_avx512)
#else
#define KERNELS(K)
#endif

#define DECLARE(kernel) extern const struct pali_gemm_kernel kernel;
#define ADDRESS(kernel) &kernel,

KERNELS(DECLARE)

const struct pali_gemm_kernel *const pali_gemm_kernels[] = {KERNELS(ADDRESS) NULL};
