//go:build !darwin

/* Many activations times weights in blocks. A task packs rows of the weights, as much of them as
 * a cache holds, so that a vector has four elements of each of LANES rows, and multiplies all
 * activations with them. */

#include "blocks_avx512.h"

#ifdef PALI_AVX512

#define BLOCK_ROWS 128            /* of a task */
#define PAIR (2 * LANES)          /* rows of a tile */
#define PANELS (BLOCK_ROWS / PAIR) /* tiles of a task, side by side */
#define GROUPS 16                 /* of each row at a time */
#define QUADS (GROUP / 4)

/* PAIR rows. vpdpbusd multiplies four signed bytes of each row with four unsigned ones of an
 * activation: its elements have 128 added, and less is -128 times the sum of the weights. Scales
 * and less are one for a group, or one for each half of it. */
struct panel {
	int8_t w[GROUPS * QUADS][4 * PAIR];
	int32_t less[2 * GROUPS][PAIR];
	float scale[2 * GROUPS][PAIR];
	float minimum[GROUPS][PAIR];
};

/* Up to TILE_ROWS activations, with 128 added; sum is that of a group's elements, times the
 * scale. */
struct activations {
	uint8_t x[TILE_ROWS][GROUPS * GROUP];
	float scale[TILE_ROWS][GROUPS], sum[TILE_ROWS][GROUPS];
};

/* The scales of group g of a row's block, and its minimum, into group at of a panel. */
INLINE void put_scales(struct panel *to, unsigned type, const char *block, int g, int64_t at, int lane) {
	if (type == PALI_GGML_TYPE_Q6_K) {
		float d = from_half(block + 128 + 64 + 16);
		const int8_t *scales = (const int8_t *)block + 128 + 64 + 2 * g;
		to->scale[2 * at][lane] = d * scales[0];
		to->scale[2 * at + 1][lane] = d * scales[1];
		return;
	}
	if (!is_long(type)) {
		to->scale[at][lane] = from_half(block);
		return;
	}
	uint8_t six[16];
	_mm_storeu_si128((__m128i *)(void *)six, six_bits(block));
	to->scale[at][lane] = from_half(block) * six[g];
	to->minimum[at][lane] = from_half(block + HALF) * six[8 + g];
}

/* Groups group and group+1 of LANES rows, of which rows exist, into groups at and at+1 of the
 * left or right half of a panel. Without a second group, group at+1 is a copy of at. */
INLINE void pack_two(struct panel *to, unsigned type, const char *a, int64_t stride, int64_t rows, int64_t group,
                     int64_t at, bool second, int half) {
	vec lanes[LANES];
	int shared = shared_by(type) / 4, g = (int)(group % groups_of(type)), from = half * LANES;
	for (int i = 0; i < LANES; i++) {
		const char *x = a + (i < rows ? i : 0) * stride + group / groups_of(type) * bytes_of(type);
		const char *y = is_long(type) || !second ? x : x + bytes_of(type);
		lanes[i] = (vec)_mm512_sub_epi8(unpack(type, x, y, g), _mm512_set1_epi8((char)offset_of(type)));
		put_scales(to, type, x, g, at, from + i);
		put_scales(to, type, y, is_long(type) ? g + 1 : 0, at + 1, from + i);
	}
	transpose(lanes);
	for (int i = 0; i < 2 * QUADS; i += shared) {
		__m512i sum = _mm512_setzero_si512();
		for (int j = i; j < i + shared; j++) {
			__m512i v = (__m512i)lanes[j];
			_mm512_storeu_si512(to->w[at * QUADS + j] + from * 4, v);
			sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), v);
		}
		_mm512_storeu_si512(to->less[at * QUADS / shared + i / shared] + from,
		                    _mm512_sub_epi32(_mm512_setzero_si512(), sum));
	}
}

INLINE void pack(struct panel *to, unsigned type, const struct pali_gemm *p, int64_t row, int64_t group,
                 int64_t groups) {
	int64_t stride = p->lda * bytes_of(type);
	for (int half = 0; half < 2; half++, row += LANES) {
		int64_t there = row < p->m ? row : p->m - 1; /* the last row fills up the panel, and is not stored */
		for (int64_t g = 0; g < groups; g += 2) {
			pack_two(to, type, p->a + there * stride, stride, p->m - there, group + g, g, g + 1 < groups, half);
		}
	}
}

