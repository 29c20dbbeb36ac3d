/* The C functions of llama.cpp that this package calls, declared here so that the module builds
 * without its headers being found. abi_test.go compiles this file after llama.cpp's own headers, so
 * that a declaration that differs from theirs is an error. */
#ifndef PALI_LLAMA_API_H
#define PALI_LLAMA_API_H

#include "abi.h"
#include <stdlib.h>

struct llama_model;
struct llama_context;
struct llama_vocab;
struct llama_memory_i;

typedef void (*pali_log_callback)(unsigned level, const char *text, void *user_data);
void llama_log_set(pali_log_callback log_callback, void *user_data);
void llama_backend_init(void);

struct pali_llama_model_params llama_model_default_params(void);
struct llama_model *llama_model_load_from_file(const char *path_model, struct pali_llama_model_params params);
void llama_model_free(struct llama_model *model);

const struct llama_vocab *llama_model_get_vocab(const struct llama_model *model);
int32_t llama_vocab_n_tokens(const struct llama_vocab *vocab);
bool llama_vocab_is_control(const struct llama_vocab *vocab, int32_t token);
int32_t llama_tokenize(const struct llama_vocab *vocab, const char *text, int32_t text_len, int32_t *tokens,
	int32_t n_tokens_max, bool add_special, bool parse_special);

struct pali_llama_context_params llama_context_default_params(void);
struct llama_context *llama_init_from_model(struct llama_model *model, struct pali_llama_context_params params);
void llama_free(struct llama_context *ctx);
uint32_t llama_n_ctx(const struct llama_context *ctx);
struct llama_memory_i *llama_get_memory(const struct llama_context *ctx);
void llama_memory_clear(struct llama_memory_i *mem, bool data);
bool llama_memory_seq_rm(struct llama_memory_i *mem, int32_t seq_id, int32_t p0, int32_t p1);
void llama_memory_seq_cp(struct llama_memory_i *mem, int32_t seq_id_src, int32_t seq_id_dst,
	int32_t p0, int32_t p1);
void llama_set_causal_attn(struct llama_context *ctx, bool causal_attn);

struct pali_llama_batch llama_batch_init(int32_t n_tokens, int32_t embd, int32_t n_seq_max);
void llama_batch_free(struct pali_llama_batch batch);
int32_t llama_decode(struct llama_context *ctx, struct pali_llama_batch batch);
float *llama_get_logits_ith(struct llama_context *ctx, int32_t i);

#endif
