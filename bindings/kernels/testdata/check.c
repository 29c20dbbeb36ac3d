/* The C of bindings/ on memory of exactly its size, for a compiler's sanitizers (make asan-short):
 * every kernel on shapes that are no multiple of anything, on numbers of every kind and on bytes of
 * no kind. Without ggml, whose few functions are made up here. Prints what is wrong, or nothing.
 *
 * The sanitizers see what is read or written outside; besides, the product of many activations is
 * compared with that of each alone, which is another kernel's. */

#include "collect.h"
#include "fault.h"
#include "gemm.h"
#include "glue.h"
#include "nodes.h"
#include "peak.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int faults;

#define WANT(ok, ...) ((ok) ? (void)0 : (void)(faults++, printf(__VA_ARGS__), printf("\n")))

/* ---- what ggml has ---- */

static int chunk;

void ggml_barrier(struct ggml_threadpool *tp) { (void)tp; }
void ggml_threadpool_chunk_set(struct ggml_threadpool *tp, int value) { (void)tp, (void)value, chunk = 0; }
/* One thread does the work of all. */
int ggml_threadpool_chunk_add(struct ggml_threadpool *tp, int value) { return (void)tp, chunk += value; }
bool __real_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int ta, int tb, int tc) {
	(void)params, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb, (void)c, (void)ldc;
	(void)ta, (void)tb, (void)tc;
	return false;
}
bool __wrap_llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
                            int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int ta, int tb, int tc);
unsigned ggml_backend_buffer_get_usage(struct ggml_backend_buffer *b) {
	return (void)b, PALI_GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
}
void ggml_log_set(pali_log_callback callback, void *data) { (void)callback, (void)data; }
pali_give_up_callback ggml_set_abort_callback(pali_give_up_callback callback) { return callback; }
struct ggml_tensor *__real_ggml_mul_mat(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b) {
	return (void)ctx, (void)b, a;
}
void ggml_mul_mat_set_prec(struct ggml_tensor *a, unsigned prec) { (void)a, (void)prec; }
const struct pali_ggml_type_traits *ggml_get_type_traits(unsigned type) {
	static const struct pali_ggml_type_traits none;
	return (void)type, &none;
}
struct ggml_backend_reg *ggml_backend_dev_backend_reg(struct ggml_backend_device *d) { return (void)d, NULL; }
void *ggml_backend_reg_get_proc_address(struct ggml_backend_reg *r, const char *name) { return (void)r, (void)name, NULL; }

/* ---- numbers ---- */

static uint64_t state = 1;

static uint32_t draw(void) {
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 32);
}

/* Memory of n bytes, drawn; every byte 255 (NaN, -1) if all_ones. */
static void *bytes(size_t n, bool all_ones) {
	unsigned char *p = malloc(n);
	for (size_t i = 0; i < n; i++) {
		p[i] = all_ones ? 255 : (unsigned char)draw();
	}
	return p;
}

/* n floats: of about 1, or of every kind there is. */
static float *floats(size_t n, bool wild) {
	static const float kinds[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-42f, -0.0f, 88.5f, -1e30f};
	float *p = malloc(n * sizeof *p);
	for (size_t i = 0; i < n; i++) {
		p[i] = wild && draw() % 4 == 0 ? kinds[draw() % 9] : (float)(int32_t)draw() / 0x1p31f;
	}
	return p;
}

static void put_16(void *p, unsigned v) { memcpy(p, &(uint16_t){(uint16_t)v}, 2); }

/* ---- matrix products ---- */

/* A type of weights: elements and bytes of a block, where its halves are; the same of activations. */
static const struct kind {
	unsigned type, activations;
	int64_t elements, size, halves[2], b_size;
} kinds[] = {
    {PALI_GGML_TYPE_F32, PALI_GGML_TYPE_F32, 1, 4, {-1, -1}, 4},
    {PALI_GGML_TYPE_F16, PALI_GGML_TYPE_F16, 1, 2, {-1, -1}, 2},
    {PALI_GGML_TYPE_BF16, PALI_GGML_TYPE_BF16, 1, 2, {-1, -1}, 2},
    {PALI_GGML_TYPE_Q8_0, PALI_GGML_TYPE_Q8_0, 32, 34, {0, -1}, 34},
    {PALI_GGML_TYPE_Q4_0, PALI_GGML_TYPE_Q8_0, 32, 18, {0, -1}, 34},
    {PALI_GGML_TYPE_IQ4_NL, PALI_GGML_TYPE_Q8_0, 32, 18, {0, -1}, 34},
    {PALI_GGML_TYPE_Q5_0, PALI_GGML_TYPE_Q8_0, 32, 22, {0, -1}, 34},
    {PALI_GGML_TYPE_Q4_K, PALI_GGML_TYPE_Q8_K, 256, 144, {0, 2}, 292},
    {PALI_GGML_TYPE_Q5_K, PALI_GGML_TYPE_Q8_K, 256, 176, {0, 2}, 292},
    {PALI_GGML_TYPE_Q6_K, PALI_GGML_TYPE_Q8_K, 256, 210, {208, -1}, 292},
};

