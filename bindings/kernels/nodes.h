/* The nodes of a ggml graph that our own kernels compute: in one pass over memory, or in 32-bit
 * floats, where ggml's operations need several passes or round to 16 bits. ggml's threads call the
 * pali_run_ functions, once each for a node, between two barriers. */
#ifndef PALI_KERNELS_NODES_H
#define PALI_KERNELS_NODES_H

#include "api.h"
#include <stdatomic.h>

/* What a node has besides its tensors. Its work is split into tasks, which its threads take until
 * there are none left. */
struct pali_node {
	atomic_llong next; /* the next task to take */
	atomic_int done;   /* threads that found no more tasks */
	float number;      /* norm: epsilon; attention: the factor of the scores */
	int heads;         /* attention */
	int gelu;          /* bias: whether gelu follows */
	struct pali_nodes *all;
};

/* The nodes of one graph, and the scratch memory of the threads that run it. */
struct pali_nodes {
	int threads;
	size_t room;   /* bytes of scratch for each thread: the maximum over the nodes */
	char *memory;  /* as allocated */
	char *scratch; /* in memory, at a multiple of 64 */
	int used, count;
	struct pali_node nodes[];
};

struct pali_nodes *pali_nodes_new(int threads, int count);            /* NULL: no memory */
struct pali_node *pali_nodes_next(struct pali_nodes *all, size_t room); /* NULL: count are used */
bool pali_nodes_alloc(struct pali_nodes *all);                        /* after the last next; false: no memory */
void pali_nodes_free(struct pali_nodes *all);

/* Each is a ggml_custom_op_t whose userdata is its struct pali_node. */
void pali_run_norm(struct ggml_tensor *dst, int thread, int threads, void *node);
void pali_run_bias(struct ggml_tensor *dst, int thread, int threads, void *node);
void pali_run_pack(struct ggml_tensor *dst, int thread, int threads, void *node);
void pali_run_attention(struct ggml_tensor *dst, int thread, int threads, void *node);

/* attention.c: the floats that pack writes, and the bytes of scratch that attention needs. */
int64_t pali_packed_size(int64_t tokens, int64_t width, int64_t heads);
size_t pali_attention_room(int64_t width, int64_t heads);

/* Helpers of the pali_run_ functions. */

static inline float *pali_scratch(const struct pali_node *n, int thread) {
	return (float *)(void *)(n->all->scratch + (size_t)thread * n->all->room);
}

static inline const struct pali_ggml_tensor *pali_source(const struct ggml_tensor *dst, int i) {
	return (const struct pali_ggml_tensor *)((const struct pali_ggml_tensor *)(const void *)dst)->src[i];
}

static inline int64_t pali_next_task(struct pali_node *n) {
	return atomic_fetch_add_explicit(&n->next, 1, memory_order_relaxed);
}

/* Each thread calls it once, when it found no more tasks. The last one resets the node for the
 * graph's next run: no other thread takes tasks any more. */
static inline void pali_tasks_done(struct pali_node *n, int threads) {
	if (atomic_fetch_add(&n->done, 1) == threads - 1) {
		atomic_store(&n->done, 0);
		atomic_store(&n->next, 0);
	}
}

#endif
