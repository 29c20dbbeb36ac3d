/* Attention of every patch to every patch, in 32-bit floats, without the T x T scores in memory. Before it: q, k and v as their products leave
 * them, [W,T] without biases. After it: the output's product.
 *
 * Keys are taken KEYS at a time, queries QUERIES at a time. For each block of keys: the scores of all queries, the softmax against the largest score
 * seen so far, and the values weighted with it, the sums so far being scaled down when a larger score turns up (Milakov and Gimelshein 2018,
 * "Online normalizer calculation for softmax"). */

#include "kernels.h"
#include "vec.h"

#define KEYS 64
#define QUERIES 48

#define UP(n, to) (((n) + (to) - 1) / (to) * (to))

/* A block of a head's keys and values, as pack writes it: keys [dim,KEYS], then values [KEYS,wide], wide being dim in whole vectors. */
static int64_t block_size(int64_t dim) { return KEYS * (dim + UP(dim, LANES)); }

int64_t pali_packed_size(int64_t tokens, int64_t width, int64_t heads) { return heads * (UP(tokens, KEYS) / KEYS) * block_size(width / heads); }

/* What a thread needs for its QUERIES queries. */
struct block {
	float *q;      /* [QUERIES,dim] scaled */
	float *scores; /* [QUERIES,KEYS] */
	float *mixed;  /* [QUERIES,wide] sums of weighted values */
	float *total;  /* [QUERIES,LANES] sums of weights, lane by lane */
	float *most;   /* [QUERIES] the largest score so far */
	float *keep;   /* [QUERIES] by what the sums so far are scaled down */
};

size_t pali_attention_room(int64_t width, int64_t heads) {
	int64_t dim = width / heads;
	return (size_t)(QUERIES * (dim + KEYS + UP(dim, LANES) + LANES + 2)) * sizeof(float);
}

static struct block place(float *scratch, int64_t dim) {
	struct block b;
	b.q = scratch;
	b.scores = b.q + QUERIES * dim;
	b.mixed = b.scores + QUERIES * KEYS;
	b.total = b.mixed + QUERIES * UP(dim, LANES);
	b.most = b.total + QUERIES * LANES;
	b.keep = b.most + QUERIES;
	return b;
}

/* n rows of k plus bias, dim wide, become columns of to [dim,KEYS]; columns behind them are zero. */
static void pack_keys(float *to, const float *k, const float *bias, int64_t width, int64_t dim, int64_t n) {
	for (int64_t from = 0; from < KEYS; from += LANES) {
		for (int64_t d = 0; d < dim; d += LANES) {
			vec rows[LANES];
			vec b = load_upto(bias + d, dim - d);
			for (int i = 0; i < LANES; i++) {
				rows[i] = from + i < n ? load_upto(k + (from + i) * width + d, dim - d) + b : (vec){0};
			}
			transpose(rows);
			for (int64_t i = 0; i < LANES && d + i < dim; i++) {
				store(to + (d + i) * KEYS + from, rows[i]);
			}
		}
	}
}

/* n rows of v plus bias, dim wide, become rows of to [KEYS,wide]; what is behind them is zero. */
static void pack_values(float *to, const float *v, const float *bias, int64_t width, int64_t dim, int64_t n) {
	int64_t wide = UP(dim, LANES);
	for (int64_t i = 0; i < KEYS; i++) {
		for (int64_t d = 0; d < dim; d += LANES) {
			vec x = {0};
			if (i < n) {
				x = load_upto(v + i * width + d, dim - d) + load_upto(bias + d, dim - d);
			}
			store(to + i * wide + d, x);
		}
	}
}

/* Sources: k [W,T], bias [W], v [W,T], bias [W]. */
void pali_run_pack(struct ggml_tensor *dst, int thread, int threads, void *kernel) {
	struct pali_kernel *kn = kernel;
	const struct pali_ggml_tensor *k = pali_source(dst, 0), *v = pali_source(dst, 2);
	const float *bias_k = pali_source(dst, 1)->data, *bias_v = pali_source(dst, 3)->data;
	int64_t width = k->ne[0], tokens = k->ne[1], dim = width / kn->heads;
	int64_t blocks = UP(tokens, KEYS) / KEYS;
	float *packed = ((struct pali_ggml_tensor *)(void *)dst)->data;
	(void)thread;
	for (int64_t task; (task = pali_draw(kn)) < blocks * kn->heads;) {
		int64_t at = task / blocks * dim, row = task % blocks * KEYS;
		int64_t n = tokens - row < KEYS ? tokens - row : KEYS;
		float *to = packed + task * block_size(dim);
		pack_keys(to, (const float *)k->data + row * width + at, bias_k + at, width, dim, n);
		pack_values(to + KEYS * dim, (const float *)v->data + row * width + at, bias_v + at, width, dim, n);
	}
	pali_leave(kn, threads);
}

