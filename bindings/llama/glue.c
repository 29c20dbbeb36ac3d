/* A context of llama.cpp v0.17.4's copy frees its backends before its scheduler, and freeing the
 * scheduler calls each backend once more (ggml_backend_sched_free calls backend->iface.reset, which
 * came with ollama's patch 0020). That reads freed memory, and with CUDA it writes there. So the
 * linker sends ggml_backend_free here (-Wl,--wrap in llama.go), and while a context is being freed,
 * or fails to be made, its backends are kept until that is over.
 *
 * And a context that is being made reserves memory for a graph that gives logits for every
 * position of a batch: 257,152 floats each, 4.2 GB for the prefix of an image of 896 pixels. We
 * ask for one position's. So ggml_backend_sched_reserve does nothing then: the scheduler
 * reserves what a graph needs when it meets the first one that needs more than there is. */
#include "glue.h"

#include <stdbool.h>

/* Apple's linker has no --wrap: there the freed memory is read, in which Metal and the processor
 * have nothing to call; and the memory is reserved. */
#ifdef __APPLE__

struct llama_context *pali_llama_init_from_model(struct llama_model *model, struct pali_llama_context_params params) {
	return llama_init_from_model(model, params);
}
void pali_llama_free(struct llama_context *ctx) { llama_free(ctx); }

#else

enum { MAX_BACKENDS = 16 }; /* of a scheduler: GGML_SCHED_MAX_BACKENDS */

static _Thread_local struct {
	bool keeping;  /* a context is being made or freed */
	bool starting; /* it is being made */
	int n;
	struct ggml_backend *backends[MAX_BACKENDS];
} kept;

struct ggml_backend_sched;
struct ggml_cgraph;

void __real_ggml_backend_free(struct ggml_backend *backend);

void __wrap_ggml_backend_free(struct ggml_backend *backend) {
	if (kept.keeping && kept.n < MAX_BACKENDS) {
		kept.backends[kept.n++] = backend;
	} else {
		__real_ggml_backend_free(backend);
	}
}

bool __real_ggml_backend_sched_reserve(struct ggml_backend_sched *sched, struct ggml_cgraph *measure_graph);

bool __wrap_ggml_backend_sched_reserve(struct ggml_backend_sched *sched, struct ggml_cgraph *measure_graph) {
	return kept.starting || __real_ggml_backend_sched_reserve(sched, measure_graph);
}

static void free_kept(void) {
	kept.keeping = kept.starting = false;
	while (kept.n > 0) {
		__real_ggml_backend_free(kept.backends[--kept.n]);
	}
}

struct llama_context *pali_llama_init_from_model(struct llama_model *model, struct pali_llama_context_params params) {
	kept.keeping = kept.starting = true;
	struct llama_context *ctx = llama_init_from_model(model, params);
	free_kept();
	return ctx;
}

void pali_llama_free(struct llama_context *ctx) {
	kept.keeping = true;
	llama_free(ctx);
	free_kept();
}

#endif
