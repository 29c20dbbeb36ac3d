/* Loops of one instruction on registers alone. The including file defines ACCUMULATORS, how many
 * hide the latency of an instruction that starts several times a cycle; EACH, which lists them;
 * and ALIVE(v), without which the compiler sees that a loop always adds the same, and leaves it
 * out. */
#ifndef PALI_KERNELS_PEAK_LOOP_H
#define PALI_KERNELS_PEAK_LOOP_H

#include "peak.h"

#define TWELVE(M, ...) \
	M(0, __VA_ARGS__) M(1, __VA_ARGS__) M(2, __VA_ARGS__) M(3, __VA_ARGS__) M(4, __VA_ARGS__) M(5, __VA_ARGS__) \
	M(6, __VA_ARGS__) M(7, __VA_ARGS__) M(8, __VA_ARGS__) M(9, __VA_ARGS__) M(10, __VA_ARGS__) M(11, __VA_ARGS__)

#define DECLARE(i, vector, first) vector a##i = first(i);
#define STEP(i, step) a##i = step(a##i);
#define KEEP(i, none) ALIVE(a##i);
#define SUM(i, sum) *sink += (float)sum(a##i);

/* A function that repeats step on every accumulator, and adds them up at last. It carries its own
 * instruction sets, so that a program built without this processor's flags still measures what the
 * processor can do. */
#define LOOP(name, attributes, vector, first, step, sum)                      \
	attributes static void name(uint64_t loops, float *sink) {            \
		EACH(DECLARE, vector, first)                                  \
		for (uint64_t n = 0; n < loops; n++) {                        \
			EACH(STEP, step)                                      \
			EACH(KEEP, )                                          \
		}                                                             \
		EACH(SUM, sum)                                                \
	}

/* The operations of a loop whose instruction does n products. */
#define OPERATIONS(n) (2.0 * ACCUMULATORS * (n) * (double)loops)

#endif
