/* The parts of llama.cpp's binary interface that this package relies on: three structs passed by
 * value, and numbers.
 *
 * Written out for the llama.cpp that github.com/ollama/ollama v0.17.4 carries. abi_test.go compiles
 * assertions of every size, offset and number against that module's own headers; nothing here is
 * trusted without them. Each field and each number is listed once: the lists make the declarations
 * below, and the assertions in the test. The names carry the prefix pali_ so that both sets of
 * headers fit into one compilation. */
#ifndef PALI_LLAMA_ABI_H
#define PALI_LLAMA_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ggml_backend_device;

/* The fields of a struct S in their order: F(S, type, name, array dimension). */

#define PALI_LLAMA_MODEL_PARAMS(F, S)                                                   \
	F(S, struct ggml_backend_device **, devices, ) /* ends with NULL; NULL: all */      \
	F(S, const void *, tensor_buft_overrides, )                                         \
	F(S, int32_t, n_gpu_layers, )                                                       \
	F(S, unsigned, split_mode, )                                                        \
	F(S, int32_t, main_gpu, )                                                           \
	F(S, const float *, tensor_split, )                                                 \
	F(S, void *, progress_callback, )                                                   \
	F(S, void *, progress_callback_user_data, )                                         \
	F(S, const void *, kv_overrides, )                                                  \
	F(S, bool, vocab_only, )                                                            \
	F(S, bool, use_mmap, )                                                              \
	F(S, bool, use_mlock, )                                                             \
	F(S, bool, check_tensors, )                                                         \
	F(S, bool, use_extra_bufts, )                                                       \
	F(S, bool, no_host, )                                                               \
	F(S, bool, no_alloc, )

#define PALI_LLAMA_CONTEXT_PARAMS(F, S) \
	F(S, uint32_t, n_ctx, )             \
	F(S, uint32_t, n_batch, )           \
	F(S, uint32_t, n_ubatch, )          \
	F(S, uint32_t, n_seq_max, )         \
	F(S, int32_t, n_threads, )          \
	F(S, int32_t, n_threads_batch, )    \
	F(S, int, rope_scaling_type, )      \
	F(S, int, pooling_type, )           \
	F(S, int, attention_type, )         \
	F(S, int, flash_attn_type, )        \
	F(S, float, rope_freq_base, )       \
	F(S, float, rope_freq_scale, )      \
	F(S, float, yarn_ext_factor, )      \
	F(S, float, yarn_attn_factor, )     \
	F(S, float, yarn_beta_fast, )       \
	F(S, float, yarn_beta_slow, )       \
	F(S, uint32_t, yarn_orig_ctx, )     \
	F(S, float, defrag_thold, )         \
	F(S, void *, cb_eval, )             \
	F(S, void *, cb_eval_user_data, )   \
	F(S, unsigned, type_k, )            \
	F(S, unsigned, type_v, )            \
	F(S, void *, abort_callback, )      \
	F(S, void *, abort_callback_data, ) \
	F(S, bool, embeddings, )            \
	F(S, bool, offload_kqv, )           \
	F(S, bool, no_perf, )               \
	F(S, bool, op_offload, )            \
	F(S, bool, swa_full, )              \
	F(S, bool, kv_unified, )

#define PALI_LLAMA_BATCH(F, S) \
	F(S, int32_t, n_tokens, )  \
	F(S, int32_t *, token, )   \
	F(S, float *, embd, )      \
	F(S, int32_t *, pos, )     \
	F(S, int32_t *, n_seq_id, ) \
	F(S, int32_t **, seq_id, ) \
	F(S, int8_t *, logits, )

/* Every struct: WHOLE(name, its fields), or HEAD(name, its first fields). */
#define PALI_LLAMA_STRUCTS(WHOLE, HEAD)                    \
	WHOLE(llama_model_params, PALI_LLAMA_MODEL_PARAMS)     \
	WHOLE(llama_context_params, PALI_LLAMA_CONTEXT_PARAMS) \
	WHOLE(llama_batch, PALI_LLAMA_BATCH)

/* Every number used: NUMBER(name of the enum value, value). */
#define PALI_LLAMA_NUMBERS(NUMBER)            \
	NUMBER(LLAMA_FLASH_ATTN_TYPE_DISABLED, 0) \
	NUMBER(LLAMA_FLASH_ATTN_TYPE_ENABLED, 1)

#define PALI_FIELD(struct_name, type, name, dimension) type name dimension;
#define PALI_STRUCT(name, fields) struct pali_##name { fields(PALI_FIELD, name) };
PALI_LLAMA_STRUCTS(PALI_STRUCT, PALI_STRUCT)

#define PALI_AS_ENUM(name, value) PALI_##name = value,
enum { PALI_LLAMA_NUMBERS(PALI_AS_ENUM) };

#endif
