/* ggml's matrix product C [n,m] = B [n,k] A [m,k]^T, in llamafile's letters: A is the weights, B
 * the activations, and C what they give. A kernel is one way to compute it, for some types of
 * weights and some shapes. */
#ifndef PALI_KERNELS_GEMM_H
#define PALI_KERNELS_GEMM_H

#include "api.h"

/* One product. Strides are in elements of the type, or in blocks; so is k. The type of b follows
 * from that of a. */
struct pali_gemm {
	int64_t m, n, k;
	const char *a, *b;
	int64_t lda, ldb;
	float *c;
	int64_t ldc;
	unsigned type;  /* of a */
	int64_t height; /* rows of a task: set by plan */
};

struct pali_gemm_kernel {
	/* Whether the kernel is for weights of this type. */
	bool (*has)(unsigned type);
	/* Whether it computes this product, whose type it has; if so, plan sets g->height. */
	bool (*plan)(struct pali_gemm *g, int threads);
	/* Computes rows row..row+height of the weights times the activations from..to. */
	void (*run)(const struct pali_gemm *g, int64_t row, int64_t from, int64_t to);
};

/* The kernels of this build, NULL after the last: table_*.c. The first whose plan agrees is
 * taken. */
extern const struct pali_gemm_kernel *const pali_gemm_kernels[];

#define PALI_GEMM_MIN_COLUMNS 8 /* fewer activations are not worth the packing of weights: gemv_*.c */

/* Whether some kernel has weights of this type. */
bool pali_gemm_has(unsigned type);

/* Computes a product with the parameters of llamafile_sgemm, or returns false: no kernel is for
 * it. */
bool pali_gemm(const struct pali_ggml_compute_params *params, struct pali_gemm *g, unsigned b_type, unsigned c_type);

#endif
