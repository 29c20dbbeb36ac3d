//go:build !amd64 && !arm64

/* What other processors compute at most: a loop that the compiler makes of plain C. */

#include "peak.h"

double pali_peak_int8(uint64_t loops, float *sink) { return 0; }
double pali_peak_bf16(uint64_t loops, float *sink) { return 0; }

double pali_peak_f32(uint64_t loops, float *sink) {
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
