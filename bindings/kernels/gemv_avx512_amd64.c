/* One token times weights in blocks: what each step of an answer is made of, and bound by how fast memory gives the weights.
 * Before it: product.c. After it: nothing. */

#include "product_types.h"

#ifdef PALI_PRODUCT

#define ROWS 4         /* at a time: they share what is read of the token */
#define BOTH (2 * GROUP) /* elements of a vector */

/* A token of up to PALI_TOKEN_K elements. vpdpbusd multiplies four unsigned bytes of a row with four signed ones of the token; less takes
 * the offset of the row's bytes off again. scale is the token's: for each vector in the lanes of its groups, or one for each long block. */
struct token {
	int8_t x[PALI_TOKEN_K];
	int32_t less[PALI_TOKEN_K / 4];
	float scale[PALI_TOKEN_K / BOTH * LANES];
	int16_t sums[PALI_TOKEN_K / GROUP]; /* of long blocks' groups */
};

INLINE void read_token(struct token *to, unsigned type, const char *b, int64_t blocks) {
	int64_t groups = blocks * groups_of(type), bytes = is_long(type) ? 4 + 256 + 32 : HALF + GROUP;
	const __m256i offset = _mm256_set1_epi8((char)offset_of(type));
	for (int64_t g = 0; g < groups; g++) {
		const char *block = b + g / groups_of(type) * bytes;
		__m256i x = is_long(type) ? load_32(block + 4 + g % 8 * GROUP) : load_32(block + HALF);
		_mm256_storeu_si256((__m256i *)(void *)(to->x + g * GROUP), x);
		__m256i sum = _mm256_dpbusd_epi32(_mm256_setzero_si256(), offset, x);
		_mm256_storeu_si256((__m256i *)(void *)(to->less + g * GROUP / 4), _mm256_sub_epi32(_mm256_setzero_si256(), sum));
		if (!is_long(type)) {
			_mm256_storeu_ps(to->scale + g * LANES / 2, _mm256_set1_ps(from_half(block)));
			continue;
		}
		int16_t sums[2];
		memcpy(sums, block + 4 + 256 + g % 8 * 4, sizeof sums);
		to->sums[g] = (int16_t)(sums[0] + sums[1]);
		memcpy(&to->scale[g / 8], block, 4);
	}
	if (groups % 2 == 1) { /* the last vector's second half is nothing */
		memset(to->x + groups * GROUP, 0, GROUP);
		memset(to->less + groups * GROUP / 4, 0, GROUP);
		memset(to->scale + groups * LANES / 2, 0, LANES / 2 * sizeof(float));
	}
}

/* Asks for the block that lies as far on as this step's rows are long: the rows after them. The processor sees no pattern in several rows at once. */
INLINE void prefetch(unsigned type, const char *x, int64_t distance) {
#pragma GCC unroll 4
	for (int64_t i = 0; i < bytes_of(type); i += 64) {
		__builtin_prefetch(x + distance + i, 0, 2);
	}
}

INLINE __m512i dot(unsigned type, const struct token *t, int64_t element, __m512i row) {
	__m512i less = offset_of(type) == 0 ? _mm512_setzero_si512() : _mm512_loadu_si512(t->less + element / 4);
	return _mm512_dpbusd_epi32(less, row, _mm512_loadu_si512(t->x + element));
}

/* Rows of short blocks: c [rows]. */
INLINE void short_rows(unsigned type, int rows, const struct token *t, const char *a, int64_t stride, int64_t blocks, float *c) {
	__m512 sums[ROWS];
	for (int i = 0; i < rows; i++) {
		sums[i] = _mm512_setzero_ps();
	}
	for (int64_t b = 0; b < blocks; b += 2) {
		__m512 scale = _mm512_loadu_ps(t->scale + b * LANES / 2);
#pragma GCC unroll 4
		for (int i = 0; i < rows; i++) {
			const char *x = a + i * stride + b * bytes_of(type), *y = b + 1 < blocks ? x + bytes_of(type) : x;
			prefetch(type, x, rows * stride);
			int16_t d[2];
			memcpy(&d[0], x, HALF);
			memcpy(&d[1], y, HALF);
			__m512 own = _mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_set1_epi16(d[0]), _mm_set1_epi16(d[1]), 1));
			__m512i dots = dot(type, t, b * GROUP, unpack(type, x, y, 0));
			sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), _mm512_mul_ps(own, scale), sums[i]);
		}
	}
	for (int i = 0; i < rows; i++) {
		c[i] = _mm512_reduce_add_ps(sums[i]);
	}
}

