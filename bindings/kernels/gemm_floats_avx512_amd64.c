/* Many tokens times weights that are floats of 32 or 16 bits. A task packs rows of the weights so that a vector has one element of each of LANES
 * rows, or two where the processor multiplies pairs of bfloat16. Before it: product.c. After it: tile, in vec.h. */

#include "product.h"
#include "vec.h"

#ifdef PALI_PRODUCT

#include <immintrin.h>

#define FLOAT_ROWS PALI_FLOAT_ROWS
#define FLOAT_K 256 /* 32-bit columns at a time: floats, or pairs of bfloat16 */

/* FLOAT_ROWS rows of the weights: floats, or pairs of bfloat16 in their places. */
struct floats { float w[FLOAT_K][FLOAT_ROWS]; };

/* LANES 32-bit columns of a row, of which n are there. */
INLINE vec row_part(unsigned type, const char *a, int64_t n) {
	__mmask16 there = n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1);
	if (type == PALI_GGML_TYPE_F16) {
		return (vec)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, a));
	}
	return (vec)_mm512_maskz_loadu_ps(there, a);
}

/* Columns k.. of the rows from row on. A pair of bfloat16 counts as one column. */
static void pack_floats(struct floats *to, const struct product *p, int64_t row, int64_t k, int64_t columns) {
	int64_t bytes = p->type == PALI_GGML_TYPE_F16 ? 2 : 4, stride = p->lda * (p->type == PALI_GGML_TYPE_F32 ? 4 : 2);
	for (int64_t from = 0; from < FLOAT_ROWS; from += LANES) {
		for (int64_t l = 0; l < columns; l += LANES) {
			vec lanes[LANES];
			for (int i = 0; i < LANES; i++) {
				const char *a = p->a + (row + from + i) * stride + (k + l) * bytes;
				lanes[i] = row + from + i < p->m ? row_part(p->type, a, columns - l) : (vec){0};
			}
			transpose(lanes);
			for (int64_t i = 0; i < LANES && l + i < columns; i++) {
				store(to->w[l + i] + from, lanes[i]);
			}
		}
	}
}

/* c [tokens,FLOAT_ROWS] += what these pairs of columns give. x is the first token's, ldx in pairs of bytes. */
INLINE void bf16_tile(int tokens, const struct floats *w, const char *x, int64_t ldx, int64_t columns, float *c, int64_t ldc, bool first) {
	__m512 sums[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			sums[i][j] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + j * LANES);
		}
	}
	for (int64_t l = 0; l < columns; l++) {
		__m512bh row[TILE_VECS];
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			row[j] = (__m512bh)_mm512_loadu_ps(w->w[l] + j * LANES);
		}
#pragma GCC unroll 8
		for (int i = 0; i < tokens; i++) {
			int32_t two;
			memcpy(&two, x + 2 * i * ldx + 4 * l, sizeof two);
			__m512bh v = (__m512bh)_mm512_set1_epi32(two);
#pragma GCC unroll 8
			for (int j = 0; j < TILE_VECS; j++) {
				sums[i][j] = _mm512_dpbf16_ps(sums[i][j], row[j], v);
			}
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			_mm512_storeu_ps(c + i * ldc + j * LANES, sums[i][j]);
		}
	}
}

/* The same for floats. 16-bit ones have been made 32-bit ones. */
INLINE void float_tile(int tokens, const struct floats *w, const float *x, int64_t ldx, int64_t columns, float *c, int64_t ldc, bool first) {
	static const float ones[TILE_ROWS] = {1, 1, 1, 1, 1, 1};
	tile(tokens, TILE_VECS, columns, x, ldx, w->w[0], FLOAT_ROWS, c, ldc, first ? NULL : ones);
}

/* The number of tokens as a constant. */
#define FOR_TOKENS(n, call)  \
	switch (n) {             \
	case 1: call(1); break;  \
	case 2: call(2); break;  \
	case 3: call(3); break;  \
	case 4: call(4); break;  \
	case 5: call(5); break;  \
	default: call(6); break; \
	}

/* Where a tile's result goes: into c, or, where fewer rows are left than a tile has, through a place of its own. */
struct place {
	float *c, spare[TILE_ROWS * FLOAT_ROWS];
	int64_t ldc, left;
};

INLINE void open_place(struct place *o, const struct product *p, int64_t token, int64_t tokens, int64_t row, bool first) {
	float *real = p->c + token * p->ldc + row;
	o->left = p->m - row;
	o->c = o->left >= FLOAT_ROWS ? real : o->spare;
	o->ldc = o->left >= FLOAT_ROWS ? p->ldc : FLOAT_ROWS;
	for (int64_t i = 0; o->c == o->spare && !first && i < tokens; i++) {
		memcpy(o->spare + i * FLOAT_ROWS, real + i * p->ldc, (size_t)o->left * sizeof(float));
	}
}

INLINE void close_place(const struct place *o, const struct product *p, int64_t token, int64_t tokens, int64_t row) {
	for (int64_t i = 0; o->c == o->spare && i < tokens; i++) {
		memcpy(p->c + (token + i) * p->ldc + row, o->spare + i * FLOAT_ROWS, (size_t)o->left * sizeof(float));
	}
}

/* Rows row.. and tokens from..to. */
void pali_product_floats(const struct product *p, int64_t row, int64_t from, int64_t to) {
	struct floats w;
	struct place o;
	float x[TILE_ROWS][FLOAT_K];
	int64_t all = p->type == PALI_GGML_TYPE_BF16 ? p->k / 2 : p->k;
	for (int64_t k = 0; k < all; k += FLOAT_K) {
		int64_t columns = all - k < FLOAT_K ? all - k : FLOAT_K;
		pack_floats(&w, p, row, k, columns);
		for (int64_t t = from; t < to; t += TILE_ROWS) {
			int64_t n = to - t < TILE_ROWS ? to - t : TILE_ROWS;
			open_place(&o, p, t, n, row, k == 0);
			if (p->type == PALI_GGML_TYPE_BF16) {
				const char *b = p->b + 2 * t * p->ldb + 4 * k;
#define CALL(n) bf16_tile(n, &w, b, p->ldb, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			} else if (p->type == PALI_GGML_TYPE_F32) {
				const float *b = (const float *)(const void *)p->b + t * p->ldb + k;
#define CALL(n) float_tile(n, &w, b, p->ldb, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			} else {
				for (int64_t i = 0; i < n; i++) {
					for (int64_t l = 0; l < columns; l += LANES) {
						store(x[i] + l, row_part(PALI_GGML_TYPE_F16, p->b + 2 * ((t + i) * p->ldb + k + l), columns - l));
					}
				}
#define CALL(n) float_tile(n, &w, x[0], FLOAT_K, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			}
			close_place(&o, p, t, n, row);
		}
	}
}

#endif
