/* The nodes of a graph and their memory: made, given scratch, freed. */

#include "nodes.h"
#include <stdlib.h>

#define LINE 64 /* bytes of a cache line: two threads share none */

struct pali_nodes *pali_nodes_new(int threads, int count) {
	struct pali_nodes *all = calloc(1, sizeof *all + (size_t)count * sizeof all->nodes[0]);
	if (all != NULL) {
		all->threads = threads;
		all->count = count;
	}
	return all;
}

struct pali_node *pali_nodes_next(struct pali_nodes *all, size_t room) {
	if (all->used == all->count) {
		return NULL;
	}
	room = (room + LINE - 1) / LINE * LINE;
	all->room = room > all->room ? room : all->room;
	struct pali_node *n = &all->nodes[all->used++];
	n->all = all;
	return n;
}

bool pali_nodes_alloc(struct pali_nodes *all) {
	free(all->memory);
	all->memory = malloc((size_t)all->threads * all->room + LINE);
	if (all->memory == NULL) {
		return false;
	}
	all->scratch = all->memory + (LINE - (uintptr_t)all->memory % LINE) % LINE;
	return true;
}

void pali_nodes_free(struct pali_nodes *all) {
	free(all->memory);
	free(all);
}
