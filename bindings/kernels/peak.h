/* What this machine can do at most: the loops behind limits.go. */
#ifndef PALI_GGML_LIMITS_H
#define PALI_GGML_LIMITS_H

#include <stdint.h>

/* Reads n bytes, a multiple of 64 at a 64-byte boundary, and returns their sum so that the reads are not left out. */
uint64_t pali_limit_read(const void *from, uint64_t n);

/* Each runs a loop of the best instruction of its kind that this processor has, on registers alone, and returns how many operations it did
 * (a multiplication and an addition are two); 0 where the processor has none. sink keeps the result alive. */
double pali_limit_int8(uint64_t loops, float *sink);
double pali_limit_bf16(uint64_t loops, float *sink);
double pali_limit_f32(uint64_t loops, float *sink);

#endif