/* The lanes' scales for groups g and g+1, of those of a block. */
INLINE __m512i lane_scales(unsigned type, __m128i scales, int g) {
	if (type == PALI_GGML_TYPE_Q6_K) {
		const __m128i each = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
		return _mm512_cvtepi8_epi32(_mm_shuffle_epi8(scales, _mm_add_epi8(each, _mm_set1_epi8((char)(2 * g)))));
	}
	const __m128i each = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
	return _mm512_cvtepi8_epi32(_mm_shuffle_epi8(scales, _mm_add_epi8(each, _mm_set1_epi8((char)g))));
}

/* Rows of long blocks: c [rows]. */
INLINE void long_rows(unsigned type, int rows, const struct token *t, const char *a, int64_t stride, int64_t blocks, float *c) {
	__m512 sums[ROWS];
	__m128 minima[ROWS];
	for (int i = 0; i < rows; i++) {
		sums[i] = _mm512_setzero_ps();
		minima[i] = _mm_setzero_ps();
	}
	for (int64_t b = 0; b < blocks; b++) {
#pragma GCC unroll 4
		for (int i = 0; i < rows; i++) {
			const char *x = a + i * stride + b * bytes_of(type);
			prefetch(type, x, rows * stride);
			__m128i scales = type == PALI_GGML_TYPE_Q6_K ? _mm_loadu_si128((const __m128i *)(const void *)(x + 128 + 64)) : six_bits(x);
			__m512i all = _mm512_setzero_si512();
#pragma GCC unroll 4
			for (int g = 0; g < 8; g += 2) {
				__m512i dots = dot(type, t, (b * 8 + g) * GROUP, unpack(type, x, x, g));
				all = _mm512_add_epi32(all, _mm512_mullo_epi32(dots, lane_scales(type, scales, g)));
			}
			float d = t->scale[b] * from_half(type == PALI_GGML_TYPE_Q6_K ? x + 128 + 64 + 16 : x);
			sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(d), sums[i]);
			if (has_minimum(type)) {
				__m128i sum = _mm_madd_epi16(_mm_cvtepi8_epi16(_mm_srli_si128(scales, 8)), _mm_loadu_si128((const __m128i *)(const void *)(t->sums + b * 8)));
				minima[i] = _mm_fmadd_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(t->scale[b] * from_half(x + HALF)), minima[i]);
			}
		}
	}
	for (int i = 0; i < rows; i++) {
		c[i] = _mm512_reduce_add_ps(sums[i]);
		if (has_minimum(type)) {
			__m128 v = _mm_hadd_ps(minima[i], minima[i]);
			c[i] -= _mm_cvtss_f32(_mm_hadd_ps(v, v));
		}
	}
}

INLINE void rows_of(unsigned type, int rows, const struct token *t, const char *a, int64_t stride, int64_t blocks, float *c) {
	if (is_long(type)) {
		long_rows(type, rows, t, a, stride, blocks, c);
	} else {
		short_rows(type, rows, t, a, stride, blocks, c);
	}
}

INLINE void task(unsigned type, const struct product *p, int64_t row, int64_t from, int64_t to) {
	struct token t;
	int64_t stride = p->lda * bytes_of(type), last = row + p->height < p->m ? row + p->height : p->m;
	for (int64_t token = from; token < to; token++) {
		float *c = p->c + token * p->ldc;
		int64_t r = row;
		read_token(&t, type, p->b + token * p->ldb * (is_long(type) ? 4 + 256 + 32 : HALF + GROUP), p->k);
		for (; r + ROWS <= last; r += ROWS) {
			rows_of(type, ROWS, &t, p->a + r * stride, stride, p->k, c + r);
		}
		for (; r < last; r++) {
			rows_of(type, 1, &t, p->a + r * stride, stride, p->k, c + r);
		}
	}
}

void pali_product_token(const struct product *p, int64_t row, int64_t from, int64_t to) {
#define CALL(type) task(type, p, row, from, to)
	FOR_TYPE(p->type, CALL)
#undef CALL
}

#endif
