#include "limits.h"

/* As many accumulators hide the latency of an instruction that starts several times a cycle. x86 has registers for twelve beside the factors, which is
 * enough for two starts a cycle and a latency of six; Arm has more, and needs sixteen for four starts and four. */
#if defined(__aarch64__)
#define ACCUMULATORS 16
#define EACH(M, ...) TWELVE(M, __VA_ARGS__) M(12, __VA_ARGS__) M(13, __VA_ARGS__) M(14, __VA_ARGS__) M(15, __VA_ARGS__)
#define ALIVE(v) __asm__ volatile("" : "+w"(v))
#elif defined(__x86_64__)
#define ACCUMULATORS 12
#define EACH(M, ...) TWELVE(M, __VA_ARGS__)
#define ALIVE(v) __asm__ volatile("" : "+x"(v)) /* without this the compiler sees that a loop always adds the same, and leaves it out */
#endif
#define TWELVE(M, ...) \
	M(0, __VA_ARGS__) M(1, __VA_ARGS__) M(2, __VA_ARGS__) M(3, __VA_ARGS__) M(4, __VA_ARGS__) M(5, __VA_ARGS__) \
	M(6, __VA_ARGS__) M(7, __VA_ARGS__) M(8, __VA_ARGS__) M(9, __VA_ARGS__) M(10, __VA_ARGS__) M(11, __VA_ARGS__)

#define DECLARE(i, vector, first) vector a##i = first(i);
#define STEP(i, step) a##i = step(a##i);
#define KEEP(i, none) ALIVE(a##i);
#define SUM(i, sum) *sink += (float)sum(a##i);

/* A function that repeats step on every accumulator. It carries its own instruction sets, so that a program built without this processor's flags still
 * measures what the processor can do. */
#define LOOP(name, attributes, vector, first, step, sum)                      \
	attributes static void name(uint64_t loops, float *sink) {            \
		EACH(DECLARE, vector, first)                                  \
		for (uint64_t n = 0; n < loops; n++) {                        \
			EACH(STEP, step)                                      \
			EACH(KEEP, )                                          \
		}                                                             \
		EACH(SUM, sum)                                                \
	}

/* What a loop whose instruction does so many products returns. */
#define DONE(products) (2.0 * ACCUMULATORS * (products) * (double)loops)

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define TARGET(names) __attribute__((target(names), noinline))
#define STEP_TARGET(names) __attribute__((target(names), always_inline)) static inline

#define INT8_512(a) _mm512_dpbusd_epi32(a, _mm512_set1_epi8(3), _mm512_set1_epi8(5))
#define BF16_512(a) _mm512_dpbf16_ps(a, (__m512bh)_mm512_set1_epi16(0x3f80), (__m512bh)_mm512_set1_epi16(0x3f80))
#define F32_512(a) _mm512_fmadd_ps(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f), a)
#define INT8_VNNI(a) _mm256_dpbusd_avx_epi32(a, _mm256_set1_epi8(3), _mm256_set1_epi8(5))
#define F32_256(a) _mm256_fmadd_ps(_mm256_set1_ps(0.5f), _mm256_set1_ps(0.5f), a)
#define FIRST_256(v) _mm256_extract_epi32(v, 0)

LOOP(int8_512, TARGET("avx512f,avx512vnni"), __m512i, _mm512_set1_epi32, INT8_512, _mm512_reduce_add_epi32)
LOOP(bf16_512, TARGET("avx512f,avx512bf16"), __m512, _mm512_set1_ps, BF16_512, _mm512_reduce_add_ps)
LOOP(f32_512, TARGET("avx512f"), __m512, _mm512_set1_ps, F32_512, _mm512_reduce_add_ps)
LOOP(f32_256, TARGET("avx2,fma"), __m256, _mm256_set1_ps, F32_256, _mm256_cvtss_f32)
LOOP(int8_vnni, TARGET("avx2,avxvnni"), __m256i, _mm256_set1_epi32, INT8_VNNI, FIRST_256)

/* ggml's own int8 product without VNNI: bytes to pairs, pairs to fours, and an addition. */
STEP_TARGET("avx2") __m256i pairs(__m256i a) {
	__m256i x = _mm256_set1_epi8(3);
	ALIVE(x); /* a product of two constants would be known before */
	return _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(x, _mm256_set1_epi8(5)), _mm256_set1_epi16(1)));
}
LOOP(int8_256, TARGET("avx2"), __m256i, _mm256_set1_epi32, pairs, FIRST_256)

