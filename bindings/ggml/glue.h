/* Small C helpers of this package: what cannot be written in Go (callbacks, function pointers, the compiler's own macros). */
#ifndef PALI_GGML_GLUE_H
#define PALI_GGML_GLUE_H

#include "api.h"
#include <stdlib.h>

/* pali_log keeps what ggml and llama.cpp say as warnings and errors; pali_log_take copies it out and forgets it. */
void pali_log(unsigned level, const char *text, void *user_data);
size_t pali_log_take(char *to, size_t size);
void pali_log_install(void);

/* A flag in C memory that stops a running graph: pali_stop_raised is the abort callback, its argument the flag, two ints. pali_stop_asked counts its calls. */
bool pali_stop_raised(void *flag);
void pali_stop_set(int *flag, int value);
int pali_stop_asked(int *flag);

/* The float conversion that ggml's type table holds for a type; false if there is none. */
bool pali_to_float(unsigned type, const void *src, float *dst, int64_t n);

/* The i-th extra buffer type of a device (repacked weights), or NULL. */
struct ggml_backend_buffer_type *pali_extra_buffer_type(struct ggml_backend_device *device, int i);

/* The i-th feature that a backend was compiled with: its name, or NULL at the end. */
const char *pali_backend_feature(struct ggml_backend_reg *reg, int i, const char **value);

/* The instruction sets this object file was compiled for, and whether the processor has AVX2 (x86) to build for. */
const char *pali_compiled_for(void);
bool pali_compiled_slow(void);
const char *pali_compiler(void);

#endif