/* The scores of n queries with a block of keys become weights, and the sums' scales are brought up to date. */
static void soften(struct block b, int64_t n) {
	for (int64_t i = 0; i < n; i++) {
		const float *s = b.scores + i * KEYS;
		vec most = load(s);
		for (int j = LANES; j < KEYS; j += LANES) {
			most = larger(load(s + j), most);
		}
		float seen = largest(most);
		seen = seen > b.most[i] ? seen : b.most[i];
		b.keep[i] = b.most[i] - seen;
		b.most[i] = seen;
	}
	for (int64_t i = 0; i < n; i += LANES) {
		store(b.keep + i, exponential(load(b.keep + i)));
	}
	for (int64_t i = 0; i < n; i++) {
		float *s = b.scores + i * KEYS;
		vec total = load(b.total + i * LANES) * b.keep[i];
		for (int j = 0; j < KEYS; j += LANES) {
			vec weight = exponential(load(s + j) - b.most[i]);
			store(s + j, weight);
			total += weight;
		}
		store(b.total + i * LANES, total);
	}
}

/* Lets n queries attend to all keys of a head. q and out point to the first query's row, at the head's place in it. */
static void attend(float *out, const float *q, const float *bias, float scale, const float *packed, struct block b, int64_t n, int64_t tokens, int64_t width, int64_t dim) {
	int64_t wide = UP(dim, LANES);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t d = 0; d < dim; d++) {
			b.q[i * dim + d] = (q[i * width + d] + bias[d]) * scale;
		}
		b.most[i] = -FLT_MAX;
	}
	memset(b.mixed, 0, (size_t)(QUERIES * wide) * sizeof(float));
	memset(b.total, 0, (size_t)(QUERIES * LANES) * sizeof(float));
	for (int64_t from = 0; from < tokens; from += KEYS, packed += block_size(dim)) {
		pali_multiply(n, KEYS / LANES, dim, b.q, dim, packed, KEYS, b.scores, KEYS, NULL);
		for (int64_t i = 0; i < n && from + KEYS > tokens; i++) {
			for (int64_t j = tokens - from; j < KEYS; j++) {
				b.scores[i * KEYS + j] = -FLT_MAX;
			}
		}
		soften(b, n);
		pali_multiply(n, wide / LANES, KEYS, b.scores, KEYS, packed + KEYS * dim, wide, b.mixed, wide, b.keep);
	}
	for (int64_t i = 0; i < n; i++) {
		float total = sum(load(b.total + i * LANES));
		for (int64_t d = 0; d < dim; d += LANES) {
			store_upto(out + i * width + d, load(b.mixed + i * wide + d) / total, dim - d);
		}
	}
}

/* Sources: q [W,T], bias [W], what pack made of k and v. */
void pali_run_attention(struct ggml_tensor *dst, int thread, int threads, void *kernel) {
	struct pali_kernel *k = kernel;
	const struct pali_ggml_tensor *q = pali_source(dst, 0);
	const float *bias = pali_source(dst, 1)->data, *packed = pali_source(dst, 2)->data;
	int64_t width = q->ne[0], tokens = q->ne[1], dim = width / k->heads;
	int64_t blocks = UP(tokens, QUERIES) / QUERIES;
	int64_t head_size = pali_packed_size(tokens, dim, 1);
	float *out = ((struct pali_ggml_tensor *)(void *)dst)->data;
	struct block b = place(pali_scratch(k, thread), dim);
	for (int64_t task; (task = pali_draw(k)) < blocks * k->heads;) {
		int64_t head = task / blocks, row = task % blocks * QUERIES, at = row * width + head * dim;
		int64_t n = tokens - row < QUERIES ? tokens - row : QUERIES;
		attend(out + at, (const float *)q->data + at, bias + head * dim, k->number, packed + head * head_size, b, n, tokens, width, dim);
	}
	pali_leave(k, threads);
}
