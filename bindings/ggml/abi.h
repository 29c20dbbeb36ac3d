/* The parts of ggml's binary interface that this package relies on: a few structs, and numbers.
 *
 * Written out for the ggml that github.com/ollama/ollama v0.17.4 carries. abi_test.go compiles assertions of every size,
 * offset and number against that module's own headers; nothing here is trusted without them.
 * The names carry the prefix pali_ so that both sets of headers fit into one compilation. */
#ifndef PALI_GGML_ABI_H
#define PALI_GGML_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ggml_threadpool;

struct pali_ggml_init_params {
	size_t mem_size;
	void *mem_buffer;
	bool no_alloc;
};

/* The head of an entry of ggml's type table. */
struct pali_ggml_type_traits {
	const char *type_name;
	int64_t blck_size;
	int64_t blck_size_interleave;
	size_t type_size;
	bool is_quantized;
	void (*to_float)(const void *x, float *y, int64_t k);
};

/* The head of a tensor. */
struct pali_ggml_tensor {
	unsigned type;
	void *buffer;
	int64_t ne[4];
	size_t nb[4]; /* bytes from one element of an axis to the next */
	unsigned op;
	int32_t op_params[16];
	int32_t flags;
	struct ggml_tensor *src[10];
	struct ggml_tensor *view_src; /* whose data this one shows, or NULL */
	size_t view_offs;
	void *data;
	char name[64];
};

/* What each of the processor's threads is told for a node. */
struct pali_ggml_compute_params {
	int ith, nth; /* this thread of so many */
	size_t wsize;
	void *wdata;
	struct ggml_threadpool *threadpool;
};

/* One of the features a backend was compiled with. */
struct pali_ggml_backend_feature {
	const char *name;
	const char *value;
};

/* Every struct above: STRUCT(ours, theirs) for a whole one, HEAD(ours, theirs) for the beginning of one, FIELD(ours, theirs, field) for a field. */
#define PALI_GGML_STRUCTS(STRUCT, HEAD, FIELD)                        \
	STRUCT(pali_ggml_init_params, ggml_init_params)                   \
	FIELD(pali_ggml_init_params, ggml_init_params, mem_size)          \
	FIELD(pali_ggml_init_params, ggml_init_params, mem_buffer)        \
	FIELD(pali_ggml_init_params, ggml_init_params, no_alloc)          \
	HEAD(pali_ggml_type_traits, ggml_type_traits)                     \
	FIELD(pali_ggml_type_traits, ggml_type_traits, type_name)         \
	FIELD(pali_ggml_type_traits, ggml_type_traits, blck_size)         \
	FIELD(pali_ggml_type_traits, ggml_type_traits, blck_size_interleave)\
	FIELD(pali_ggml_type_traits, ggml_type_traits, type_size)         \
	FIELD(pali_ggml_type_traits, ggml_type_traits, is_quantized)      \
	FIELD(pali_ggml_type_traits, ggml_type_traits, to_float)          \
	HEAD(pali_ggml_tensor, ggml_tensor)                               \
	FIELD(pali_ggml_tensor, ggml_tensor, type)                        \
	FIELD(pali_ggml_tensor, ggml_tensor, buffer)                      \
	FIELD(pali_ggml_tensor, ggml_tensor, ne)                          \
	FIELD(pali_ggml_tensor, ggml_tensor, nb)                          \
	FIELD(pali_ggml_tensor, ggml_tensor, op)                          \
	FIELD(pali_ggml_tensor, ggml_tensor, op_params)                   \
	FIELD(pali_ggml_tensor, ggml_tensor, flags)                       \
	FIELD(pali_ggml_tensor, ggml_tensor, src)                         \
	FIELD(pali_ggml_tensor, ggml_tensor, view_src)                    \
	FIELD(pali_ggml_tensor, ggml_tensor, view_offs)                   \
	FIELD(pali_ggml_tensor, ggml_tensor, data)                        \
	FIELD(pali_ggml_tensor, ggml_tensor, name)                        \
	STRUCT(pali_ggml_compute_params, ggml_compute_params)             \
	FIELD(pali_ggml_compute_params, ggml_compute_params, ith)         \
	FIELD(pali_ggml_compute_params, ggml_compute_params, nth)         \
	FIELD(pali_ggml_compute_params, ggml_compute_params, wsize)       \
	FIELD(pali_ggml_compute_params, ggml_compute_params, wdata)       \
	FIELD(pali_ggml_compute_params, ggml_compute_params, threadpool)  \
	STRUCT(pali_ggml_backend_feature, ggml_backend_feature)           \
	FIELD(pali_ggml_backend_feature, ggml_backend_feature, name)      \
	FIELD(pali_ggml_backend_feature, ggml_backend_feature, value)

/* Every number used: NUMBER(name of the enum value, value). */
#define PALI_GGML_NUMBERS(NUMBER)            \
	NUMBER(GGML_TYPE_F32, 0)                 \
	NUMBER(GGML_TYPE_F16, 1)                 \
	NUMBER(GGML_TYPE_Q4_0, 2)                \
	NUMBER(GGML_TYPE_Q5_0, 6)                \
	NUMBER(GGML_TYPE_Q8_0, 8)                \
	NUMBER(GGML_TYPE_Q4_K, 12)               \
	NUMBER(GGML_TYPE_Q5_K, 13)               \
	NUMBER(GGML_TYPE_Q6_K, 14)               \
	NUMBER(GGML_TYPE_Q8_K, 15)               \
	NUMBER(GGML_TYPE_IQ4_NL, 20)             \
	NUMBER(GGML_TYPE_I32, 26)                \
	NUMBER(GGML_TYPE_BF16, 30)               \
	NUMBER(GGML_TYPE_COUNT, 40)              \
	NUMBER(GGML_OP_MUL_MAT, 29)              \
	NUMBER(GGML_STATUS_SUCCESS, 0)           \
	NUMBER(GGML_STATUS_ABORTED, 1)           \
	NUMBER(GGML_LOG_LEVEL_WARN, 3)           \
	NUMBER(GGML_LOG_LEVEL_ERROR, 4)          \
	NUMBER(GGML_LOG_LEVEL_CONT, 5)           \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_CPU, 0)  \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_GPU, 1)  \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_IGPU, 2) \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_ACCEL, 3) \
	NUMBER(GGML_BACKEND_BUFFER_USAGE_WEIGHTS, 1)

#define PALI_AS_ENUM(name, value) PALI_##name = value,
enum { PALI_GGML_NUMBERS(PALI_AS_ENUM) };

#endif
