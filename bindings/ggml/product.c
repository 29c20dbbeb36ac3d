/* The matrix product of ggml's processor backend, on processors with AVX-512 and its instructions for short numbers.
 *
 * ggml hands a product to llamafile_sgemm before it tries anything else, and the linker sends that call here (-Wl,--wrap in doc.go): products that
 * are done better here are, all others go on to the function itself. So the weights stay as they lie in the file, and both the vision
 * graph and llama.cpp's gain. Before it: ggml's threads, one call each, the other factor rounded as the weights' type wants it. After it: the result.
 *
 * In llamafile's letters: C [n,m] = B [n,k] A [m,k]^T. A is the weights, B the tokens. A task packs PACK_ROWS rows of A, as much of k as a cache
 * holds, so that a vector has one element of each of LANES rows, and multiplies all tokens with them. */

#include "kernels.h"
#include "vec.h"

#if defined(__x86_64__) && !defined(__APPLE__)

__typeof__(llamafile_sgemm) __real_llamafile_sgemm, __wrap_llamafile_sgemm;

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AVX512BW__)

#define PALI_PRODUCT

#define BLOCK 32 /* elements of a block of q8_0 and q4_0 */
#define HALF 2   /* bytes before them: the scale, a 16-bit float */
#define Q8_BYTES (HALF + BLOCK)
#define Q4_BYTES (HALF + BLOCK / 2)

/* How much of A is packed at a time: 64 KiB of elements. */
#define PAIR (2 * LANES)      /* rows of an 8-bit tile */
#define BYTE_ROWS (4 * PAIR)  /* rows of a task with 8-bit elements */
#define BYTE_BLOCKS 16        /* blocks of each row at a time */
#define FLOAT_ROWS (4 * LANES)
#define FLOAT_K 256           /* 32-bit columns at a time: floats, or pairs of bfloat16 */

/* One product. Strides are in elements of the type, or in blocks. */
struct product {
	int64_t m, n, k;
	const char *a, *b;
	int64_t lda, ldb;
	float *c;
	int64_t ldc;
	unsigned type; /* of a; b's follows from it */
};

INLINE float from_half(const char *p) {
	uint16_t h;
	memcpy(&h, p, sizeof h);
	return _cvtsh_ss(h);
}

/* ---- 8-bit elements --------------------------------------------------------------------------------------- */

/* PAIR rows of A. vpdpbusd multiplies four signed bytes of each row with four unsigned ones of a token: a token's elements have 128 added, and
 * less takes 128 times the sum of the weights off again. */
struct bytes {
	int8_t w[BYTE_BLOCKS][BLOCK / 4][4 * PAIR];
	int32_t less[BYTE_BLOCKS][PAIR];
	float scale[BYTE_BLOCKS][PAIR];
};

/* Up to TILE_ROWS tokens, with 128 added. */
struct token_bytes {
	uint8_t x[TILE_ROWS][BYTE_BLOCKS * BLOCK];
	float scale[TILE_ROWS][BYTE_BLOCKS];
};

/* A row's block, as signed bytes. */
INLINE __m256i block_bytes(unsigned type, const char *block) {
	if (type == PALI_GGML_TYPE_Q8_0) {
		return _mm256_loadu_si256((const __m256i *)(const void *)(block + HALF));
	}
	__m128i q = _mm_loadu_si128((const __m128i *)(const void *)(block + HALF)), low = _mm_set1_epi8(15); /* q4_0: elements i and i+16 share a byte */
	__m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_and_si128(q, low)), _mm_and_si128(_mm_srli_epi16(q, 4), low), 1);
	return _mm256_sub_epi8(both, _mm256_set1_epi8(8));
}

/* LANES rows of two blocks each go to the left or right half of a pair's places. */
INLINE void pack_two(struct bytes *to, unsigned type, const char *a, int64_t stride, int64_t bytes, int64_t rows, int64_t block, bool second, int half) {
	vec lanes[LANES];
	for (int i = 0; i < LANES; i++) {
		__m512i v = _mm512_setzero_si512();
		if (i < rows) {
			v = _mm512_castsi256_si512(block_bytes(type, a + i * stride));
			v = _mm512_inserti64x4(v, second ? block_bytes(type, a + i * stride + bytes) : _mm256_setzero_si256(), 1);
		}
		lanes[i] = (vec)v;
	}
	transpose(lanes);
	for (int b = 0; b < 1 + second; b++) {
		__m512i sum = _mm512_setzero_si512();
		for (int i = 0; i < BLOCK / 4; i++) {
			__m512i v = (__m512i)lanes[b * BLOCK / 4 + i];
			_mm512_storeu_si512(to->w[block + b][i] + half * 4 * LANES, v);
			sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), v);
		}
		_mm512_storeu_si512(to->less[block + b] + half * LANES, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
		for (int i = 0; i < LANES; i++) {
			to->scale[block + b][half * LANES + i] = i < rows ? from_half(a + i * stride + b * bytes) : 0;
		}
	}
}

