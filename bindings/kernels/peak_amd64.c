/* What an x86 processor computes at most. There are registers for twelve accumulators besides the
 * factors: enough for two starts a cycle and a latency of six. */

#define ACCUMULATORS 12
#define EACH(M, ...) TWELVE(M, __VA_ARGS__)
#define ALIVE(v) __asm__ volatile("" : "+x"(v))

#include "peak_loop.h"
#include <cpuid.h>
#include <immintrin.h>

#define TARGET(names) __attribute__((target(names), noinline))
#define STEP_TARGET(names) __attribute__((target(names), always_inline)) static inline

#define INT8_512(a) _mm512_dpbusd_epi32(a, _mm512_set1_epi8(3), _mm512_set1_epi8(5))
#define BF16_512(a) _mm512_dpbf16_ps(a, (__m512bh)_mm512_set1_epi16(0x3f80), (__m512bh)_mm512_set1_epi16(0x3f80))
#define F32_512(a) _mm512_fmadd_ps(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f), a)
#define INT8_VNNI(a) _mm256_dpbusd_avx_epi32(a, _mm256_set1_epi8(3), _mm256_set1_epi8(5))
#define F32_256(a) _mm256_fmadd_ps(_mm256_set1_ps(0.5f), _mm256_set1_ps(0.5f), a)
#define FIRST_512(v) _mm_cvtsi128_si32(_mm512_castsi512_si128(v))
#define FIRST_256(v) _mm256_extract_epi32(v, 0)

LOOP(int8_512, TARGET("avx512f,avx512vnni"), __m512i, _mm512_set1_epi32, INT8_512, FIRST_512)
LOOP(bf16_512, TARGET("avx512f,avx512bf16"), __m512, _mm512_set1_ps, BF16_512, _mm512_reduce_add_ps)
LOOP(f32_512, TARGET("avx512f"), __m512, _mm512_set1_ps, F32_512, _mm512_reduce_add_ps)
LOOP(f32_256, TARGET("avx2,fma"), __m256, _mm256_set1_ps, F32_256, _mm256_cvtss_f32)
LOOP(int8_vnni, TARGET("avx2,avxvnni"), __m256i, _mm256_set1_epi32, INT8_VNNI, FIRST_256)

/* ggml's own int8 product without VNNI: bytes to pairs, pairs to quads, and an addition. */
STEP_TARGET("avx2") __m256i pairs(__m256i a) {
	__m256i x = _mm256_set1_epi8(3);
	ALIVE(x); /* a product of two constants would be known before */
	return _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(x, _mm256_set1_epi8(5)), _mm256_set1_epi16(1)));
}
LOOP(int8_256, TARGET("avx2"), __m256i, _mm256_set1_epi32, pairs, FIRST_256)

/* The products of SSE2, which every one of these processors has. */
static inline __m128 mul_add(__m128 a) {
	__m128 x = _mm_set1_ps(0.5f);
	ALIVE(x);
	return _mm_add_ps(a, _mm_mul_ps(x, _mm_set1_ps(0.5f)));
}
LOOP(f32_128, , __m128, _mm_set1_ps, mul_add, _mm_cvtss_f32)

/* CPUID leaf 7, subleaf 1, EAX bit 4: AVX-VNNI. __builtin_cpu_supports does not know the name
 * everywhere. */
static int has_avx_vnni(void) {
	unsigned a = 0, b, c, d;
	return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
}

double pali_peak_int8(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512vnni")) {
		int8_512(loops, sink);
		return OPERATIONS(64);
	}
	if (has_avx_vnni()) {
		int8_vnni(loops, sink);
		return OPERATIONS(32);
	}
	if (__builtin_cpu_supports("avx2")) {
		int8_256(loops, sink);
		return OPERATIONS(32);
	}
	return 0;
}

double pali_peak_bf16(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512bf16")) {
		bf16_512(loops, sink);
		return OPERATIONS(32);
	}
	return 0;
}

double pali_peak_f32(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512f")) {
		f32_512(loops, sink);
		return OPERATIONS(16);
	}
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		f32_256(loops, sink);
		return OPERATIONS(8);
	}
	f32_128(loops, sink);
	return OPERATIONS(4);
}
