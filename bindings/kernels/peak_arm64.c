/* What an Arm processor computes at most. Four starts a cycle and a latency of four need sixteen
 * accumulators. */

#define ACCUMULATORS 16
#define EACH(M, ...) \
	TWELVE(M, __VA_ARGS__) M(12, __VA_ARGS__) M(13, __VA_ARGS__) M(14, __VA_ARGS__) M(15, __VA_ARGS__)
#define ALIVE(v) __asm__ volatile("" : "+w"(v))

#include "peak_loop.h"
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

double pali_peak_int8(uint64_t loops, float *sink) {
	int8(loops, sink);
	return OPERATIONS(INT8_PRODUCTS);
}

double pali_peak_bf16(uint64_t loops, float *sink) { return 0; } /* ggml has no bf16 products of its own here */

double pali_peak_f32(uint64_t loops, float *sink) {
	f32(loops, sink);
	return OPERATIONS(4);
}
