/* The matrix products with AVX-512 and its instructions for short numbers (VNNI, BF16). A build
 * that was not compiled for all of them has none of these kernels. */
#ifndef PALI_KERNELS_AVX512_H
#define PALI_KERNELS_AVX512_H

#include "gemm.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512DQ__)

#define PALI_AVX512

#endif
#endif
