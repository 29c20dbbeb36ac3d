//go:build !darwin

/* The matrix products of amd64, the preferred one first. */

#include "avx512.h"

const struct pali_gemm_kernel *const pali_gemm_kernels[] = {
#ifdef PALI_AVX512
	&pali_gemm_floats_avx512,
	&pali_gemm_blocks_avx512,
	&pali_gemv_avx512,
#endif
	NULL,
};
