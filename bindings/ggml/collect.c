#include "collect.h"

#include <stdlib.h>
#include <string.h>

/* A scheduler calls back twice for each node: before it is computed, to ask whether anyone wants
 * to see it, and afterwards, if so. A product's inputs are then still in memory: the node itself
 * is what was computed last. */

/* The weight that a node multiplies with, or NULL: the node is another operation, or multiplies two
 * results (attention). The patch kernel is seen through a view that makes a matrix of it. */
static const struct pali_ggml_tensor *weight_of(const struct pali_ggml_tensor *node) {
	if (node->op != PALI_GGML_OP_MUL_MAT) {
		return NULL;
	}
	const struct pali_ggml_tensor *w = (const struct pali_ggml_tensor *)node->src[0];
	if (w->view_src != NULL) {
		w = (const struct pali_ggml_tensor *)w->view_src;
	}
	if (w->buffer == NULL || ggml_backend_buffer_get_usage(w->buffer) != PALI_GGML_BACKEND_BUFFER_USAGE_WEIGHTS) {
		return NULL;
	}
	return w;
}

static void blame(struct pali_collector *c, const char *name, const char *fault) {
	if (c->fault == NULL) {
		c->fault = fault;
		memcpy(c->fault_name, name, sizeof c->fault_name);
	}
}

/* The sums of a weight, which are made if it was not seen before; NULL after a fault. */
static struct pali_sum_squares *sums_of(struct pali_collector *c, const char *name, int64_t cols) {
	struct pali_sum_squares **at = &c->first;
	while (*at != NULL && strncmp((*at)->name, name, sizeof (*at)->name) != 0) {
		at = &(*at)->next;
	}
	if (*at == NULL) {
		*at = calloc(1, sizeof **at + (size_t)cols * sizeof(double));
		if (*at == NULL) {
			blame(c, name, "no memory for its sums");
			return NULL;
		}
		memcpy((*at)->name, name, sizeof (*at)->name);
		(*at)->cols = cols;
	}
	if ((*at)->cols != cols) {
		blame(c, name, "inputs of two widths");
		return NULL;
	}
	return *at;
}

static void add_rows(struct pali_sum_squares *s, const struct pali_ggml_tensor *x) {
	for (int64_t i3 = 0; i3 < x->ne[3]; i3++) {
		for (int64_t i2 = 0; i2 < x->ne[2]; i2++) {
			for (int64_t i1 = 0; i1 < x->ne[1]; i1++) {
				const char *at = (const char *)x->data + i1 * x->nb[1] + i2 * x->nb[2] + i3 * x->nb[3];
				const float *row = (const float *)(const void *)at;
				for (int64_t j = 0; j < s->cols; j++) {
					s->sums[j] += (double)row[j] * (double)row[j];
				}
			}
		}
	}
	s->rows += x->ne[1] * x->ne[2] * x->ne[3];
}

bool pali_collect(struct ggml_tensor *t, bool ask, void *user_data) {
	struct pali_collector *c = user_data;
	const struct pali_ggml_tensor *node = (const struct pali_ggml_tensor *)t;
	const struct pali_ggml_tensor *w = c->paused || c->fault != NULL ? NULL : weight_of(node);
	if (ask || w == NULL) {
		return w != NULL || !ask; /* false after the computation would end the graph */
	}
	const struct pali_ggml_tensor *x = (const struct pali_ggml_tensor *)node->src[1];
	if (x->type != PALI_GGML_TYPE_F32 || x->nb[0] != sizeof(float)) {
		blame(c, w->name, "an input that is not of 32-bit floats");
		return true;
	}
	struct pali_sum_squares *s = sums_of(c, w->name, x->ne[0]);
	if (s != NULL) {
		add_rows(s, x);
	}
	return true;
}

void pali_collector_clear(struct pali_collector *c) {
	while (c->first != NULL) {
		struct pali_sum_squares *next = c->first->next;
		free(c->first);
		c->first = next;
	}
	c->fault = NULL;
}