static void pack_bytes(struct bytes *to, const struct product *p, int64_t row, int64_t block, int64_t blocks) {
	int64_t bytes = p->type == PALI_GGML_TYPE_Q8_0 ? Q8_BYTES : Q4_BYTES;
	for (int half = 0; half < 2; half++, row += LANES) {
		for (int64_t b = 0; b < blocks; b += 2) {
			const char *a = p->a + (row * p->lda + block + b) * bytes;
			if (p->type == PALI_GGML_TYPE_Q8_0) {
				pack_two(to, PALI_GGML_TYPE_Q8_0, a, p->lda * bytes, bytes, p->m - row, b, b + 1 < blocks, half);
			} else {
				pack_two(to, PALI_GGML_TYPE_Q4_0, a, p->lda * bytes, bytes, p->m - row, b, b + 1 < blocks, half);
			}
		}
	}
}

static void read_tokens(struct token_bytes *to, const struct product *p, int64_t token, int64_t tokens, int64_t block, int64_t blocks) {
	for (int64_t i = 0; i < tokens; i++) {
		const char *b = p->b + ((token + i) * p->ldb + block) * Q8_BYTES;
		for (int64_t j = 0; j < blocks; j++, b += Q8_BYTES) {
			__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(b + HALF));
			_mm256_storeu_si256((__m256i *)(void *)(to->x[i] + j * BLOCK), _mm256_xor_si256(v, _mm256_set1_epi8((char)128)));
			to->scale[i][j] = from_half(b);
		}
	}
}

/* c [tokens,PAIR] += what these blocks give; first: c's old values do not count. */
INLINE void byte_tile(int tokens, const struct bytes *w, const struct token_bytes *x, int64_t blocks, float *c, int64_t ldc, bool first) {
	__m512 sums[TILE_ROWS][2];
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
		sums[i][0] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc);
		sums[i][1] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + LANES);
	}
	for (int64_t b = 0; b < blocks; b++) {
		__m512i dots[TILE_ROWS][2];
#pragma GCC unroll 8
		for (int i = 0; i < tokens; i++) {
			dots[i][0] = _mm512_loadu_si512(w->less[b]);
			dots[i][1] = _mm512_loadu_si512(w->less[b] + LANES);
		}
#pragma GCC unroll 8
		for (int q = 0; q < BLOCK / 4; q++) {
			__m512i left = _mm512_loadu_si512(w->w[b][q]), right = _mm512_loadu_si512(w->w[b][q] + 4 * LANES);
#pragma GCC unroll 8
			for (int i = 0; i < tokens; i++) {
				int32_t four;
				memcpy(&four, x->x[i] + b * BLOCK + 4 * q, sizeof four);
				__m512i v = _mm512_set1_epi32(four);
				dots[i][0] = _mm512_dpbusd_epi32(dots[i][0], v, left);
				dots[i][1] = _mm512_dpbusd_epi32(dots[i][1], v, right);
			}
		}
		__m512 left = _mm512_loadu_ps(w->scale[b]), right = _mm512_loadu_ps(w->scale[b] + LANES);
#pragma GCC unroll 8
		for (int i = 0; i < tokens; i++) {
			__m512 scale = _mm512_set1_ps(x->scale[i][b]);
			sums[i][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][0]), _mm512_mul_ps(left, scale), sums[i][0]);
			sums[i][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[i][1]), _mm512_mul_ps(right, scale), sums[i][1]);
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
		_mm512_storeu_ps(c + i * ldc, sums[i][0]);
		_mm512_storeu_ps(c + i * ldc + LANES, sums[i][1]);
	}
}

/* ---- floats ------------------------------------------------------------------------------------------------ */

/* FLOAT_ROWS rows of A: floats, or pairs of bfloat16 in their places. */
struct floats { float w[FLOAT_K][FLOAT_ROWS]; };

/* LANES 32-bit columns of a row, of which n are there. */
INLINE vec row_part(unsigned type, const char *a, int64_t n) {
	__mmask16 there = n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1);
	if (type == PALI_GGML_TYPE_F16) {
		return (vec)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, a));
	}
	return (vec)_mm512_maskz_loadu_ps(there, a);
}