/* count blocks of weights, or of activations. wild: any bytes; else the halves are about 0.01. */
static char *blocks(const struct kind *kind, bool activations, int64_t count, bool wild) {
	int64_t size = activations ? kind->b_size : kind->size;
	char *p = bytes((size_t)(count * size), wild && draw() % 2 == 0);
	for (int64_t i = 0; i < count && !wild; i++) {
		char *b = p + i * size;
		if (kind->type == PALI_GGML_TYPE_F32) {
			memcpy(b, &(float){(float)(int32_t)draw() / 0x1p31f}, 4);
		} else if (kind->elements == 1) {
			put_16(b, (kind->type == PALI_GGML_TYPE_F16 ? 0x2c00 : 0x3e00) | (draw() & 0x83ff));
		} else if (!activations || size == 34) {
			put_16(b + kind->halves[0] * !activations, 0x2000 | (draw() & 0x3ff));
			if (!activations && kind->halves[1] >= 0) {
				put_16(b + kind->halves[1], 0x2000 | (draw() & 0x3ff));
			}
		} else {
			memcpy(b, &(float){0.01f}, 4);
			for (int g = 0; g < 16; g++) {
				int sum = 0;
				for (int j = 0; j < 16; j++) {
					sum += (signed char)b[4 + 16 * g + j];
				}
				put_16(b + 4 + 256 + 2 * g, (unsigned)sum);
			}
		}
	}
	return p;
}

/* The products of n activations with m rows of k blocks: all at once, shared by threads, then one
 * after the other. */
static void check_product(const struct kind *kind, int64_t m, int64_t n, int64_t k, int threads, bool wild) {
	char *a = blocks(kind, false, m * k, wild), *b = blocks(kind, true, n * k, wild);
	float *c = bytes((size_t)(m * n) * sizeof *c, true), *one = bytes((size_t)m * sizeof *one, true);
	struct pali_ggml_compute_params params = {0, threads, 0, NULL, NULL};
	const struct ggml_compute_params *p = (const struct ggml_compute_params *)(const void *)&params;
	int ta = (int)kind->type, tb = (int)kind->activations;
	bool done = __wrap_llamafile_sgemm(p, m, n, k, a, k, b, k, c, m, ta, tb, PALI_GGML_TYPE_F32);
	for (int64_t i = 0; i < n && done; i++) {
		const char *column = b + i * k * kind->b_size;
		if (!__wrap_llamafile_sgemm(p, m, 1, k, a, k, column, k, one, m, ta, tb, PALI_GGML_TYPE_F32)) {
			continue; /* floats, and rows that are too long */
		}
		float most = 0;
		for (int64_t j = 0; j < m; j++) {
			most = fmaxf(most, fabsf(one[j]));
		}
		for (int64_t j = 0; j < m && !wild; j++) {
			WANT(fabsf(c[i * m + j] - one[j]) <= 1e-4f * most, "type %u, %ld x %ld x %ld: %g and %g", kind->type, (long)m,
			     (long)n, (long)k, (double)c[i * m + j], (double)one[j]);
		}
	}
	for (int64_t i = 0; i < m * n && done && !wild; i++) {
		WANT(isfinite(c[i]), "type %u, %ld x %ld x %ld: %g", kind->type, (long)m, (long)n, (long)k, (double)c[i]);
	}
	free(a), free(b), free(c), free(one);
}

static void check_products(void) {
	static const int64_t sizes[][3] = {{1, 8, 1}, {1, 1, 1}, {16, 9, 2}, {31, 8, 3}, {33, 13, 17}, {130, 11, 16},
	                                   {65, 12, 33}, {127, 7, 8}, {257, 1, 5}, {5, 2, 3}, {3, 1, 1030}};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
			int64_t k = kinds[i].elements == 1 ? 15 * sizes[j][2] + 1 : sizes[j][2];
			check_product(&kinds[i], sizes[j][0], sizes[j][1], k, 1, false);
			check_product(&kinds[i], sizes[j][0], sizes[j][1], k, 3, j % 2 == 0);
		}
	}
}

