//go:build amd64 && !darwin

/* Where the linker sends ggml's calls of llamafile_sgemm (-Wl,--wrap in doc.go, under the same
 * build constraint; Apple's linker has no such flag). ggml offers every product to it before it
 * computes one itself; each thread calls once. */

#include "gemm.h"

__typeof__(llamafile_sgemm) __real_llamafile_sgemm, __wrap_llamafile_sgemm;

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc,
                            int a_type, int b_type, int c_type) {
	struct pali_gemm g = {m, n, k, a, b, lda, ldb, c, ldc, (unsigned)a_type, 0};
	const struct pali_ggml_compute_params *own = (const struct pali_ggml_compute_params *)(const void *)params;
	return pali_gemm(own, &g, (unsigned)b_type, (unsigned)c_type) ||
	       __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}
