/* Attention of every patch to every patch, in 32-bit floats, without the T x T scores in memory. q,
 * k and v are [W,T] as their matrix products leave them, without biases.
 *
 * Keys are taken KEYS at a time, queries QUERIES at a time. For each block of keys: the scores
 * of all queries, the softmax against the largest score so far, and the values weighted with it;
 * the sums so far are scaled down when a larger score turns up (Milakov and Gimelshein 2018,
 * "Online normalizer calculation for softmax"). */

#include "nodes.h"
#include "vec.h"

#define KEYS 64
#define QUERIES 48

#define ROUND_UP(n, to) (((n) + (to) - 1) / (to) * (to))

/* Floats of a block of a head's keys and values, as pack writes it: keys [dim,KEYS], then values
 * [KEYS,wide], where wide is dim rounded up to whole vectors. */
static int64_t block_size(int64_t dim) { return KEYS * (dim + ROUND_UP(dim, LANES)); }

int64_t pali_packed_size(int64_t tokens, int64_t width, int64_t heads) {
	return heads * (ROUND_UP(tokens, KEYS) / KEYS) * block_size(width / heads);
}

/* A thread's scratch for its QUERIES queries. */
struct block {
	float *q;       /* [QUERIES,dim] scaled */
	float *scores;  /* [QUERIES,KEYS] */
	float *mixed;   /* [QUERIES,wide] sums of weighted values */
	float *total;   /* [QUERIES,LANES] sums of weights, lane by lane */
	float *max;     /* [QUERIES] the largest score so far */
	float *rescale; /* [QUERIES] the factor of the sums so far */
};

size_t pali_attention_room(int64_t width, int64_t heads) {
	int64_t dim = width / heads;
	return (size_t)(QUERIES * (dim + KEYS + ROUND_UP(dim, LANES) + LANES + 2)) * sizeof(float);
}

static struct block block_in(float *scratch, int64_t dim) {
	struct block b;
	b.q = scratch;
	b.scores = b.q + QUERIES * dim;
	b.mixed = b.scores + QUERIES * KEYS;
	b.total = b.mixed + QUERIES * ROUND_UP(dim, LANES);
	b.max = b.total + QUERIES * LANES;
	b.rescale = b.max + QUERIES;
	return b;
}

/* n rows of k plus bias, dim wide, become columns of to [dim,KEYS]; the other columns are zero. */
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

