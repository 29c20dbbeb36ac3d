/* Sums of the squares of what weights are multiplied with, taken while graphs run. */
#ifndef PALI_GGML_COLLECT_H
#define PALI_GGML_COLLECT_H

#include "api.h"

/* What was seen of the inputs of one weight. */
struct pali_sum_squares {
	struct pali_sum_squares *next;
	char name[64];
	int64_t cols;
	int64_t rows;  /* of its inputs so far */
	double sums[]; /* of the squares of each column, cols of them */
};

struct pali_collector {
	struct pali_sum_squares *first;
	bool paused;
	const char *fault; /* the first fault, or NULL; it happened at the weight fault_name */
	char fault_name[64];
};

/* The callback for a scheduler; user_data is the collector. */
bool pali_collect(struct ggml_tensor *node, bool ask, void *user_data);

/* Frees all sums and clears the fault. */
void pali_collector_clear(struct pali_collector *collector);

#endif
