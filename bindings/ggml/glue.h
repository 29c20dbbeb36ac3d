/* What of this package cannot be written in Go: callbacks that must not enter it, function
 * pointers, and the compiler's own macros. */
#ifndef PALI_GGML_GLUE_H
#define PALI_GGML_GLUE_H

#include "api.h"
#include <stdlib.h>

/* pali_log keeps the warnings and errors of ggml and llama.cpp; pali_log_take moves them to a
 * buffer of size bytes and returns how many it wrote. */
void pali_log(unsigned level, const char *text, void *user_data);
size_t pali_log_take(char *to, size_t size);
void pali_log_install(void);

/* What ggml calls before it aborts: it ends the process with a line on standard error instead. */
void pali_give_up(const char *message);

/* Opens the shared library of a backend and gives it our log and pali_give_up. Returns NULL, or why
 * the system's loader refuses it. version gets what the library was built from, or NULL if it does
 * not say. */
const char *pali_library_open(const char *path, const char **version);

/* A flag in C memory, two ints, that stops a running graph: pali_stop_raised is the abort callback,
 * and its argument the flag. pali_stop_polls returns how often it was called. */
bool pali_stop_raised(void *flag);
void pali_stop_set(int *flag, int value);
int pali_stop_polls(int *flag);

/* Behind the flag lie two ints more, PALI_STOP_INTS in all. pali_stop_eval is a scheduler's callback,
 * which polls the flag after each PALI_STOP_NODES nodes while pali_stop_parts has set that graphs run
 * in parts. */
#define PALI_STOP_INTS 4
#define PALI_STOP_NODES 32
bool pali_stop_eval(struct ggml_tensor *node, bool ask, void *flag);
void pali_stop_parts(int *flag, int on);

/* Converts n elements by the to_float function of ggml's type table; false: the type has none. */
bool pali_to_float(unsigned type, const void *src, float *dst, int64_t n);

/* The first extra buffer type of a device (repacked weights), or NULL. */
struct ggml_backend_buffer_type *pali_extra_buffer_type(struct ggml_backend_device *device);

/* The i-th feature that a backend was compiled with: its name, or NULL after the last. */
const char *pali_backend_feature(struct ggml_backend_reg *reg, int i, const char **value);

/* The instruction sets this object file was compiled for, and whether the processor has AVX2 (x86)
 * that it was not compiled for. */
const char *pali_compiled_for(void);
bool pali_compiled_slow(void);
const char *pali_compiler(void);

#endif
