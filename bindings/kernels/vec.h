/* Vectors of floats as the compiler's own extension (gcc, clang), as wide as the processor's
 * registers, and the one product of tiles that the kernels with floats are made of. */
#ifndef PALI_KERNELS_VEC_H
#define PALI_KERNELS_VEC_H

/* A product and its sum are rounded once, in one instruction, whatever the flags of the rest of the
 * program are (Makefile, -ffp-contract=off). */
#if defined(__clang__)
#pragma clang fp contract(fast)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=fast")
#endif

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* LANES floats are a vector; a product is computed in tiles of TILE_ROWS x TILE_VECS vectors, as
 * many as the registers hold. IOTA(f, x) is f(0, x), f(1, x), ... f(LANES - 1, x). */
#if defined(__AVX512F__)
#define LANES 16
#define TILE_VECS 4
#define IOTA(f, x)                                                                         \
	f(0, x), f(1, x), f(2, x), f(3, x), f(4, x), f(5, x), f(6, x), f(7, x), f(8, x),       \
	    f(9, x), f(10, x), f(11, x), f(12, x), f(13, x), f(14, x), f(15, x)
#elif defined(__AVX__)
#define LANES 8
#define TILE_VECS 2
#define IOTA(f, x) f(0, x), f(1, x), f(2, x), f(3, x), f(4, x), f(5, x), f(6, x), f(7, x)
#else
#define LANES 4
#if defined(__aarch64__)
#define TILE_VECS 4
#else
#define TILE_VECS 2
#endif
#define IOTA(f, x) f(0, x), f(1, x), f(2, x), f(3, x)
#endif
#define TILE_ROWS 6
#define PANEL (LANES * TILE_VECS) /* columns of a full tile */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef uint32_t uvec __attribute__((vector_size(4 * LANES)));
/* A vector anywhere in memory. */
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }

/* The first n < LANES floats; the others are loaded as zero, and are not stored. */
INLINE vec load_part(const float *p, int n) {
	vec v = {0};
	memcpy(&v, p, (size_t)n * sizeof *p);
	return v;
}
INLINE void store_part(float *p, vec v, int n) { memcpy(p, &v, (size_t)n * sizeof *p); }

INLINE vec load_upto(const float *p, int64_t n) { return n >= LANES ? load(p) : load_part(p, (int)n); }
INLINE void store_upto(float *p, vec v, int64_t n) {
	if (n >= LANES) {
		store(p, v);
	} else {
		store_part(p, v, (int)n);
	}
}

#define SPLAT(i, x) (x)
INLINE vec splat(float x) { return (vec){IOTA(SPLAT, x)}; }
INLINE vec blend(ivec where, vec yes, vec no) { return (vec)(((ivec)yes & where) | ((ivec)no & ~where)); }
INLINE vec larger(vec a, vec b) { return blend(a > b, a, b); } /* b where one is NaN */

#if defined(__clang__)
#define SHUFFLE(a, b, f, x) __builtin_shufflevector(a, b, IOTA(f, x))
#else
#define SHUFFLE(a, b, f, x) __builtin_shuffle(a, b, (ivec){IOTA(f, x)})
#endif
#define ROTATE(i, by) (((i) + (by)) % LANES)
#define INTERLEAVE(i, from) ((i) % 2 * LANES + (from) + (i) / 2)

INLINE float sum(vec v) {
#if LANES > 8
	v += SHUFFLE(v, v, ROTATE, 8);
#endif
#if LANES > 4
	v += SHUFFLE(v, v, ROTATE, 4);
#endif
	v += SHUFFLE(v, v, ROTATE, 2);
	return v[0] + v[1];
}

INLINE float largest(vec v) {
#if LANES > 8
	v = larger(v, SHUFFLE(v, v, ROTATE, 8));
#endif
#if LANES > 4
	v = larger(v, SHUFFLE(v, v, ROTATE, 4));
#endif
	v = larger(v, SHUFFLE(v, v, ROTATE, 2));
	return v[0] > v[1] ? v[0] : v[1];
}

/* LANES rows become LANES columns: log2(LANES) times, row i is interleaved with row i+LANES/2. */
INLINE void transpose(vec v[LANES]) {
#pragma GCC unroll 8
	for (int round = LANES; round > 1; round /= 2) {
		vec merged[LANES];
#pragma GCC unroll 16
		for (int i = 0; i < LANES / 2; i++) {
			merged[2 * i] = SHUFFLE(v[i], v[i + LANES / 2], INTERLEAVE, 0);
			merged[2 * i + 1] = SHUFFLE(v[i], v[i + LANES / 2], INTERLEAVE, LANES / 2);
		}
		memcpy(v, merged, sizeof merged);
	}
}

/* e to the x, with a relative error of about 1e-7, for x clamped to -87..88. x = n ln 2 + r, and
 * e^r is a polynomial: Cephes, single/expf.c. NaN stays NaN. */
INLINE vec exponential(vec x) {
	const float shift = 0x1.8p23f; /* added, it leaves the nearest integer in the low bits */
	x = blend(x < -87.0f, splat(-87.0f), blend(x > 88.0f, splat(88.0f), x));
	vec shifted = x * 1.44269504088896341f + shift;
	vec n = shifted - shift;
	vec r = x - n * 0.693359375f;
	r = r - n * -2.12194440e-4f;
	vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * (r * r) + r + 1.0f;
	uvec power = ((uvec)shifted - (uvec)splat(shift) + 127) << 23; /* unsigned: of NaN it is anything */
	return p * (vec)power;
}

/* gelu in flax's default, the tanh form 0.5*x*(1+tanh(u)) with u = sqrt(2/pi)*(x + 0.044715*x^3),
 * written as x*sigmoid(2u). */
INLINE vec gelu(vec x) {
	const float a = 1.5957691216057308f; /* 2*sqrt(2/pi) */
	return x / (exponential(x * (x * x * (-0.044715f * a) - a)) + 1.0f);
}

/* The product of a tile: c [rows, vecs*LANES] = c * scale + a [rows,k] b [k, vecs*LANES]. lda,
 * ldb and ldc are the floats from one row to the next. scale has a factor for each row of c;
 * NULL: c is not read, and counts as zero. rows and vecs are constants where it is called. */
INLINE void tile(int rows, int vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                 float *c, int64_t ldc, const float *scale) {
	vec sums[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 8
	for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < vecs; j++) {
			sums[i][j] = scale == NULL ? (vec){0} : load(c + i * ldc + j * LANES) * scale[i];
		}
	}
	for (int64_t l = 0; l < k; l++) {
		vec row[TILE_VECS];
#pragma GCC unroll 8
		for (int j = 0; j < vecs; j++) {
			row[j] = load(b + l * ldb + j * LANES);
		}
#pragma GCC unroll 8
		for (int i = 0; i < rows; i++) {
			float x = a[i * lda + l];
#pragma GCC unroll 8
			for (int j = 0; j < vecs; j++) {
				sums[i][j] += row[j] * x;
			}
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < vecs; j++) {
			store(c + i * ldc + j * LANES, sums[i][j]);
		}
	}
}

/* gemm_f32.c: the same with any number of rows and of vectors in a row. */
void pali_gemm_f32(int64_t rows, int64_t vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                   float *c, int64_t ldc, const float *scale);

#endif
