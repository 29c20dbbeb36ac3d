/* The matrix product of 32-bit floats that attention.c is made of, tile by tile. */

#include "vec.h"

/* One column of tiles: rows six at a time, the last ones three at a time and singly. */
#define TILES(n, vecs)                                                                \
	for (; i + (n) <= rows; i += (n)) {                                               \
		const float *s = scale == NULL ? NULL : scale + i;                            \
		tile(n, vecs, k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, s);              \
	}
#define COLUMN(vecs)                \
	do {                            \
		int64_t i = 0;              \
		TILES(TILE_ROWS, vecs)      \
		TILES(TILE_ROWS / 2, vecs)  \
		TILES(1, vecs)              \
	} while (0)

static void column(int64_t rows, int64_t vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                   float *c, int64_t ldc, const float *scale) {
	switch (vecs) {
	case 1:
		COLUMN(1);
		break;
	case 2:
		COLUMN(2);
		break;
#if TILE_VECS == 4
	case 3:
		COLUMN(3);
		break;
	case 4:
		COLUMN(4);
		break;
#endif
	}
}

void pali_gemm_f32(int64_t rows, int64_t vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                   float *c, int64_t ldc, const float *scale) {
	int64_t columns = (vecs + TILE_VECS - 1) / TILE_VECS;
	for (int64_t left = vecs; left > 0; columns--) {
		int64_t n = (left + columns - 1) / columns; /* even shares: 5 are 3 and 2, not 4 and 1 */
		column(rows, n, k, a, lda, b, ldb, c, ldc, scale);
		b += n * LANES;
		c += n * LANES;
		left -= n;
	}
}