/* n rows of v plus bias, dim wide, become rows of to [KEYS,wide]; the rest is zero. */
static void pack_values(float *to, const float *v, const float *bias, int64_t width, int64_t dim, int64_t n) {
	int64_t wide = ROUND_UP(dim, LANES);
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
void pali_run_pack(struct ggml_tensor *dst, int thread, int threads, void *node) {
	struct pali_node *n = node;
	const struct pali_ggml_tensor *k = pali_source(dst, 0), *v = pali_source(dst, 2);
	const float *bias_k = pali_source(dst, 1)->data, *bias_v = pali_source(dst, 3)->data;
	int64_t width = k->ne[0], tokens = k->ne[1], dim = width / n->heads;
	int64_t blocks = ROUND_UP(tokens, KEYS) / KEYS;
	float *packed = ((struct pali_ggml_tensor *)(void *)dst)->data;
	(void)thread;
	for (int64_t task; (task = pali_next_task(n)) < blocks * n->heads;) {
		int64_t at = task / blocks * dim, row = task % blocks * KEYS;
		int64_t keys = tokens - row < KEYS ? tokens - row : KEYS;
		float *to = packed + task * block_size(dim);
		pack_keys(to, (const float *)k->data + row * width + at, bias_k + at, width, dim, keys);
		pack_values(to + KEYS * dim, (const float *)v->data + row * width + at, bias_v + at, width, dim, keys);
	}
	pali_tasks_done(n, threads);
}

/* The scores of n queries with a block of keys become weights; max, rescale and total follow. */
static void softmax(struct block b, int64_t n) {
	for (int64_t i = 0; i < n; i++) {
		const float *s = b.scores + i * KEYS;
		vec lanes = load(s);
		for (int j = LANES; j < KEYS; j += LANES) {
			lanes = larger(load(s + j), lanes);
		}
		float max = largest(lanes);
		max = max > b.max[i] ? max : b.max[i];
		b.rescale[i] = b.max[i] - max;
		b.max[i] = max;
	}
	for (int64_t i = 0; i < n; i += LANES) {
		store_upto(b.rescale + i, exponential(load_upto(b.rescale + i, n - i)), n - i);
	}
	for (int64_t i = 0; i < n; i++) {
		float *s = b.scores + i * KEYS;
		vec total = load(b.total + i * LANES) * b.rescale[i];
		for (int j = 0; j < KEYS; j += LANES) {
			vec weight = exponential(load(s + j) - b.max[i]);
			store(s + j, weight);
			total += weight;
		}
		store(b.total + i * LANES, total);
	}
}

/* The attention of n queries to all keys of a head. q and out point to the head's columns of the
 * first query's row. */
static void attend(float *out, const float *q, const float *bias, float scale, const float *packed,
                   struct block b, int64_t n, int64_t tokens, int64_t width, int64_t dim) {
	int64_t wide = ROUND_UP(dim, LANES);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t d = 0; d < dim; d++) {
			b.q[i * dim + d] = (q[i * width + d] + bias[d]) * scale;
		}
		b.max[i] = -FLT_MAX;
	}
	memset(b.mixed, 0, (size_t)(QUERIES * wide) * sizeof(float));
	memset(b.total, 0, (size_t)(QUERIES * LANES) * sizeof(float));
	for (int64_t from = 0; from < tokens; from += KEYS, packed += block_size(dim)) {
		pali_gemm_f32(n, KEYS / LANES, dim, b.q, dim, packed, KEYS, b.scores, KEYS, NULL);
		for (int64_t i = 0; i < n && from + KEYS > tokens; i++) {
			for (int64_t j = tokens - from; j < KEYS; j++) {
				b.scores[i * KEYS + j] = -FLT_MAX;
			}
		}
		softmax(b, n);
		pali_gemm_f32(n, wide / LANES, KEYS, b.scores, KEYS, packed + KEYS * dim, wide, b.mixed, wide, b.rescale);
	}
	for (int64_t i = 0; i < n; i++) {
		float total = sum(load(b.total + i * LANES));
		for (int64_t d = 0; d < dim; d += LANES) {
			store_upto(out + i * width + d, load(b.mixed + i * wide + d) / total, dim - d);
		}
	}
}

/* Sources: q [W,T], bias [W], the packed keys and values. */
void pali_run_attention(struct ggml_tensor *dst, int thread, int threads, void *node) {
	struct pali_node *n = node;
	const struct pali_ggml_tensor *q = pali_source(dst, 0);
	const float *bias = pali_source(dst, 1)->data, *packed = pali_source(dst, 2)->data;
	int64_t width = q->ne[0], tokens = q->ne[1], dim = width / n->heads;
	int64_t blocks = ROUND_UP(tokens, QUERIES) / QUERIES;
	int64_t head_size = pali_packed_size(tokens, dim, 1);
	float *out = ((struct pali_ggml_tensor *)(void *)dst)->data;
	/* A thread beyond those that have scratch takes no task; the others do them all. */
	if (thread < n->all->threads) {
		struct block b = block_in(pali_scratch(n, thread), dim);
		for (int64_t task; (task = pali_next_task(n)) < blocks * n->heads;) {
			int64_t head = task / blocks, row = task % blocks * QUERIES, at = row * width + head * dim;
			int64_t queries = tokens - row < QUERIES ? tokens - row : QUERIES;
			attend(out + at, (const float *)q->data + at, bias + head * dim, n->number, packed + head * head_size, b,
			       queries, tokens, width, dim);
		}
	}
	pali_tasks_done(n, threads);
}