/* ---- nodes ---- */

static struct pali_ggml_tensor tensor(float *data, int64_t width, int64_t rows) {
	struct pali_ggml_tensor t = {0};
	t.ne[0] = width, t.ne[1] = rows, t.ne[2] = t.ne[3] = 1;
	t.nb[0] = 4, t.nb[1] = t.nb[2] = t.nb[3] = 4 * (size_t)width;
	t.data = data;
	return t;
}

/* Each of threads calls op once for dst, the last one first; there is scratch for all but one. */
static void run(void (*op)(struct ggml_tensor *, int, int, void *), struct pali_ggml_tensor *dst, int threads,
                size_t room, float number, int heads, int gelu) {
	struct pali_nodes *all = pali_nodes_new(threads > 1 ? threads - 1 : 1, 1);
	struct pali_node *node = pali_nodes_next(all, room);
	node->number = number, node->heads = heads, node->gelu = gelu;
	WANT(pali_nodes_next(all, 0) == NULL, "a second node where there is room for one");
	WANT(pali_nodes_alloc(all), "no memory");
	for (int i = threads - 1; i >= 0; i--) {
		op((struct ggml_tensor *)(void *)dst, i, threads, node);
	}
	pali_nodes_free(all);
}

static void want_finite(const char *name, const float *x, int64_t n) {
	for (int64_t i = 0; i < n; i++) {
		WANT(isfinite(x[i]), "%s: %g at %ld", name, (double)x[i], (long)i);
	}
}

static void check_rows(int64_t width, int64_t rows, int threads, bool wild) {
	size_t n = (size_t)(width * rows);
	float *in[] = {floats(n, wild), floats((size_t)width, wild), floats((size_t)width, wild), floats(n, wild)};
	struct pali_ggml_tensor x = tensor(in[0], width, rows), w = tensor(in[1], width, 1), b = tensor(in[2], width, 1);
	struct pali_ggml_tensor other = tensor(in[3], width, rows);
	float *y = bytes(n * sizeof *y, true);
	struct pali_ggml_tensor dst = tensor(y, width, rows);
	dst.src[0] = (void *)&x, dst.src[1] = (void *)&w, dst.src[2] = (void *)&b;
	run(pali_run_norm, &dst, threads, 0, 1e-6f, 0, 0);
	dst.src[2] = (void *)&other;
	run(pali_run_bias, &dst, threads, 0, 0, 0, 0);
	dst.src[2] = NULL;
	run(pali_run_bias, &dst, threads, 0, 0, 0, 1);
	if (!wild) {
		want_finite("norm", y, width * rows);
		want_finite("bias", in[0], width * rows);
	}
	free(in[0]), free(in[1]), free(in[2]), free(in[3]), free(y);
}

static void check_attention(int64_t dim, int heads, int64_t tokens, int threads, bool wild) {
	int64_t width = dim * heads, size = pali_packed_size(tokens, width, heads);
	struct pali_ggml_tensor x[3], bias[3], packed, dst;
	for (int i = 0; i < 3; i++) {
		x[i] = tensor(floats((size_t)(width * tokens), wild), width, tokens);
		bias[i] = tensor(floats((size_t)width, wild), width, 1);
	}
	packed = tensor(bytes((size_t)size * 4, true), size, 1), dst = tensor(bytes((size_t)(width * tokens) * 4, true), width, tokens);
	packed.src[0] = (void *)&x[1], packed.src[1] = (void *)&bias[1];
	packed.src[2] = (void *)&x[2], packed.src[3] = (void *)&bias[2];
	dst.src[0] = (void *)&x[0], dst.src[1] = (void *)&bias[0], dst.src[2] = (void *)&packed;
	run(pali_run_pack, &packed, threads, 0, 0, heads, 0);
	run(pali_run_attention, &dst, threads, pali_attention_room(width, heads), 0.5f, heads, 0);
	if (!wild) {
		want_finite("attention", dst.data, width * tokens);
	}
	for (int i = 0; i < 3; i++) {
		free(x[i].data), free(bias[i].data);
	}
	free(packed.data), free(dst.data);
}

static void check_nodes(void) {
	static const int64_t sizes[] = {1, 3, 16, 17, 45, 80, 1153};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (int wild = 0; wild < 2; wild++) {
			check_rows(sizes[i], 9, 1, wild);
			check_rows(sizes[i], 1, 3, wild);
			check_attention(sizes[i] % 97 + 1, 1 + (int)i % 3, 1 + 13 * (int64_t)i, 1 + 2 * wild, wild);
		}
	}
}

/* ---- the rest ---- */