/* The products of SSE2, which every one of these processors has. */
static inline __m128 product(__m128 a) {
	__m128 x = _mm_set1_ps(0.5f);
	ALIVE(x);
	return _mm_add_ps(a, _mm_mul_ps(x, _mm_set1_ps(0.5f)));
}
LOOP(f32_128, , __m128, _mm_set1_ps, product, _mm_cvtss_f32)

/* CPUID leaf 7, subleaf 1, EAX bit 4: AVX-VNNI. __builtin_cpu_supports does not know the name everywhere. */
static int has_avx_vnni(void) {
	unsigned a = 0, b, c, d;
	return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
}

double pali_limit_int8(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512vnni")) {
		int8_512(loops, sink);
		return DONE(64);
	}
	if (has_avx_vnni()) {
		int8_vnni(loops, sink);
		return DONE(32);
	}
	if (__builtin_cpu_supports("avx2")) {
		int8_256(loops, sink);
		return DONE(32);
	}
	return 0;
}

double pali_limit_bf16(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512bf16")) {
		bf16_512(loops, sink);
		return DONE(32);
	}
	return 0;
}

double pali_limit_f32(uint64_t loops, float *sink) {
	if (__builtin_cpu_supports("avx512f")) {
		f32_512(loops, sink);
		return DONE(16);
	}
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		f32_256(loops, sink);
		return DONE(8);
	}
	f32_128(loops, sink);
	return DONE(4);
}

#elif defined(__aarch64__)
#include <arm_neon.h>

#if defined(__ARM_FEATURE_MATMUL_INT8)
#define INT8(a) vmmlaq_s32(a, vdupq_n_s8(3), vdupq_n_s8(5)) /* 2 x 8 by 8 x 2 */
#define INT8_PRODUCTS 32
#elif defined(__ARM_FEATURE_DOTPROD)
#define INT8(a) vdotq_s32(a, vdupq_n_s8(3), vdupq_n_s8(5))
#define INT8_PRODUCTS 16
#else
static inline int32x4_t pairs(int32x4_t a) {
	int8x8_t x = vdup_n_s8(3);
	ALIVE(x);
	return vpadalq_s16(a, vmull_s8(x, vdup_n_s8(5)));
}
#define INT8(a) pairs(a)
#define INT8_PRODUCTS 8
#endif
#define F32(a) vfmaq_f32(a, vdupq_n_f32(0.5f), vdupq_n_f32(0.5f))

LOOP(int8, , int32x4_t, vdupq_n_s32, INT8, vaddvq_s32)
LOOP(f32, , float32x4_t, vdupq_n_f32, F32, vaddvq_f32)

double pali_limit_int8(uint64_t loops, float *sink) {
	int8(loops, sink);
	return DONE(INT8_PRODUCTS);
}

double pali_limit_bf16(uint64_t loops, float *sink) { return 0; } /* ggml has no bf16 products of its own here */

double pali_limit_f32(uint64_t loops, float *sink) {
	f32(loops, sink);
	return DONE(4);
}

#else /* a processor whose instructions are not known here */

double pali_limit_int8(uint64_t loops, float *sink) { return 0; }
double pali_limit_bf16(uint64_t loops, float *sink) { return 0; }

double pali_limit_f32(uint64_t loops, float *sink) {
	float a[16] = {0}, x = *sink;
	for (uint64_t n = 0; n < loops; n++) {
		for (int i = 0; i < 16; i++) {
			a[i] = a[i] * x + 0.5f;
		}
	}
	for (int i = 0; i < 16; i++) {
		*sink += a[i];
	}
	return 2.0 * 16 * (double)loops;
}

#endif

uint64_t pali_limit_read(const void *from, uint64_t n) {
	const uint64_t *p = from, *end = p + n / 8;
	uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
	for (; p < end; p += 8) {
		a += p[0], b += p[1], c += p[2], d += p[3], e += p[4], f += p[5], g += p[6], h += p[7];
	}
	return a + b + c + d + e + f + g + h;
}