INLINE __m256i add_128(const char *x) { return _mm256_xor_si256(load_32(x), _mm256_set1_epi8((char)128)); }

/* groups groups, from group on, of n activations from column on. */
INLINE void read_activations(struct activations *to, unsigned type, const struct pali_gemm *p, int64_t column,
                             int64_t n, int64_t group, int64_t groups) {
	for (int64_t i = 0; i < n; i++) {
		for (int64_t j = 0; j < groups; j++) {
			__m256i *x = (__m256i *)(void *)(to->x[i] + j * GROUP);
			if (!is_long(type)) {
				const char *b = p->b + ((column + i) * p->ldb + group + j) * activation_bytes(type);
				_mm256_storeu_si256(x, add_128(b + HALF));
				to->scale[i][j] = from_half(b);
				continue;
			}
			const char *b = p->b + ((column + i) * p->ldb + (group + j) / 8) * activation_bytes(type);
			int64_t g = (group + j) % 8;
			int16_t sums[2];
			_mm256_storeu_si256(x, add_128(b + 4 + g * GROUP));
			memcpy(&to->scale[i][j], b, 4);
			memcpy(sums, b + 4 + 256 + 4 * g, sizeof sums);
			to->sum[i][j] = to->scale[i][j] * (float)(sums[0] + sums[1]);
		}
	}
}

/* The mask of LANES lanes of which n are used. */
INLINE __mmask16 lane_mask(int64_t n) { return (__mmask16)(n >= LANES ? 0xffff : n <= 0 ? 0 : (1u << n) - 1); }

/* c [n,PAIR] += activations x times these groups of w, of whose rows only rows exist; first: c
 * counts as zero. shared is the quads of elements that share a scale. */
INLINE void block_tile(int shared, bool minimum, int n, const struct panel *w, const struct activations *x,
                       int64_t groups, float *c, int64_t ldc, bool first, int64_t rows) {
	int scales = QUADS / shared;
	__mmask16 there[2] = {lane_mask(rows), lane_mask(rows - LANES)};
	float *c_right = rows > LANES ? c + LANES : c; /* of c's right half, if it has one */
	__m512 sums[TILE_ROWS][2];
#pragma GCC unroll 8
	for (int i = 0; i < n; i++) {
		sums[i][0] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(there[0], c + i * ldc);
		sums[i][1] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(there[1], c_right + i * ldc);
	}
	for (int64_t s = 0; s < groups * scales; s++) {
		__m512i dots[TILE_ROWS][2];
#pragma GCC unroll 8
		for (int i = 0; i < n; i++) {
			dots[i][0] = _mm512_loadu_si512(w->less[s]);
			dots[i][1] = _mm512_loadu_si512(w->less[s] + LANES);
		}
#pragma GCC unroll 8
		for (int q = 0; q < shared; q++) {
			const int8_t *quad = w->w[s * shared + q];
			__m512i left = _mm512_loadu_si512(quad), right = _mm512_loadu_si512(quad + 4 * LANES);
#pragma GCC unroll 8
			for (int i = 0; i < n; i++) {
				int32_t four;
				memcpy(&four, x->x[i] + (s * shared + q) * 4, sizeof four);
				__m512i v = _mm512_set1_epi32(four);
				dots[i][0] = _mm512_dpbusd_epi32(dots[i][0], v, left);
				dots[i][1] = _mm512_dpbusd_epi32(dots[i][1], v, right);
			}
		}
		__m512 left = _mm512_loadu_ps(w->scale[s]), right = _mm512_loadu_ps(w->scale[s] + LANES);
#pragma GCC unroll 8
		for (int i = 0; i < n; i++) {
			__m512 scale = _mm512_set1_ps(x->scale[i][s / scales]);
			sums[i][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][0]), _mm512_mul_ps(left, scale), sums[i][0]);
			sums[i][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][1]), _mm512_mul_ps(right, scale), sums[i][1]);
			if (minimum) {
				__m512 sum = _mm512_set1_ps(x->sum[i][s]);
				sums[i][0] = _mm512_fnmadd_ps(_mm512_loadu_ps(w->minimum[s]), sum, sums[i][0]);
				sums[i][1] = _mm512_fnmadd_ps(_mm512_loadu_ps(w->minimum[s] + LANES), sum, sums[i][1]);
			}
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < n; i++) {
		_mm512_mask_storeu_ps(c + i * ldc, there[0], sums[i][0]);
		_mm512_mask_storeu_ps(c_right + i * ldc, there[1], sums[i][1]);
	}
}

