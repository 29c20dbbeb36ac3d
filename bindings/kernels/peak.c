/* How fast memory is read. */

#include "peak.h"

uint64_t pali_peak_read(const void *from, uint64_t n) {
	const uint64_t *p = from, *end = p + n / 8;
	uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
	for (; p < end; p += 8) {
		a += p[0], b += p[1], c += p[2], d += p[3], e += p[4], f += p[5], g += p[6], h += p[7];
	}
	return a + b + c + d + e + f + g + h;
}
