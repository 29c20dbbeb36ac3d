/* What the files of the matrix product share. Before it: nothing. After it: product.c, which ggml calls, and the three kinds of product that it
 * chooses from: product_floats.c, product_blocks.c (many tokens), product_token.c (one token). */
#ifndef PALI_GGML_PRODUCT_H
#define PALI_GGML_PRODUCT_H

#include "kernels.h"

#if defined(__x86_64__) && !defined(__APPLE__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#define PALI_PRODUCT

/* C [n,m] = B [n,k] A [m,k]^T, in llamafile's letters: A is the weights, B the tokens. Strides are in elements of the type, or in blocks; so is k. */
struct product {
	int64_t m, n, k;
	const char *a, *b;
	int64_t lda, ldb;
	float *c;
	int64_t ldc;
	unsigned type;  /* of a; b's follows from it */
	int64_t height; /* rows of a task */
};

/* A task makes rows row..row+height of the weights times tokens from..to. */
typedef void (*pali_product_task)(const struct product *p, int64_t row, int64_t from, int64_t to);

#define PALI_FLOAT_ROWS 64  /* the height of a task with floats */
#define PALI_BLOCK_ROWS 128 /* with blocks */
#define PALI_TOKEN_K 32768  /* with blocks and few tokens, which may have any height: the longest row */

void pali_product_floats(const struct product *p, int64_t row, int64_t from, int64_t to);
void pali_product_blocks(const struct product *p, int64_t row, int64_t from, int64_t to);
void pali_product_token(const struct product *p, int64_t row, int64_t from, int64_t to);

#endif
#endif
