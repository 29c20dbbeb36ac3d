/* LayerNorm, row by row. */

#include "nodes.h"
#include "vec.h"

#define ROWS_PER_TASK 8

/* y = (x - mean) / sqrt(variance + epsilon) * weight + bias, over a row of n values. */
static void norm_row(float *y, const float *x, const float *weight, const float *bias, int64_t n, float epsilon) {
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
void pali_run_norm(struct ggml_tensor *dst, int thread, int threads, void *node) {
	struct pali_node *n = node;
	const struct pali_ggml_tensor *x = pali_source(dst, 0);
	const float *weight = pali_source(dst, 1)->data, *bias = pali_source(dst, 2)->data;
	int64_t width = x->ne[0], rows = x->ne[1];
	float *y = ((struct pali_ggml_tensor *)(void *)dst)->data;
	(void)thread;
	for (int64_t from; (from = pali_next_task(n) * ROWS_PER_TASK) < rows;) {
		for (int64_t r = from; r < rows && r < from + ROWS_PER_TASK; r++) {
			norm_row(y + r * width, (const float *)x->data + r * width, weight, bias, width, n->number);
		}
	}
	pali_tasks_done(n, threads);
}
