/* Making and freeing a context of llama.cpp with less memory and in the right order: glue.c says
 * why. */
#ifndef PALI_LLAMA_GLUE_H
#define PALI_LLAMA_GLUE_H

#include "api.h"

/* llama_init_from_model and llama_free. */
struct llama_context *pali_llama_init_from_model(struct llama_model *model, struct pali_llama_context_params params);
void pali_llama_free(struct llama_context *ctx);

#endif