/* Inputs whose rows lie further apart than they are wide; the last one ends where memory does. */
static void check_collect(void) {
	struct pali_collector c = {0};
	struct pali_ggml_tensor w = tensor(NULL, 7, 3), node = tensor(NULL, 3, 5), x = tensor(floats(4 * 11 + 7, false), 7, 5);
	x.nb[1] = 44, x.nb[2] = x.nb[3] = 5 * 44;
	w.buffer = &w, node.op = PALI_GGML_OP_MUL_MAT;
	memset(w.name, 'n', sizeof w.name); /* no byte 0 */
	node.src[0] = (void *)&w, node.src[1] = (void *)&x;
	for (int i = 0; i < 4; i++) {
		WANT(pali_collect((struct ggml_tensor *)(void *)&node, i % 2 == 0, &c), "collect says no");
	}
	WANT(c.first != NULL && c.first->rows == 10 && c.first->next == NULL && c.first->cols == 7, "collect: other sums");
	x.ne[0] = 6;
	pali_collect((struct ggml_tensor *)(void *)&node, false, &c);
	WANT(c.fault != NULL, "collect: two widths are no fault");
	pali_collector_clear(&c);
	free(x.data);
}

static void check_log(void) {
	char text[3000], out[4096];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	for (int i = 0; i < 3; i++) {
		pali_log(PALI_GGML_LOG_LEVEL_WARN, text, NULL);
		pali_log(PALI_GGML_LOG_LEVEL_CONT, text, NULL);
	}
	WANT(pali_log_take(out, sizeof out) == 4096 && pali_log_take(out, sizeof out) == 0, "the log is of another size");
	int flag[PALI_STOP_INTS] = {0, 0x7fffffff, 0, 0};
	pali_stop_set(flag, 1);
	WANT(pali_stop_raised(flag), "the flag is down");
	pali_stop_parts(flag, 1);
	int parts = 0;
	for (int i = 0; i < 10 * PALI_STOP_NODES; i++) {
		parts += pali_stop_eval(NULL, true, flag);
	}
	WANT(parts == 10 && !pali_stop_eval(NULL, false, flag), "%d parts of ten", parts);
	WANT(pali_backend_feature(NULL, 3, &(const char *){NULL}) == NULL, "a feature of nothing");
	WANT(pali_extra_buffer_type(NULL) == NULL, "a buffer type of nothing");
	WANT(!pali_to_float(PALI_GGML_TYPE_Q4_0, NULL, NULL, 0), "no function converts");
}

/* A process of its own does what ends it. The line that it writes to standard error must hold want,
 * and its exit code be 1. */
static void check_end(void (*end)(void), const char *want) {
	char line[8192];
	size_t n = 0;
	int pipes[2], status = 0;
	fflush(NULL);
	WANT(pipe(pipes) == 0, "no pipe");
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDERR_FILENO);
		end();
		_exit(2);
	}
	close(pipes[1]);
	for (ssize_t got; n < sizeof line - 1 && (got = read(pipes[0], line + n, sizeof line - 1 - n)) > 0;) {
		n += (size_t)got;
	}
	line[n] = 0;
	close(pipes[0]);
	waitpid(child, &status, 0);
	WANT(WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(line, want) != NULL, "status %x, want a line with \"%s\":\n%s",
	     (unsigned)status, want, line);
}

/* ggml gives up with a log and a message that are both longer than there is room for. */
static void give_up(void) {
	static char text[6000];
	memset(text, '\n', sizeof text - 1);
	for (int i = 0; i < 3; i++) {
		pali_log(PALI_GGML_LOG_LEVEL_ERROR, text, NULL);
	}
	pali_log_install();
	pali_give_up(text);
}

/* A page of a mapped file whose bytes are gone. */
static void lose_page(void) {
	static char sentence[1000];
	memset(sentence, 's', sizeof sentence - 1);
	FILE *file = tmpfile();
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fileno(file), 0);
	pali_explain_lost_page(sentence);
	pali_explain_lost_page("another");
	putchar(*(volatile char *)page);
}

static void check_peak(void) {
	float sink = 0;
	void *memory = aligned_alloc(64, 4096);
	memset(memory, 255, 4096); /* the sums overflow */
	pali_peak_read(memory, 4096);
	free(memory);
	pali_peak_int8(100, &sink), pali_peak_bf16(100, &sink), pali_peak_f32(100, &sink);
}

int main(void) {
	check_products();
	check_nodes();
	check_collect();
	check_log();
	check_end(give_up, "pali: ggml gave up: ");
	check_end(lose_page, "sssssssss");
	check_peak();
	return faults > 0;
}
