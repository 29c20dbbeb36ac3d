//go:build !darwin

/* Many activations times weights that are floats of 32 or 16 bits. A task packs rows of the
 * weights so that a vector has one element of each of LANES rows, or two where the processor
 * multiplies pairs of bfloat16. */

#include "avx512.h"

#ifdef PALI_AVX512

#include "vec.h"
#include <immintrin.h>

#define FLOAT_ROWS 64 /* of a task */
#define FLOAT_K 256   /* 32-bit elements of each row at a time: floats, or pairs of bfloat16 */

/* FLOAT_ROWS rows of the weights, [FLOAT_K,FLOAT_ROWS]: floats, or pairs of bfloat16 in the same
 * bytes. One array, not an array of arrays: tile walks from one row to the next. */
struct floats {
	float w[FLOAT_K * FLOAT_ROWS];
};

/* LANES 32-bit elements of a row of which n are left; the others are 0. */
INLINE vec row_part(unsigned type, const char *a, int64_t n) {
	__mmask16 there = n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1);
	if (type == PALI_GGML_TYPE_F16) {
		return (vec)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, a));
	}
	return (vec)_mm512_maskz_loadu_ps(there, a);
}

/* Elements k.. of the rows from row on. A pair of bfloat16 counts as one element. */
static void pack_floats(struct floats *to, const struct pali_gemm *g, int64_t row, int64_t k, int64_t columns) {
	int64_t bytes = g->type == PALI_GGML_TYPE_F16 ? 2 : 4;
	int64_t stride = g->lda * (g->type == PALI_GGML_TYPE_F32 ? 4 : 2);
	for (int64_t from = 0; from < FLOAT_ROWS; from += LANES) {
		for (int64_t l = 0; l < columns; l += LANES) {
			vec lanes[LANES];
			for (int i = 0; i < LANES; i++) {
				int64_t r = row + from + i;
				lanes[i] = r < g->m ? row_part(g->type, g->a + r * stride + (k + l) * bytes, columns - l) : (vec){0};
			}
			transpose(lanes);
			for (int64_t i = 0; i < LANES && l + i < columns; i++) {
				store(to->w + (l + i) * FLOAT_ROWS + from, lanes[i]);
			}
		}
	}
}

/* c [n,FLOAT_ROWS] += activations x [n,..] times these pairs of elements; first: c counts as
 * zero. ldx is in bfloat16, ldc in floats. */
INLINE void bf16_tile(int n, const struct floats *w, const char *x, int64_t ldx, int64_t columns,
                      float *c, int64_t ldc, bool first) {
	__m512 sums[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 8
	for (int i = 0; i < n; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			sums[i][j] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + j * LANES);
		}
	}
	for (int64_t l = 0; l < columns; l++) {
		__m512bh row[TILE_VECS];
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			row[j] = (__m512bh)_mm512_loadu_ps(w->w + l * FLOAT_ROWS + j * LANES);
		}
#pragma GCC unroll 8
		for (int i = 0; i < n; i++) {
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
	for (int i = 0; i < n; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			_mm512_storeu_ps(c + i * ldc + j * LANES, sums[i][j]);
		}
	}
}

/* The same for 32-bit floats. */
INLINE void float_tile(int n, const struct floats *w, const float *x, int64_t ldx, int64_t columns,
                       float *c, int64_t ldc, bool first) {
	static const float ones[TILE_ROWS] = {1, 1, 1, 1, 1, 1};
	tile(n, TILE_VECS, columns, x, ldx, w->w, FLOAT_ROWS, c, ldc, first ? NULL : ones);
}

/* call(n) with n as a constant. */
#define FOR_COUNT(n, call)   \
	switch (n) {             \
	case 1: call(1); break;  \
	case 2: call(2); break;  \
	case 3: call(3); break;  \
	case 4: call(4); break;  \
	case 5: call(5); break;  \
	default: call(6); break; \
	}

/* Where a tile's result goes: into c, or, where fewer rows are left than a tile has, by way of
 * spare. */