/* block_tile with n as a constant. */
INLINE void tiles(int shared, bool minimum, int64_t n, const struct panel *w, const struct activations *x,
                  int64_t groups, float *c, int64_t ldc, bool first, int64_t rows) {
	switch (n) {
	case 1: block_tile(shared, minimum, 1, w, x, groups, c, ldc, first, rows); break;
	case 2: block_tile(shared, minimum, 2, w, x, groups, c, ldc, first, rows); break;
	case 3: block_tile(shared, minimum, 3, w, x, groups, c, ldc, first, rows); break;
	case 4: block_tile(shared, minimum, 4, w, x, groups, c, ldc, first, rows); break;
	case 5: block_tile(shared, minimum, 5, w, x, groups, c, ldc, first, rows); break;
	default: block_tile(shared, minimum, TILE_ROWS, w, x, groups, c, ldc, first, rows); break;
	}
}

/* The three kinds of blocks: a scale for a group, one for each half of it, and one with a
 * minimum. */
typedef void (*tiles_fn)(int64_t n, const struct panel *w, const struct activations *x, int64_t groups,
                         float *c, int64_t ldc, bool first, int64_t rows);

static void whole_tiles(int64_t n, const struct panel *w, const struct activations *x, int64_t groups,
                        float *c, int64_t ldc, bool first, int64_t rows) {
	tiles(QUADS, false, n, w, x, groups, c, ldc, first, rows);
}
static void half_tiles(int64_t n, const struct panel *w, const struct activations *x, int64_t groups,
                       float *c, int64_t ldc, bool first, int64_t rows) {
	tiles(QUADS / 2, false, n, w, x, groups, c, ldc, first, rows);
}
static void minimum_tiles(int64_t n, const struct panel *w, const struct activations *x, int64_t groups,
                          float *c, int64_t ldc, bool first, int64_t rows) {
	tiles(QUADS, true, n, w, x, groups, c, ldc, first, rows);
}

INLINE tiles_fn tiles_of(unsigned type) {
	return has_minimum(type) ? minimum_tiles : shared_by(type) < GROUP ? half_tiles : whole_tiles;
}

INLINE void task(unsigned type, const struct pali_gemm *p, int64_t row, int64_t from, int64_t to) {
	struct panel w[PANELS];
	struct activations x;
	int64_t all = p->k * groups_of(type), rows = p->m - row < BLOCK_ROWS ? p->m - row : BLOCK_ROWS;
	for (int64_t group = 0; group < all; group += GROUPS) {
		int64_t groups = all - group < GROUPS ? all - group : GROUPS;
		for (int64_t r = 0; r < rows; r += PAIR) {
			pack(&w[r / PAIR], type, p, row + r, group, groups);
		}
		for (int64_t t = from; t < to; t += TILE_ROWS) {
			int64_t n = to - t < TILE_ROWS ? to - t : TILE_ROWS;
			read_activations(&x, type, p, t, n, group, groups);
			for (int64_t r = 0; r < rows; r += PAIR) {
				float *c = p->c + t * p->ldc + row + r;
				tiles_of(type)(n, &w[r / PAIR], &x, groups, c, p->ldc, group == 0, rows - r);
			}
		}
	}
}

static void run(const struct pali_gemm *p, int64_t row, int64_t from, int64_t to) {
#define CALL(type) task(type, p, row, from, to)
	FOR_TYPE(p->type, CALL)
#undef CALL
}

static bool plan(struct pali_gemm *p, int threads) {
	(void)threads;
	p->height = BLOCK_ROWS;
	return p->n >= PALI_GEMM_MIN_COLUMNS;
}

const struct pali_gemm_kernel pali_gemm_blocks_avx512 = {has_blocks, plan, run};

#endif