/* Columns k.. of the rows from row on. A pair of bfloat16 counts as one column. */
static void pack_floats(struct floats *to, const struct product *p, int64_t row, int64_t k, int64_t columns) {
	int64_t bytes = p->type == PALI_GGML_TYPE_F16 ? 2 : 4, stride = p->lda * (p->type == PALI_GGML_TYPE_F32 ? 4 : 2);
	for (int64_t from = 0; from < FLOAT_ROWS; from += LANES) {
		for (int64_t l = 0; l < columns; l += LANES) {
			vec lanes[LANES];
			for (int i = 0; i < LANES; i++) {
				const char *a = p->a + (row + from + i) * stride + (k + l) * bytes;
				lanes[i] = row + from + i < p->m ? row_part(p->type, a, columns - l) : (vec){0};
			}
			transpose(lanes);
			for (int64_t i = 0; i < LANES && l + i < columns; i++) {
				store(to->w[l + i] + from, lanes[i]);
			}
		}
	}
}

/* c [tokens,FLOAT_ROWS] += what these pairs of columns give. x is the first token's, ldx in pairs of bytes. */
INLINE void bf16_tile(int tokens, const struct floats *w, const char *x, int64_t ldx, int64_t columns, float *c, int64_t ldc, bool first) {
	__m512 sums[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			sums[i][j] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + j * LANES);
		}
	}
	for (int64_t l = 0; l < columns; l++) {
		__m512bh row[TILE_VECS];
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			row[j] = (__m512bh)_mm512_loadu_ps(w->w[l] + j * LANES);
		}
#pragma GCC unroll 8
		for (int i = 0; i < tokens; i++) {
			int32_t two;
			memcpy(&two, x + 2 * i * ldx + 4 * l, sizeof two);
			__m512bh v = (__m512bh)_mm512_set1_epi32(two);
#pragma GCC unroll 8
			for (int j = 0; j < TILE_VECS; j++) {
				sums[i][j] = _mm512_dpbf16_ps(sums[i][j], row[j], v);
			}
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < tokens; i++) {
#pragma GCC unroll 8
		for (int j = 0; j < TILE_VECS; j++) {
			_mm512_storeu_ps(c + i * ldc + j * LANES, sums[i][j]);
		}
	}
}

/* The same for floats. 16-bit ones have been made 32-bit ones. */
INLINE void float_tile(int tokens, const struct floats *w, const float *x, int64_t ldx, int64_t columns, float *c, int64_t ldc, bool first) {
	static const float ones[TILE_ROWS] = {1, 1, 1, 1, 1, 1};
	tile(tokens, TILE_VECS, columns, x, ldx, w->w[0], FLOAT_ROWS, c, ldc, first ? NULL : ones);
}

/* ---- a task ------------------------------------------------------------------------------------------------ */

/* The number of tokens as a constant. */
#define FOR_TOKENS(n, call)  \
	switch (n) {             \
	case 1: call(1); break;  \
	case 2: call(2); break;  \
	case 3: call(3); break;  \
	case 4: call(4); break;  \
	case 5: call(5); break;  \
	default: call(6); break; \
	}

/* Where a tile's result goes: into c, or, where fewer rows are left than a tile has, through a place of its own. */
struct place {
	float *c, spare[TILE_ROWS * FLOAT_ROWS];
	int64_t ldc, width, left;
	float *real;
	int64_t real_ldc;
};

INLINE void open_place(struct place *o, const struct product *p, int64_t token, int64_t tokens, int64_t row, int64_t width, bool first) {
	o->real = p->c + token * p->ldc + row;
	o->real_ldc = p->ldc;
	o->width = width;
	o->left = p->m - row;
	o->c = o->left >= width ? o->real : o->spare;
	o->ldc = o->left >= width ? p->ldc : width;
	for (int64_t i = 0; o->left < width && !first && i < tokens; i++) {
		memcpy(o->spare + i * width, o->real + i * p->ldc, (size_t)o->left * sizeof(float));
	}
}

INLINE void close_place(const struct place *o, int64_t tokens) {
	for (int64_t i = 0; o->left < o->width && i < tokens; i++) {
		memcpy(o->real + i * o->real_ldc, o->spare + i * o->width, (size_t)o->left * sizeof(float));
	}
}

/* Rows row.. and tokens from..to. */
static void byte_task(const struct product *p, int64_t row, int64_t from, int64_t to) {
	struct bytes w[BYTE_ROWS / PAIR];
	struct token_bytes x;
	struct place o;
	int64_t rows = p->m - row < BYTE_ROWS ? p->m - row : BYTE_ROWS;
	for (int64_t k = 0; k < p->k; k += BYTE_BLOCKS) {
		int64_t blocks = p->k - k < BYTE_BLOCKS ? p->k - k : BYTE_BLOCKS;
		for (int64_t r = 0; r < rows; r += PAIR) {
			pack_bytes(&w[r / PAIR], p, row + r, k, blocks);
		}
		for (int64_t t = from; t < to; t += TILE_ROWS) {
			int64_t n = to - t < TILE_ROWS ? to - t : TILE_ROWS;
			read_tokens(&x, p, t, n, k, blocks);
			for (int64_t r = 0; r < rows; r += PAIR) {
				open_place(&o, p, t, n, row + r, PAIR, k == 0);
#define CALL(n) byte_tile(n, &w[r / PAIR], &x, blocks, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
				close_place(&o, n);
			}
		}
	}
}

