/* Which kernel computes a matrix product, and how the threads of ggml share it. */

#include "gemm.h"

#define MIN_COLUMNS_PER_TASK 48 /* where there are not enough rows for all threads */
#define TASKS_PER_THREAD 4
#define PART 6 /* the columns of a task are a multiple of it: kernels take six at a time */

/* The type that ggml rounds the activations of a product to, by that of its weights; COUNT: not
 * one of ours. It is ggml's choice (ggml-cpu.c, vec_dot_type). */
static unsigned activation_type(unsigned weights) {
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

bool pali_gemm_has(unsigned type) {
	for (const struct pali_gemm_kernel *const *k = pali_gemm_kernels; *k != NULL; k++) {
		if ((*k)->has(type)) {
			return true;
		}
	}
	return false;
}

static const struct pali_gemm_kernel *choose_kernel(struct pali_gemm *g, unsigned b_type, unsigned c_type,
                                                    int threads) {
	if (c_type != PALI_GGML_TYPE_F32 || b_type != activation_type(g->type) || g->m <= 0 || g->n <= 0 || g->k <= 0) {
		return NULL;
	}
	for (const struct pali_gemm_kernel *const *k = pali_gemm_kernels; *k != NULL; k++) {
		if ((*k)->has(g->type) && (*k)->plan(g, threads)) {
			return *k;
		}
	}
	return NULL;
}

bool pali_gemm(const struct pali_ggml_compute_params *params, struct pali_gemm *g, unsigned b_type, unsigned c_type) {
	const struct pali_gemm_kernel *kernel = choose_kernel(g, b_type, c_type, params->nth);
	if (kernel == NULL) {
		return false;
	}
	int64_t panels = (g->m + g->height - 1) / g->height;
	int64_t parts = (TASKS_PER_THREAD * params->nth + panels - 1) / panels;
	int64_t max_parts = (g->n + MIN_COLUMNS_PER_TASK - 1) / MIN_COLUMNS_PER_TASK;
	parts = parts > max_parts ? max_parts : parts;
	int64_t part = ((g->n + parts - 1) / parts + PART - 1) / PART * PART;

	if (params->ith == 0) {
		ggml_threadpool_chunk_set(params->threadpool, params->nth);
	}
	ggml_barrier(params->threadpool);
	for (int64_t i = params->ith; i < panels * parts; i = ggml_threadpool_chunk_add(params->threadpool, 1)) {
		int64_t from = i / panels * part, to = from + part < g->n ? from + part : g->n;
		kernel->run(g, i % panels * g->height, from, to);
	}
	ggml_barrier(params->threadpool);
	return true;
}
