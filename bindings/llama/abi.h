/* The parts of llama.cpp's binary interface that this package relies on: three structs passed by value, and numbers.
 *
 * Written out for the llama.cpp that github.com/ollama/ollama v0.17.4 carries. abi_test.go compiles assertions of every size,
 * offset and number against that module's own headers; nothing here is trusted without them.
 * The names carry the prefix pali_ so that both sets of headers fit into one compilation. */
#ifndef PALI_LLAMA_ABI_H
#define PALI_LLAMA_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ggml_backend_device;

struct pali_llama_model_params {
	struct ggml_backend_device **devices; /* ends with NULL; NULL: all */
	const void *tensor_buft_overrides;
	int32_t n_gpu_layers;
	unsigned split_mode;
	int32_t main_gpu;
	const float *tensor_split;
	void *progress_callback;
	void *progress_callback_user_data;
	const void *kv_overrides;
	bool vocab_only;
	bool use_mmap;
	bool use_mlock;
	bool check_tensors;
	bool use_extra_bufts;
	bool no_host;
	bool no_alloc;
};

struct pali_llama_context_params {
	uint32_t n_ctx;
	uint32_t n_batch;
	uint32_t n_ubatch;
	uint32_t n_seq_max;
	int32_t n_threads;
	int32_t n_threads_batch;
	int rope_scaling_type;
	int pooling_type;
	int attention_type;
	int flash_attn_type;
	float rope_freq_base;
	float rope_freq_scale;
	float yarn_ext_factor;
	float yarn_attn_factor;
	float yarn_beta_fast;
	float yarn_beta_slow;
	uint32_t yarn_orig_ctx;
	float defrag_thold;
	void *cb_eval;
	void *cb_eval_user_data;
	unsigned type_k;
	unsigned type_v;
	void *abort_callback;
	void *abort_callback_data;
	bool embeddings;
	bool offload_kqv;
	bool no_perf;
	bool op_offload;
	bool swa_full;
	bool kv_unified;
};

struct pali_llama_batch {
	int32_t n_tokens;
	int32_t *token;
	float *embd;
	int32_t *pos;
	int32_t *n_seq_id;
	int32_t **seq_id;
	int8_t *logits;
};

/* Every struct above: STRUCT(ours, theirs) for a whole one, FIELD(ours, theirs, field) for a field. */
#define PALI_LLAMA_STRUCTS(STRUCT, FIELD)                                               \
	STRUCT(pali_llama_model_params, llama_model_params)                                 \
	FIELD(pali_llama_model_params, llama_model_params, devices)                         \
	FIELD(pali_llama_model_params, llama_model_params, tensor_buft_overrides)           \
	FIELD(pali_llama_model_params, llama_model_params, n_gpu_layers)                    \
	FIELD(pali_llama_model_params, llama_model_params, split_mode)                      \
	FIELD(pali_llama_model_params, llama_model_params, main_gpu)                        \
	FIELD(pali_llama_model_params, llama_model_params, tensor_split)                    \
	FIELD(pali_llama_model_params, llama_model_params, progress_callback)               \
	FIELD(pali_llama_model_params, llama_model_params, progress_callback_user_data)     \
	FIELD(pali_llama_model_params, llama_model_params, kv_overrides)                    \
	FIELD(pali_llama_model_params, llama_model_params, vocab_only)                      \
	FIELD(pali_llama_model_params, llama_model_params, use_mmap)                        \
	FIELD(pali_llama_model_params, llama_model_params, use_mlock)                       \
	FIELD(pali_llama_model_params, llama_model_params, check_tensors)                   \
	FIELD(pali_llama_model_params, llama_model_params, use_extra_bufts)                 \
	FIELD(pali_llama_model_params, llama_model_params, no_host)                         \
	FIELD(pali_llama_model_params, llama_model_params, no_alloc)                        \
	STRUCT(pali_llama_context_params, llama_context_params)                             \
	FIELD(pali_llama_context_params, llama_context_params, n_ctx)                       \
	FIELD(pali_llama_context_params, llama_context_params, n_batch)                     \
	FIELD(pali_llama_context_params, llama_context_params, n_ubatch)                    \
	FIELD(pali_llama_context_params, llama_context_params, n_seq_max)                   \
	FIELD(pali_llama_context_params, llama_context_params, n_threads)                   \
	FIELD(pali_llama_context_params, llama_context_params, n_threads_batch)             \
	FIELD(pali_llama_context_params, llama_context_params, rope_scaling_type)           \
	FIELD(pali_llama_context_params, llama_context_params, pooling_type)                \
	FIELD(pali_llama_context_params, llama_context_params, attention_type)              \
	FIELD(pali_llama_context_params, llama_context_params, flash_attn_type)             \
	FIELD(pali_llama_context_params, llama_context_params, rope_freq_base)              \
	FIELD(pali_llama_context_params, llama_context_params, rope_freq_scale)             \
	FIELD(pali_llama_context_params, llama_context_params, yarn_ext_factor)             \
	FIELD(pali_llama_context_params, llama_context_params, yarn_attn_factor)            \
	FIELD(pali_llama_context_params, llama_context_params, yarn_beta_fast)              \
	FIELD(pali_llama_context_params, llama_context_params, yarn_beta_slow)              \
	FIELD(pali_llama_context_params, llama_context_params, yarn_orig_ctx)               \
	FIELD(pali_llama_context_params, llama_context_params, defrag_thold)                \
	FIELD(pali_llama_context_params, llama_context_params, cb_eval)                     \
	FIELD(pali_llama_context_params, llama_context_params, cb_eval_user_data)           \
	FIELD(pali_llama_context_params, llama_context_params, type_k)                      \
	FIELD(pali_llama_context_params, llama_context_params, type_v)                      \
	FIELD(pali_llama_context_params, llama_context_params, abort_callback)              \
	FIELD(pali_llama_context_params, llama_context_params, abort_callback_data)         \
	FIELD(pali_llama_context_params, llama_context_params, embeddings)                  \
	FIELD(pali_llama_context_params, llama_context_params, offload_kqv)                 \
	FIELD(pali_llama_context_params, llama_context_params, no_perf)                     \
	FIELD(pali_llama_context_params, llama_context_params, op_offload)                  \
	FIELD(pali_llama_context_params, llama_context_params, swa_full)                    \
	FIELD(pali_llama_context_params, llama_context_params, kv_unified)                  \
	STRUCT(pali_llama_batch, llama_batch)                                               \
	FIELD(pali_llama_batch, llama_batch, n_tokens)                                      \
	FIELD(pali_llama_batch, llama_batch, token)                                         \
	FIELD(pali_llama_batch, llama_batch, embd)                                          \
	FIELD(pali_llama_batch, llama_batch, pos)                                           \
	FIELD(pali_llama_batch, llama_batch, n_seq_id)                                      \
	FIELD(pali_llama_batch, llama_batch, seq_id)                                        \
	FIELD(pali_llama_batch, llama_batch, logits)

/* Every number used: NUMBER(name of the enum value, value). */
#define PALI_LLAMA_NUMBERS(NUMBER)                 \
	NUMBER(LLAMA_FLASH_ATTN_TYPE_DISABLED, 0)      \
	NUMBER(LLAMA_FLASH_ATTN_TYPE_ENABLED, 1)       \
	NUMBER(LLAMA_SPLIT_MODE_NONE, 0)

#define PALI_AS_ENUM(name, value) PALI_##name = value,
enum { PALI_LLAMA_NUMBERS(PALI_AS_ENUM) };

#endif
