/* The log, the stop flag, and what else glue.h declares. */

#include "glue.h"

#include <stdatomic.h>
#include <string.h>

/* ---- log ---- */

static atomic_flag log_lock = ATOMIC_FLAG_INIT;
static char log_text[4096];
static size_t log_used;
static bool log_kept; /* whether the last message was kept; its continuations follow it */

void pali_log(unsigned level, const char *text, void *user_data) {
	(void)user_data;
	while (atomic_flag_test_and_set(&log_lock)) {
	}
	if (level != PALI_GGML_LOG_LEVEL_CONT) {
		log_kept = level == PALI_GGML_LOG_LEVEL_WARN || level == PALI_GGML_LOG_LEVEL_ERROR;
	}
	if (log_kept) {
		size_t n = strlen(text);
		if (n > sizeof log_text - log_used) {
			n = sizeof log_text - log_used;
		}
		memcpy(log_text + log_used, text, n);
		log_used += n;
	}
	atomic_flag_clear(&log_lock);
}

size_t pali_log_take(char *to, size_t size) {
	while (atomic_flag_test_and_set(&log_lock)) {
	}
	size_t n = log_used < size ? log_used : size;
	memcpy(to, log_text, n);
	log_used = 0;
	atomic_flag_clear(&log_lock);
	return n;
}

void pali_log_install(void) {
	ggml_log_set(pali_log, NULL);
	ggml_set_abort_callback(pali_give_up);
}

/* ---- stopping ---- */

/* flag[0] says whether it was raised, flag[1] counts the polls: it grows while a graph makes
 * progress. flag[2] says whether graphs run in parts, flag[3] counts the nodes of a part; only the
 * thread that runs a graph uses these two. */
bool pali_stop_raised(void *flag) {
	atomic_fetch_add_explicit((_Atomic int *)flag + 1, 1, memory_order_relaxed);
	return atomic_load_explicit((_Atomic int *)flag, memory_order_relaxed) != 0;
}

/* A scheduler asks for each node whether it is to stop there: it then computes the part up to it, waits
 * for the device, and calls once more. What is returned then says whether to go on. A part is about a
 * layer: shorter ones might hold no addition of two results, by which ggml's CUDA backend tells a batch
 * from a token, and four such in a row would end its use of CUDA graphs for tokens. */
bool pali_stop_eval(struct ggml_tensor *node, bool ask, void *flag) {
	int *f = flag;
	(void)node;
	if (!ask) {
		return !pali_stop_raised(flag);
	}
	if (f[2] == 0 || ++f[3] < PALI_STOP_NODES) {
		return false;
	}
	f[3] = 0;
	return true;
}
void pali_stop_parts(int *flag, int on) { flag[2] = on; }
void pali_stop_set(int *flag, int value) { atomic_store((_Atomic int *)flag, value); }
int pali_stop_polls(int *flag) { return atomic_load_explicit((_Atomic int *)flag + 1, memory_order_relaxed); }

/* ---- function pointers ---- */

bool pali_to_float(unsigned type, const void *src, float *dst, int64_t n) {
	const struct pali_ggml_type_traits *t = ggml_get_type_traits(type);
	if (t->to_float == NULL) {
		return false;
	}
	t->to_float(src, dst, n);
	return true;
}

struct ggml_backend_buffer_type *pali_extra_buffer_type(struct ggml_backend_device *device) {
	struct ggml_backend_reg *reg = ggml_backend_dev_backend_reg(device);
	pali_get_extra_bufts get =
	    (pali_get_extra_bufts)ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts");
	struct ggml_backend_buffer_type **list = get == NULL ? NULL : get(device);
	return list == NULL ? NULL : *list;
}

const char *pali_backend_feature(struct ggml_backend_reg *reg, int i, const char **value) {
	pali_get_features get =
	    (pali_get_features)ggml_backend_reg_get_proc_address(reg, "ggml_backend_get_features");
	struct pali_ggml_backend_feature *f = get == NULL ? NULL : get(reg);
	while (f != NULL && f->name != NULL && i > 0) {
		f++, i--;
	}
	if (f == NULL || f->name == NULL) {
		return NULL;
	}
	*value = f->value;
	return f->name;
}

/* ---- what this build is ---- */

const char *pali_compiled_for(void) {
	return ""
#ifdef __AVX2__
	       " AVX2"
#endif
#ifdef __AVX512F__
	       " AVX512"
#endif
#ifdef __AVX512VNNI__
	       " AVX512_VNNI"
#endif
#ifdef __AVX512BF16__
	       " AVX512_BF16"
#endif
#ifdef __ARM_NEON
	       " NEON"
#endif
#ifdef __ARM_FEATURE_DOTPROD
	       " DOTPROD"
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
	       " I8MM"
#endif
#ifdef GGML_USE_CPU_REPACK
	       " REPACK"
#endif
	    ;
}

bool pali_compiled_slow(void) {
#if (defined(__x86_64__) || defined(_M_X64)) && !defined(__AVX2__)
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

const char *pali_compiler(void) {
#if defined(__clang__)
	return "clang " __clang_version__;
#elif defined(__GNUC__)
	return "gcc " __VERSION__;
#else
	return "unknown";
#endif
}
