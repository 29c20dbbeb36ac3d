//go:build !darwin

/* One activation at a time times weights in blocks: what each step of an answer is made of, and
 * bound by how fast memory gives the weights. */

#include "blocks_avx512.h"

#ifdef PALI_AVX512

#define ROWS 4             /* at a time: they share what is read of the activation */
#define PAIR (2 * GROUP)   /* elements of a vector */
#define MAX_K 32768        /* elements of a row */
#define TASKS_PER_THREAD 8
#define HEIGHT_STEP 32     /* a task's rows are a multiple of it */

/* An activation of up to MAX_K elements. vpdpbusd multiplies four unsigned bytes of a row with four
 * signed ones of the activation; less takes the offset of the row's bytes off again. scale is the
 * activation's: for each vector in the lanes of its groups, or one for each long block. */
struct activation {
	int8_t x[MAX_K];
	int32_t less[MAX_K / 4];
	float scale[MAX_K / PAIR * LANES];
	int16_t sums[MAX_K / GROUP]; /* of long blocks' groups */
};

INLINE void read_activation(struct activation *to, unsigned type, const char *b, int64_t blocks) {
	int64_t groups = blocks * groups_of(type), bytes = activation_bytes(type);
	const __m256i offset = _mm256_set1_epi8((char)offset_of(type));
	for (int64_t g = 0; g < groups; g++) {
		const char *block = b + g / groups_of(type) * bytes;
		__m256i x = is_long(type) ? load_32(block + 4 + g % 8 * GROUP) : load_32(block + HALF);
		_mm256_storeu_si256((__m256i *)(void *)(to->x + g * GROUP), x);
		__m256i sum = _mm256_dpbusd_epi32(_mm256_setzero_si256(), offset, x);
		_mm256_storeu_si256((__m256i *)(void *)(to->less + g * GROUP / 4),
		                    _mm256_sub_epi32(_mm256_setzero_si256(), sum));
		if (!is_long(type)) {
			_mm256_storeu_ps(to->scale + g * LANES / 2, _mm256_set1_ps(from_half(block)));
			continue;
		}
		int16_t sums[2];
		memcpy(sums, block + 4 + 256 + g % 8 * 4, sizeof sums);
		to->sums[g] = (int16_t)(sums[0] + sums[1]);
		memcpy(&to->scale[g / 8], block, 4);
	}
	if (groups % 2 == 1) { /* the last vector's second half is zero */
		memset(to->x + groups * GROUP, 0, GROUP);
		memset(to->less + groups * GROUP / 4, 0, GROUP);
		memset(to->scale + groups * LANES / 2, 0, LANES / 2 * sizeof(float));
	}
}

/* Fetches the block distance bytes after x: the next rows' block. The processor's own prefetcher
 * sees no pattern in several rows at once. After the last rows there is nothing; the address is a
 * number, since a pointer may not leave its array. */
INLINE void prefetch(unsigned type, const char *x, int64_t distance) {
#pragma GCC unroll 4
	for (int64_t i = 0; i < bytes_of(type); i += 64) {
		__builtin_prefetch((const void *)((uintptr_t)x + (uintptr_t)(distance + i)), 0, 2);
	}
}

INLINE __m512i dot(unsigned type, const struct activation *t, int64_t element, __m512i row) {
	__m512i less = offset_of(type) == 0 ? _mm512_setzero_si512() : _mm512_loadu_si512(t->less + element / 4);
	return _mm512_dpbusd_epi32(less, row, _mm512_loadu_si512(t->x + element));
}

/* c [rows] = rows of short blocks times the activation. */
INLINE void short_rows(unsigned type, int rows, const struct activation *t, const char *a, int64_t stride,
                       int64_t blocks, float *c) {
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

/* The scales of groups g and g+1, of those of a block, in the lanes of their elements. */
INLINE __m512i lane_scales(unsigned type, __m128i scales, int g) {
	if (type == PALI_GGML_TYPE_Q6_K) {
		const __m128i each = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
		return _mm512_cvtepi8_epi32(_mm_shuffle_epi8(scales, _mm_add_epi8(each, _mm_set1_epi8((char)(2 * g)))));
	}
	const __m128i each = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
	return _mm512_cvtepi8_epi32(_mm_shuffle_epi8(scales, _mm_add_epi8(each, _mm_set1_epi8((char)g))));
}

/* c [rows] = rows of long blocks times the activation. */
INLINE void long_rows(unsigned type, int rows, const struct activation *t, const char *a, int64_t stride,
                      int64_t blocks, float *c) {
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
			__m128i scales = type == PALI_GGML_TYPE_Q6_K ? load_16(x + 128 + 64) : six_bits(x);
			__m512i all = _mm512_setzero_si512();
#pragma GCC unroll 4
			for (int g = 0; g < 8; g += 2) {
				__m512i dots = dot(type, t, (b * 8 + g) * GROUP, unpack(type, x, x, g));
				all = _mm512_add_epi32(all, _mm512_mullo_epi32(dots, lane_scales(type, scales, g)));
			}
			float d = t->scale[b] * from_half(type == PALI_GGML_TYPE_Q6_K ? x + 128 + 64 + 16 : x);
			sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(d), sums[i]);
			if (has_minimum(type)) {
				__m128i sums16 = load_16((const char *)(t->sums + b * 8));
				__m128i sum = _mm_madd_epi16(_mm_cvtepi8_epi16(_mm_srli_si128(scales, 8)), sums16);
				__m128 d_min = _mm_set1_ps(t->scale[b] * from_half(x + HALF));
				minima[i] = _mm_fmadd_ps(_mm_cvtepi32_ps(sum), d_min, minima[i]);
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

INLINE void rows_of(unsigned type, int rows, const struct activation *t, const char *a, int64_t stride,
                    int64_t blocks, float *c) {
	if (is_long(type)) {
		long_rows(type, rows, t, a, stride, blocks, c);
	} else {
		short_rows(type, rows, t, a, stride, blocks, c);
	}
}

INLINE void task(unsigned type, const struct pali_gemm *p, int64_t row, int64_t from, int64_t to) {
	struct activation t;
	int64_t stride = p->lda * bytes_of(type), last = row + p->height < p->m ? row + p->height : p->m;
	for (int64_t column = from; column < to; column++) {
		float *c = p->c + column * p->ldc;
		int64_t r = row;
		read_activation(&t, type, p->b + column * p->ldb * activation_bytes(type), p->k);
		for (; r + ROWS <= last; r += ROWS) {
			rows_of(type, ROWS, &t, p->a + r * stride, stride, p->k, c + r);
		}
		for (; r < last; r++) {
			rows_of(type, 1, &t, p->a + r * stride, stride, p->k, c + r);
		}
	}
}

static void run(const struct pali_gemm *p, int64_t row, int64_t from, int64_t to) {
#define CALL(type) task(type, p, row, from, to)
	FOR_TYPE(p->type, CALL)
#undef CALL
}

/* The more rows a task has, the longer a thread reads memory in order. */
static bool plan(struct pali_gemm *p, int threads) {
	int64_t share = (p->m + TASKS_PER_THREAD * threads - 1) / (TASKS_PER_THREAD * threads);
	p->height = (share + HEIGHT_STEP - 1) / HEIGHT_STEP * HEIGHT_STEP;
	return p->n < PALI_GEMM_MIN_COLUMNS && p->k * groups_of(p->type) * GROUP <= MAX_K;
}

const struct pali_gemm_kernel pali_gemv_avx512 = {has_blocks, plan, run};

#endif
