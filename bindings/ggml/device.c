/* What a backend in a shared library needs before ggml loads it: our log and what to do when it
 * gives up, as it has a copy of ggml of its own (scripts/gpu.sh); and products in 32-bit floats. */

#include "glue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- giving up ---- */

/* What is known of why ggml gives up, by what its log and its message hold. */
static const struct {
	const char *sign, *meaning;
} reasons[] = {
    {"out of memory", "the GPU has too little memory for this model and request"},
    {"no kernel image", "the GPU library was built for other GPUs than this one: build it again"},
    {"not compiled with any CUDA arch", "the GPU library was built for other GPUs than this one: build it again"},
    {"driver", "the GPU's driver failed"},
    {"CUDA error", "the GPU failed"},
};

/* ggml_abort calls this with the place in its source. It does not return: the log and the message
 * are written as one line to standard error, and the process ends. Go would add the stacks of all
 * its goroutines to an abort. */
void pali_give_up(const char *message) {
	char text[4600], line[4800];
	size_t n = pali_log_take(text, 4096);
	snprintf(text + n, sizeof text - n, "%s", message);
	const char *meaning = "ggml gave up";
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (strstr(text, reasons[i].sign) != NULL) {
			meaning = reasons[i].meaning;
			break;
		}
	}
	int end = snprintf(line, sizeof line, "pali: %s: %s", meaning, text);
	for (int i = 0; i < end; i++) {
		line[i] = line[i] == '\n' ? ' ' : line[i];
	}
	line[end] = '\n';
	while (write(2, line, (size_t)end + 1) < 0 && errno == EINTR) {
	}
	_exit(1);
}

/* ---- a library ---- */

#ifdef _WIN32

const char *pali_library_open(const char *path, const char **version) {
	*version = NULL;
	return NULL;
}

#else

#include <dlfcn.h>

const char *pali_library_open(const char *path, const char **version) {
	*version = NULL;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* as ggml does, and never closed */
	if (library == NULL) {
		return dlerror();
	}
	/* Both are in scripts/gpu/program.c. */
	void (*use)(pali_log_callback, pali_give_up_callback) =
	    (void (*)(pali_log_callback, pali_give_up_callback))dlsym(library, "pali_gpu_use");
	if (use != NULL) {
		use(pali_log, pali_give_up);
	}
	const char **built_from = (const char **)dlsym(library, "pali_gpu_version");
	*version = built_from == NULL ? NULL : *built_from;
	return NULL;
}

#endif

/* ---- precision ---- */

/* Where a product does not ask for more, CUDA and Vulkan add up in 16-bit floats and give the sums
 * as such: 11 bits, and infinite above 65504, which activations of large models can reach. The
 * processor does not look at this. On Apple's systems the linker has no --wrap; Metal always adds
 * up in 32 bits. */
#ifndef __APPLE__

struct ggml_tensor *__real_ggml_mul_mat(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b);

struct ggml_tensor *__wrap_ggml_mul_mat(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b) {
	struct ggml_tensor *product = __real_ggml_mul_mat(ctx, a, b);
	ggml_mul_mat_set_prec(product, PALI_GGML_PREC_F32);
	return product;
}

#endif
