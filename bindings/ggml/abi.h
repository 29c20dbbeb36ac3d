/* The parts of ggml's binary interface that the bindings rely on: a few structs, and numbers.
 *
 * Written out for the ggml that github.com/ollama/ollama v0.17.4 carries. abi_test.go compiles
 * assertions of every size, offset and number against that module's own headers; nothing here is
 * trusted without them. Each field and each number is listed once: the lists make the declarations
 * below, and the assertions in the test. The names carry the prefix pali_ so that both sets of
 * headers fit into one compilation. */
#ifndef PALI_GGML_ABI_H
#define PALI_GGML_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ggml_tensor;
struct ggml_threadpool;

typedef void (*pali_to_float_fn)(const void *x, float *y, int64_t k);

/* The fields of a struct S in their order: F(S, type, name, array dimension). */

#define PALI_GGML_INIT_PARAMS(F, S) \
	F(S, size_t, mem_size, )        \
	F(S, void *, mem_buffer, )      \
	F(S, bool, no_alloc, )

/* The first fields of an entry of ggml's type table. */
#define PALI_GGML_TYPE_TRAITS(F, S)       \
	F(S, const char *, type_name, )       \
	F(S, int64_t, blck_size, )            \
	F(S, int64_t, blck_size_interleave, ) \
	F(S, size_t, type_size, )             \
	F(S, bool, is_quantized, )            \
	F(S, pali_to_float_fn, to_float, )

#define PALI_GGML_TENSOR(F, S)                                                        \
	F(S, unsigned, type, )                                                            \
	F(S, void *, buffer, )                                                            \
	F(S, int64_t, ne, [4])                                                            \
	F(S, size_t, nb, [4]) /* bytes from one element of an axis to the next */         \
	F(S, unsigned, op, )                                                              \
	F(S, int32_t, op_params, [16])                                                    \
	F(S, int32_t, flags, )                                                            \
	F(S, struct ggml_tensor *, src, [10])                                             \
	F(S, struct ggml_tensor *, view_src, ) /* the tensor whose data this shows, or NULL */ \
	F(S, size_t, view_offs, )                                                         \
	F(S, void *, data, )                                                              \
	F(S, char, name, [64])

/* What each of the processor's threads gets for a node: it is thread ith of nth. */
#define PALI_GGML_COMPUTE_PARAMS(F, S) \
	F(S, int, ith, )                   \
	F(S, int, nth, )                   \
	F(S, size_t, wsize, )              \
	F(S, void *, wdata, )              \
	F(S, struct ggml_threadpool *, threadpool, )

/* One of the features a backend was compiled with. */
#define PALI_GGML_BACKEND_FEATURE(F, S) \
	F(S, const char *, name, )          \
	F(S, const char *, value, )

/* Every struct: WHOLE(name, its fields), or HEAD(name, its first fields). */
#define PALI_GGML_STRUCTS(WHOLE, HEAD)                    \
	WHOLE(ggml_init_params, PALI_GGML_INIT_PARAMS)        \
	HEAD(ggml_type_traits, PALI_GGML_TYPE_TRAITS)         \
	HEAD(ggml_tensor, PALI_GGML_TENSOR)                   \
	WHOLE(ggml_compute_params, PALI_GGML_COMPUTE_PARAMS)  \
	WHOLE(ggml_backend_feature, PALI_GGML_BACKEND_FEATURE)

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
	NUMBER(GGML_TYPE_BF16, 30)               \
	NUMBER(GGML_TYPE_COUNT, 40)              \
	NUMBER(GGML_OP_MUL_MAT, 29)              \
	NUMBER(GGML_N_TASKS_MAX, -1)             \
	NUMBER(GGML_PREC_F32, 10)                \
	NUMBER(GGML_STATUS_SUCCESS, 0)           \
	NUMBER(GGML_STATUS_ABORTED, 1)           \
	NUMBER(GGML_LOG_LEVEL_WARN, 3)           \
	NUMBER(GGML_LOG_LEVEL_ERROR, 4)          \
	NUMBER(GGML_LOG_LEVEL_CONT, 5)           \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_CPU, 0)  \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_GPU, 1)  \
	NUMBER(GGML_BACKEND_DEVICE_TYPE_IGPU, 2) \
	NUMBER(GGML_BACKEND_BUFFER_USAGE_WEIGHTS, 1)

#define PALI_FIELD(struct_name, type, name, dimension) type name dimension;
#define PALI_STRUCT(name, fields) struct pali_##name { fields(PALI_FIELD, name) };
PALI_GGML_STRUCTS(PALI_STRUCT, PALI_STRUCT)

#define PALI_AS_ENUM(name, value) PALI_##name = value,
enum { PALI_GGML_NUMBERS(PALI_AS_ENUM) };

#endif