static void float_task(const struct product *p, int64_t row, int64_t from, int64_t to) {
	struct floats w;
	struct place o;
	float x[TILE_ROWS][FLOAT_K];
	int64_t all = p->type == PALI_GGML_TYPE_BF16 ? p->k / 2 : p->k;
	for (int64_t k = 0; k < all; k += FLOAT_K) {
		int64_t columns = all - k < FLOAT_K ? all - k : FLOAT_K;
		pack_floats(&w, p, row, k, columns);
		for (int64_t t = from; t < to; t += TILE_ROWS) {
			int64_t n = to - t < TILE_ROWS ? to - t : TILE_ROWS;
			open_place(&o, p, t, n, row, FLOAT_ROWS, k == 0);
			if (p->type == PALI_GGML_TYPE_BF16) {
				const char *b = p->b + 2 * t * p->ldb + 4 * k;
#define CALL(n) bf16_tile(n, &w, b, p->ldb, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			} else if (p->type == PALI_GGML_TYPE_F32) {
				const float *b = (const float *)(const void *)p->b + t * p->ldb + k;
#define CALL(n) float_tile(n, &w, b, p->ldb, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			} else {
				for (int64_t i = 0; i < n; i++) {
					for (int64_t l = 0; l < columns; l += LANES) {
						store(x[i] + l, row_part(PALI_GGML_TYPE_F16, p->b + 2 * ((t + i) * p->ldb + k + l), columns - l));
					}
				}
#define CALL(n) float_tile(n, &w, x[0], FLOAT_K, columns, o.c, o.ldc, k == 0)
				FOR_TOKENS(n, CALL)
#undef CALL
			}
			close_place(&o, n);
		}
	}
}

/* ---- the call ---------------------------------------------------------------------------------------------- */

#define FEWEST_TOKENS 8  /* fewer are not worth the packing */
#define TOKENS_A_TASK 48 /* at least, where there are not enough rows for all threads */

static bool taken(int64_t n, int64_t k, int a, int b, int c) {
	if (c != PALI_GGML_TYPE_F32 || n < FEWEST_TOKENS) {
		return false;
	}
	switch (a) {
	case PALI_GGML_TYPE_F32:
	case PALI_GGML_TYPE_F16:
	case PALI_GGML_TYPE_Q8_0:
		return b == a;
	case PALI_GGML_TYPE_BF16:
		return b == a && k % 2 == 0;
	case PALI_GGML_TYPE_Q4_0:
		return b == PALI_GGML_TYPE_Q8_0;
	default:
		return false;
	}
}

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
	if (!taken(n, k, a_type, b_type, c_type)) {
		return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
	}
	const struct pali_ggml_compute_params *own = (const struct pali_ggml_compute_params *)(const void *)params;
	struct product p = {m, n, k, a, b, lda, ldb, c, ldc, (unsigned)a_type};
	bool bytes = a_type == PALI_GGML_TYPE_Q8_0 || a_type == PALI_GGML_TYPE_Q4_0;
	int64_t height = bytes ? BYTE_ROWS : FLOAT_ROWS, panels = (m + height - 1) / height;
	int64_t parts = (4 * own->nth + panels - 1) / panels, most = (n + TOKENS_A_TASK - 1) / TOKENS_A_TASK;
	parts = parts > most ? most : parts;
	int64_t part = ((n + parts - 1) / parts + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;

	if (own->ith == 0) {
		ggml_threadpool_chunk_set(own->threadpool, own->nth);
	}
	ggml_barrier(own->threadpool);
	for (int64_t task = own->ith; task < panels * parts; task = ggml_threadpool_chunk_add(own->threadpool, 1)) {
		int64_t row = task % panels * height, from = task / panels * part, to = from + part < n ? from + part : n;
		if (bytes) {
			byte_task(&p, row, from, to);
		} else {
			float_task(&p, row, from, to);
		}
	}
	ggml_barrier(own->threadpool);
	return true;
}

bool pali_product_takes(unsigned type) { return llamafile_sgemm == __wrap_llamafile_sgemm && taken(FEWEST_TOKENS, 2, (int)type, type == PALI_GGML_TYPE_Q4_0 ? PALI_GGML_TYPE_Q8_0 : (int)type, PALI_GGML_TYPE_F32); }

#else

bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
	return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

#endif
#endif

#ifndef PALI_PRODUCT
bool pali_product_takes(unsigned type) {
	(void)type;
	return false;
}
#endif
