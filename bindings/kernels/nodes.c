/* The kernels of a graph: made, given memory, freed. Before it: fused.go. After it: rows.c, attention.c. */

#include "kernels.h"
#include <stdlib.h>

#define LINE 64 /* bytes of a cache line: two threads share none */

struct pali_kernels *pali_kernels_new(int threads, int count) {
	struct pali_kernels *all = calloc(1, sizeof *all + (size_t)count * sizeof all->kernels[0]);
	if (all != NULL) {
		all->threads = threads;
		all->count = count;
	}
	return all;
}

struct pali_kernel *pali_kernel_next(struct pali_kernels *all, size_t room) {
	if (all->used == all->count) {
		return NULL;
	}
	room = (room + LINE - 1) / LINE * LINE;
	all->room = room > all->room ? room : all->room;
	struct pali_kernel *k = &all->kernels[all->used++];
	k->all = all;
	return k;
}

bool pali_kernels_alloc(struct pali_kernels *all) {
	all->memory = malloc((size_t)all->threads * all->room + LINE);
	all->scratch = all->memory + (LINE - (uintptr_t)all->memory % LINE) % LINE;
	return all->memory != NULL;
}

void pali_kernels_free(struct pali_kernels *all) {
	free(all->memory);
	free(all);
}
