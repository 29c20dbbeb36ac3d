/* The block types of weights, as the AVX-512 kernels read them: 64 elements at a time, as unsigned
 * bytes, with their scales. A block type's layout is ggml-common.h's. */
#ifndef PALI_KERNELS_BLOCKS_AVX512_H
#define PALI_KERNELS_BLOCKS_AVX512_H

#include "avx512.h"

#ifdef PALI_AVX512

#include "vec.h"
#include <immintrin.h>

#define GROUP 32 /* elements; a block has one group (short), or eight (long) */
#define HALF 2   /* bytes of a 16-bit float */

/* type is a constant wherever these are called. */
INLINE bool is_long(unsigned type) {
	return type == PALI_GGML_TYPE_Q4_K || type == PALI_GGML_TYPE_Q5_K || type == PALI_GGML_TYPE_Q6_K;
}
INLINE int64_t groups_of(unsigned type) { return is_long(type) ? 8 : 1; }
INLINE bool has_minimum(unsigned type) { return type == PALI_GGML_TYPE_Q4_K || type == PALI_GGML_TYPE_Q5_K; }

/* The types there are: call(type) for the one that type is, as a constant. */
#define FOR_TYPE(type, call)                                                 \
	switch (type) {                                                          \
	case PALI_GGML_TYPE_Q8_0: call(PALI_GGML_TYPE_Q8_0); break;              \
	case PALI_GGML_TYPE_Q4_0: call(PALI_GGML_TYPE_Q4_0); break;              \
	case PALI_GGML_TYPE_IQ4_NL: call(PALI_GGML_TYPE_IQ4_NL); break;          \
	case PALI_GGML_TYPE_Q5_0: call(PALI_GGML_TYPE_Q5_0); break;              \
	case PALI_GGML_TYPE_Q4_K: call(PALI_GGML_TYPE_Q4_K); break;              \
	case PALI_GGML_TYPE_Q5_K: call(PALI_GGML_TYPE_Q5_K); break;              \
	case PALI_GGML_TYPE_Q6_K: call(PALI_GGML_TYPE_Q6_K); break;              \
	}

static bool has_blocks(unsigned type) {
#define CALL(type) return true
	FOR_TYPE(type, CALL)
#undef CALL
	return false;
}

/* Bytes of a block of activations: q8_0 (scale, 32 bytes) where weights have short blocks, else
 * q8_K (scale, 256 bytes, sums of 16). */
INLINE int64_t activation_bytes(unsigned type) { return is_long(type) ? 4 + 256 + 32 : HALF + GROUP; }

/* Elements that share a scale. */
INLINE int shared_by(unsigned type) { return type == PALI_GGML_TYPE_Q6_K ? 16 : GROUP; }

INLINE int64_t bytes_of(unsigned type) {
	switch (type) {
	case PALI_GGML_TYPE_Q8_0: return HALF + 32;
	case PALI_GGML_TYPE_Q5_0: return HALF + 4 + 16;
	case PALI_GGML_TYPE_Q4_K: return 2 * HALF + 12 + 128;
	case PALI_GGML_TYPE_Q5_K: return 2 * HALF + 12 + 32 + 128;
	case PALI_GGML_TYPE_Q6_K: return 128 + 64 + 16 + HALF;
	default: return HALF + 16; /* q4_0, iq4_nl */
	}
}

/* What unpack adds to an element to make it an unsigned byte. */
INLINE int offset_of(unsigned type) {
	switch (type) {
	case PALI_GGML_TYPE_Q8_0: case PALI_GGML_TYPE_IQ4_NL: return 128;
	case PALI_GGML_TYPE_Q4_0: return 8;
	case PALI_GGML_TYPE_Q5_0: return 16;
	case PALI_GGML_TYPE_Q6_K: return 32;
	default: return 0;
	}
}

INLINE float from_half(const char *p) {
	uint16_t h;
	memcpy(&h, p, sizeof h);
	return _cvtsh_ss(h);
}

