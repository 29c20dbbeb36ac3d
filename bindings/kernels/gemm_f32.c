/* The product of floats of attention.c: tiles, one beside the other. Before it: vec.h. */

#include "vec.h"

/* One column of tiles: rows in sixes, the last ones in threes and ones. */
#define COLUMN(vecs)                                                                                            \
	do {                                                                                                        \
		int64_t i = 0;                                                                                          \
		for (; i + TILE_ROWS <= rows; i += TILE_ROWS) {                                                         \
			tile(TILE_ROWS, vecs, k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, keep == NULL ? NULL : keep + i); \
		}                                                                                                       \
		for (; i + TILE_ROWS / 2 <= rows; i += TILE_ROWS / 2) {                                                 \
			tile(TILE_ROWS / 2, vecs, k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, keep == NULL ? NULL : keep + i); \
		}                                                                                                       \
		for (; i < rows; i++) {                                                                                 \
			tile(1, vecs, k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, keep == NULL ? NULL : keep + i);         \
		}                                                                                                       \
	} while (0)

static void column(int64_t rows, int64_t vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, const float *keep) {
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

void pali_multiply(int64_t rows, int64_t vecs, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, const float *keep) {
	int64_t columns = (vecs + TILE_VECS - 1) / TILE_VECS;
	for (int64_t left = vecs; left > 0; columns--) {
		int64_t n = (left + columns - 1) / columns; /* even shares: 5 are 3 and 2, not 4 and 1 */
		column(rows, n, k, a, lda, b, ldb, c, ldc, keep);
		b += n * LANES;
		c += n * LANES;
		left -= n;
	}
}
