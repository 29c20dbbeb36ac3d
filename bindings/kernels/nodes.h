/* Our own kernels: what the vision graph does on a processor in one pass, or with less memory traffic, where ggml's operations need several.
 * They run as custom nodes of ggml's graph. Before it: ggml's threads call the run_ functions, once each, between two barriers.
 * After it: rows.c, attention.c. fused.go puts the nodes into a graph. */
#ifndef PALI_GGML_KERNELS_H
#define PALI_GGML_KERNELS_H

#include "api.h"
#include <stdatomic.h>

/* What a node has beside its tensors. A node's work is cut into tasks, which its threads draw until there are none left. */
struct pali_kernel {
	atomic_llong next; /* the next task to draw */
	atomic_int left;   /* threads that found none */
	float number;      /* norm: epsilon; attention: the factor of the scores */
	int heads;         /* attention */
	int gelu;          /* finish: whether gelu comes after the bias */
	struct pali_kernels *all;
};

/* The kernels of one graph, and the memory that their threads work in. */
struct pali_kernels {
	int threads;
	size_t room; /* bytes for each thread: what the neediest kernel wants */
	char *memory;
	char *scratch; /* in it, at a multiple of 64 */
	int used, count;
	struct pali_kernel kernels[];
};

struct pali_kernels *pali_kernels_new(int threads, int count);
bool pali_kernels_alloc(struct pali_kernels *all); /* after the last kernel was made; false: no memory */
void pali_kernels_free(struct pali_kernels *all);
struct pali_kernel *pali_kernel_next(struct pali_kernels *all, size_t room); /* NULL when count are used */

typedef void (*pali_run)(struct ggml_tensor *dst, int thread, int threads, void *kernel);

/* rows.c */
void pali_run_norm(struct ggml_tensor *dst, int thread, int threads, void *kernel);
void pali_run_finish(struct ggml_tensor *dst, int thread, int threads, void *kernel);

/* attention.c */
void pali_run_pack(struct ggml_tensor *dst, int thread, int threads, void *kernel);
void pali_run_attention(struct ggml_tensor *dst, int thread, int threads, void *kernel);
int64_t pali_packed_size(int64_t tokens, int64_t width, int64_t heads); /* floats that pack writes */
size_t pali_attention_room(int64_t width, int64_t heads);

/* product.c: whether products with weights of this type are its own */
bool pali_product_takes(unsigned type);

/* The kernels' own helpers. */
static inline float *pali_scratch(const struct pali_kernel *k, int thread) { return (float *)(void *)(k->all->scratch + (size_t)thread * k->all->room); }

static inline const struct pali_ggml_tensor *pali_source(const struct ggml_tensor *dst, int i) {
	return (const struct pali_ggml_tensor *)((const struct pali_ggml_tensor *)(const void *)dst)->src[i];
}

static inline int64_t pali_draw(struct pali_kernel *k) { return atomic_fetch_add_explicit(&k->next, 1, memory_order_relaxed); }

/* Each thread leaves once. The last one sets the kernel back for the graph's next run: no other thread draws any more. */
static inline void pali_leave(struct pali_kernel *k, int threads) {
	if (atomic_fetch_add(&k->left, 1) == threads - 1) {
		atomic_store(&k->left, 0);
		atomic_store(&k->next, 0);
	}
}

#endif