INLINE __m512i load_64(const char *p) { return _mm512_loadu_si512(p); }
INLINE __m128i load_16(const char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
INLINE __m256i load_32(const char *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

INLINE __m256i load_16_twice(const char *p) { return _mm256_broadcastsi128_si256(load_16(p)); }

/* 16 bytes each of x and y, of which each byte is two elements: x's low nibbles, its high ones,
 * y's low nibbles, its high ones. */
INLINE __m512i nibbles(const char *x, const char *y) {
	__m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(load_16_twice(x)), load_16_twice(y), 1);
	return _mm512_and_si512(_mm512_srlv_epi64(v, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(15));
}

/* The elements that nibbles stand for: themselves, or indices of iq4_nl's table. */
INLINE __m512i nibble_values(unsigned type, __m512i v) {
	const __m128i values = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, (char)129, (char)141, (char)153, (char)166,
	                                     (char)181, (char)197, (char)217, (char)241);
	return type == PALI_GGML_TYPE_IQ4_NL ? _mm512_shuffle_epi8(_mm512_broadcast_i32x4(values), v) : v;
}

INLINE __m512i concat(__m256i low, __m256i high) { return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1); }

/* Each bit of a 32-bit word as a byte: 16 where it is set. */
INLINE __m256i fifth_bits(const char *p) {
	uint32_t bits;
	memcpy(&bits, p, sizeof bits);
	return _mm256_maskz_set1_epi8(bits, 16);
}

/* 64 elements of a row as bytes, with offset_of added: groups g and g+1 of the long block at x,
 * or the short blocks at x and y. */
INLINE __m512i unpack(unsigned type, const char *x, const char *y, int g) {
	const __m512i low = _mm512_set1_epi8(15), three = _mm512_set1_epi8(3), one = _mm512_set1_epi8(1);
	switch (type) {
	case PALI_GGML_TYPE_Q8_0:
		return _mm512_xor_si512(concat(load_32(x + HALF), load_32(y + HALF)), _mm512_set1_epi8((char)128));
	case PALI_GGML_TYPE_Q4_0:
	case PALI_GGML_TYPE_IQ4_NL:
		return nibble_values(type, nibbles(x + HALF, y + HALF));
	case PALI_GGML_TYPE_Q5_0:
		return _mm512_or_si512(nibbles(x + HALF + 4, y + HALF + 4), concat(fifth_bits(x + HALF), fifth_bits(y + HALF)));
	case PALI_GGML_TYPE_Q6_K: { /* 128 bytes of low nibbles, then 64 of four pairs of high bits */
		int part = g / 4, high = g / 2 % 2;
		__m256i pairs = load_32(x + 128 + 32 * part);
		__m512i l = load_64(x + 64 * part), h = concat(pairs, _mm256_srli_epi16(pairs, 2));
		l = _mm512_and_si512(high ? _mm512_srli_epi16(l, 4) : l, low);
		h = _mm512_and_si512(high ? _mm512_srli_epi16(h, 4) : h, three);
		return _mm512_or_si512(l, _mm512_slli_epi16(h, 4));
	}
	default: { /* q4_K, q5_K: a byte is an element of group g, and one of g+1 */
		const char *q = x + 2 * HALF + 12 + (type == PALI_GGML_TYPE_Q5_K ? 32 : 0);
		__m256i v = load_32(q + 16 * g);
		__m512i l = _mm512_and_si512(concat(v, _mm256_srli_epi16(v, 4)), low);
		if (type == PALI_GGML_TYPE_Q4_K) {
			return l;
		}
		__m256i bits = load_32(x + 2 * HALF + 12);
		__m512i h = _mm512_and_si512(concat(_mm256_srli_epi16(bits, g), _mm256_srli_epi16(bits, g + 1)), one);
		return _mm512_or_si512(l, _mm512_slli_epi16(h, 4));
	}
	}
}

/* The eight 6-bit scales of a q4_K or q5_K block, then its eight minima. */
INLINE __m128i six_bits(const char *block) {
	uint32_t w[3], out[4];
	memcpy(w, block + 2 * HALF, sizeof w);
	out[0] = w[0] & 0x3f3f3f3f;
	out[1] = (w[2] & 0x0f0f0f0f) | ((w[0] >> 6) & 0x03030303) << 4;
	out[2] = w[1] & 0x3f3f3f3f;
	out[3] = ((w[2] >> 4) & 0x0f0f0f0f) | ((w[1] >> 6) & 0x03030303) << 4;
	return _mm_loadu_si128((const __m128i *)(const void *)out);
}

#endif
#endif