struct tile_out {
	float *c, spare[TILE_ROWS * FLOAT_ROWS];
	int64_t ldc, left;
};

INLINE void tile_out_begin(struct tile_out *o, const struct pali_gemm *g, int64_t column, int64_t n, int64_t row,
                           bool first) {
	float *real = g->c + column * g->ldc + row;
	o->left = g->m - row;
	o->c = o->left >= FLOAT_ROWS ? real : o->spare;
	o->ldc = o->left >= FLOAT_ROWS ? g->ldc : FLOAT_ROWS;
	for (int64_t i = 0; o->c == o->spare && !first && i < n; i++) {
		memcpy(o->spare + i * FLOAT_ROWS, real + i * g->ldc, (size_t)o->left * sizeof(float));
	}
}

INLINE void tile_out_end(const struct tile_out *o, const struct pali_gemm *g, int64_t column, int64_t n, int64_t row) {
	for (int64_t i = 0; o->c == o->spare && i < n; i++) {
		memcpy(g->c + (column + i) * g->ldc + row, o->spare + i * FLOAT_ROWS, (size_t)o->left * sizeof(float));
	}
}

/* Widens n rows of 16-bit activations to x [n,FLOAT_K]. */
INLINE void read_f16(float *x, const struct pali_gemm *g, int64_t column, int64_t n, int64_t k,
                     int64_t columns) {
	for (int64_t i = 0; i < n; i++) {
		for (int64_t l = 0; l < columns; l += LANES) {
			const char *b = g->b + 2 * ((column + i) * g->ldb + k + l);
			store(x + i * FLOAT_K + l, row_part(PALI_GGML_TYPE_F16, b, columns - l));
		}
	}
}

static void run(const struct pali_gemm *g, int64_t row, int64_t from, int64_t to) {
	struct floats w;
	struct tile_out o;
	float x[TILE_ROWS * FLOAT_K];
	int64_t all = g->type == PALI_GGML_TYPE_BF16 ? g->k / 2 : g->k;
	for (int64_t k = 0; k < all; k += FLOAT_K) {
		int64_t columns = all - k < FLOAT_K ? all - k : FLOAT_K;
		pack_floats(&w, g, row, k, columns);
		for (int64_t t = from; t < to; t += TILE_ROWS) {
			int64_t n = to - t < TILE_ROWS ? to - t : TILE_ROWS;
			tile_out_begin(&o, g, t, n, row, k == 0);
			if (g->type == PALI_GGML_TYPE_BF16) {
				const char *b = g->b + 2 * t * g->ldb + 4 * k;
#define CALL(n) bf16_tile(n, &w, b, g->ldb, columns, o.c, o.ldc, k == 0)
				FOR_COUNT(n, CALL)
#undef CALL
			} else if (g->type == PALI_GGML_TYPE_F32) {
				const float *b = (const float *)(const void *)g->b + t * g->ldb + k;
#define CALL(n) float_tile(n, &w, b, g->ldb, columns, o.c, o.ldc, k == 0)
				FOR_COUNT(n, CALL)
#undef CALL
			} else {
				read_f16(x, g, t, n, k, columns);
#define CALL(n) float_tile(n, &w, x, FLOAT_K, columns, o.c, o.ldc, k == 0)
				FOR_COUNT(n, CALL)
#undef CALL
			}
			tile_out_end(&o, g, t, n, row);
		}
	}
}

static bool has(unsigned type) {
	return type == PALI_GGML_TYPE_F32 || type == PALI_GGML_TYPE_F16 || type == PALI_GGML_TYPE_BF16;
}

static bool plan(struct pali_gemm *g, int threads) {
	(void)threads;
	g->height = FLOAT_ROWS;
	return g->n >= PALI_GEMM_MIN_COLUMNS && !(g->type == PALI_GGML_TYPE_BF16 && g->k % 2 == 1);
}

const struct pali_gemm_kernel pali_gemm_floats_avx512 = {has, plan, run};

#endif
