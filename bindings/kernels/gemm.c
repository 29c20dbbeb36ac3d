/* The matrix product of ggml's processor backend, on processors with AVX-512 and its instructions for short numbers.
 *
 * ggml hands a product to llamafile_sgemm before it tries anything else, and the linker sends that call here (-Wl,--wrap in doc.go): products that
 * are done better here are, all others go on to the function itself. So the weights stay as they lie in the file, and both the vision
 * graph and llama.cpp gain. Before it: ggml's threads, one call each, the tokens rounded as the weights' type wants it. After it: product_floats.c,
 * product_blocks.c, product_token.c. */

#include "product.h"
#include "vec.h"

#if defined(__x86_64__) && !defined(__APPLE__)

__typeof__(llamafile_sgemm) __real_llamafile_sgemm, __wrap_llamafile_sgemm;

#ifdef PALI_PRODUCT

#define FEWEST_TOKENS 8  /* fewer are not worth the packing */
#define TOKEN_TASKS 8    /* for each thread, with few tokens */
#define TOKENS_A_TASK 48 /* at least, where there are not enough rows for all threads */

/* The type that a product's tokens are rounded to, by that of its weights; COUNT: not one of ours. ggml's choice (ggml-cpu.c, vec_dot_type). */
static unsigned token_type(unsigned weights) {
	switch (weights) {
	case PALI_GGML_TYPE_F32:
	case PALI_GGML_TYPE_F16:
	case PALI_GGML_TYPE_BF16:
		return weights;
	case PALI_GGML_TYPE_Q8_0:
	case PALI_GGML_TYPE_Q4_0:
	case PALI_GGML_TYPE_Q5_0:
	case PALI_GGML_TYPE_IQ4_NL:
		return PALI_GGML_TYPE_Q8_0;
	case PALI_GGML_TYPE_Q4_K:
	case PALI_GGML_TYPE_Q5_K:
	case PALI_GGML_TYPE_Q6_K:
		return PALI_GGML_TYPE_Q8_K;
	default:
		return PALI_GGML_TYPE_COUNT;
	}
}

bool pali_product_takes(unsigned type) { return token_type(type) != PALI_GGML_TYPE_COUNT; }

/* How a product is cut: the task for it, and the height of one. NULL: it is not ours. */
static pali_product_task choose_task(struct product *p, unsigned b, unsigned c, int threads) {
	if (c != PALI_GGML_TYPE_F32 || b != token_type(p->type) || p->m <= 0 || p->n <= 0 || p->k <= 0) {
		return NULL;
	}
	bool floats = b == p->type && b != PALI_GGML_TYPE_Q8_0;
	if (p->n >= FEWEST_TOKENS) {
		p->height = floats ? PALI_FLOAT_ROWS : PALI_BLOCK_ROWS;
		return !floats ? pali_product_blocks : b == PALI_GGML_TYPE_BF16 && p->k % 2 == 1 ? NULL : pali_product_floats;
	}
	int64_t share = (p->m + TOKEN_TASKS * threads - 1) / (TOKEN_TASKS * threads);
	p->height = (share + 31) / 32 * 32; /* the more rows, the longer a thread reads on without a jump */
	return floats || p->k * (b == PALI_GGML_TYPE_Q8_K ? 256 : 32) > PALI_TOKEN_K ? NULL : pali_product_token;
}

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
	struct product p = {m, n, k, a, b, lda, ldb, c, ldc, (unsigned)a_type, 0};
	const struct pali_ggml_compute_params *own = (const struct pali_ggml_compute_params *)(const void *)params;
	pali_product_task task = choose_task(&p, (unsigned)b_type, (unsigned)c_type, own->nth);
	if (task == NULL) {
		return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
	}
	int64_t panels = (m + p.height - 1) / p.height, parts = (4 * own->nth + panels - 1) / panels, most = (n + TOKENS_A_TASK - 1) / TOKENS_A_TASK;
	parts = parts > most ? most : parts;
	int64_t part = ((n + parts - 1) / parts + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;

	if (own->ith == 0) {
		ggml_threadpool_chunk_set(own->threadpool, own->nth);
	}
	ggml_barrier(own->threadpool);
	for (int64_t i = own->ith; i < panels * parts; i = ggml_threadpool_chunk_add(own->threadpool, 1)) {
		int64_t from = i / panels * part, to = from + part < n ? from + part : n;
		task(&p, i % panels * p.height, from, to);
	}
	ggml_barrier(own->threadpool);
	return true;
}

#else

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
	return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

#endif
#endif

#ifndef PALI_PRODUCT
bool pali_product_takes(unsigned type) {
	(void)type;
	return false;
}
#endif
