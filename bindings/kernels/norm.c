/* What is done row by row: LayerNorm, and what follows a product. Before it: a product of ggml's. After it: the next one. */

#include "kernels.h"
#include "vec.h"

#define ROWS_A_TASK 8

/* y = (x - mean) / sqrt(variance + epsilon) * weight + bias over a row of n. */
static void norm(float *y, const float *x, const float *weight, const float *bias, int64_t n, float epsilon) {
	vec total = {0};
	for (int64_t i = 0; i < n; i += LANES) {
		total += load_upto(x + i, n - i);
	}
	float mean = sum(total) / (float)n;
	vec squares = {0};
	int64_t whole = n / LANES * LANES;
	for (int64_t i = 0; i < whole; i += LANES) {
		vec d = load(x + i) - mean;
		squares += d * d;
	}
	float variance = sum(squares);
	for (int64_t i = whole; i < n; i++) {
		variance += (x[i] - mean) * (x[i] - mean);
	}
	float scale = 1.0f / sqrtf(variance / (float)n + epsilon);
	for (int64_t i = 0; i < n; i += LANES) {
		vec v = (load_upto(x + i, n - i) - mean) * scale;
		store_upto(y + i, v * load_upto(weight + i, n - i) + load_upto(bias + i, n - i), n - i);
	}
}

/* Sources: x [W,T], weight [W], bias [W]. */
void pali_run_norm(struct ggml_tensor *dst, int thread, int threads, void *kernel) {
	struct pali_kernel *k = kernel;
	const struct pali_ggml_tensor *x = pali_source(dst, 0);
	const float *weight = pali_source(dst, 1)->data, *bias = pali_source(dst, 2)->data;
	int64_t width = x->ne[0], rows = x->ne[1];
	float *y = ((struct pali_ggml_tensor *)(void *)dst)->data;
	(void)thread;
	for (int64_t from; (from = pali_draw(k) * ROWS_A_TASK) < rows;) {
		for (int64_t r = from; r < rows && r < from + ROWS_A_TASK; r++) {
			norm(y + r * width, (const float *)x->data + r * width, weight, bias, width, k->number);
		}
	}
	pali_leave(k, threads);
}

/* y = x + bias, then gelu or the addition of another row, over n values. other may be NULL; y may be x. */
void pali_finish_row(float *y, const float *x, const float *bias, const float *other, int64_t n, bool with_gelu) {
	for (int64_t i = 0; i < n; i += LANES) {
		vec v = load_upto(x + i, n - i) + load_upto(bias + i, n - i);
		if (with_gelu) {
			v = gelu(v);
		}
		if (other != NULL) {
			v += load_upto(other + i, n - i);
		}
		store_upto(y + i, v, n - i);
	}
}

/* Sources: x [W,T], which is overwritten, bias [W], and perhaps another [W,T]. */
void pali_run_finish(struct ggml_tensor *dst, int thread, int threads, void *kernel) {
	struct pali_kernel *k = kernel;
	const struct pali_ggml_tensor *x = pali_source(dst, 0), *other = pali_source(dst, 2);
	int64_t width = x->ne[0], rows = x->ne[1];
	float *y = x->data;
	(void)thread;
	for (int64_t from; (from = pali_draw(k) * ROWS_A_TASK) < rows;) {
		for (int64_t r = from; r < rows && r < from + ROWS_A_TASK; r++) {
			pali_finish_row(y + r * width, y + r * width, pali_source(dst, 1)->data, other == NULL ? NULL : (const float *)other->data + r * width, width, k->gelu);
		}
	}
	pali_leave(k, threads);
}
