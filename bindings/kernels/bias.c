/* What follows a matrix product, row by row: its bias, then gelu or the residual. */

#include "nodes.h"
#include "vec.h"

#define ROWS_PER_TASK 8

/* x += bias over a row of n values, then gelu if with_gelu, then x += other unless other is
 * NULL. */
static void bias_row(float *x, const float *bias, const float *other, int64_t n, bool with_gelu) {
	for (int64_t i = 0; i < n; i += LANES) {
		vec v = load_upto(x + i, n - i) + load_upto(bias + i, n - i);
		if (with_gelu) {
			v = gelu(v);
		}
		if (other != NULL) {
			v += load_upto(other + i, n - i);
		}
		store_upto(x + i, v, n - i);
	}
}

/* Sources: x [W,T], which is overwritten, bias [W], and perhaps other [W,T]. */
void pali_run_bias(struct ggml_tensor *dst, int thread, int threads, void *node) {
	struct pali_node *n = node;
	const struct pali_ggml_tensor *x = pali_source(dst, 0), *other = pali_source(dst, 2);
	const float *bias = pali_source(dst, 1)->data;
	int64_t width = x->ne[0], rows = x->ne[1];
	float *y = x->data;
	(void)thread;
	for (int64_t from; (from = pali_next_task(n) * ROWS_PER_TASK) < rows;) {
		for (int64_t r = from; r < rows && r < from + ROWS_PER_TASK; r++) {
			const float *added = other == NULL ? NULL : (const float *)other->data + r * width;
			bias_row(y + r * width, bias, added, width, n->gelu);
		}
	}
	pali_tasks_done(n, threads);
}
