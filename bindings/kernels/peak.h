/* What this machine can do at most: the loops that peak.go times. */
#ifndef PALI_KERNELS_PEAK_H
#define PALI_KERNELS_PEAK_H

#include <stdint.h>

/* Reads n bytes, a multiple of 64 at a 64-byte boundary, and returns their sum so that the reads
 * are not left out. */
uint64_t pali_peak_read(const void *from, uint64_t n);

/* Each runs loops rounds of the best instruction of its kind that this processor has, on
 * registers alone, and returns how many operations that were (a multiplication and an addition
 * are two); 0 where the processor has none. sink keeps the result alive. */
double pali_peak_int8(uint64_t loops, float *sink);
double pali_peak_bf16(uint64_t loops, float *sink);
double pali_peak_f32(uint64_t loops, float *sink);

#endif
