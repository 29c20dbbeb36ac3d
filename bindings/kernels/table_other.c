//go:build !amd64 || darwin

/* No matrix products of our own: ggml computes all of them. */

#include "gemm.h"

const struct pali_gemm_kernel *const pali_gemm_kernels[] = {NULL};
