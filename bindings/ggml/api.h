/* The C functions of ggml that bindings/ggml and bindings/kernels call, declared here so that the
 * module builds without its headers being found. Enumerations are written as the integers the
 * compilers represent them by; abi_test.go compiles this file after ggml's own headers, so that a
 * declaration that differs from theirs is an error. */
#ifndef PALI_GGML_API_H
#define PALI_GGML_API_H

#include "abi.h"

struct ggml_context;
struct ggml_tensor;
struct ggml_cgraph;
struct ggml_backend;
struct ggml_backend_buffer;
struct ggml_backend_buffer_type;
struct ggml_backend_device;
struct ggml_backend_reg;
struct ggml_backend_sched;
struct ggml_compute_params;

/* ggml.h: contexts and tensors */
struct ggml_context *ggml_init(struct pali_ggml_init_params params);
void ggml_free(struct ggml_context *ctx);
size_t ggml_tensor_overhead(void);
size_t ggml_graph_overhead_custom(size_t size, bool grads);
struct ggml_tensor *ggml_new_tensor(struct ggml_context *ctx, unsigned type, int n_dims, const int64_t *ne);
struct ggml_tensor *ggml_set_name(struct ggml_tensor *tensor, const char *name);
void ggml_set_input(struct ggml_tensor *tensor);
void ggml_set_output(struct ggml_tensor *tensor);
int64_t ggml_nelements(const struct ggml_tensor *tensor);
size_t ggml_nbytes(const struct ggml_tensor *tensor);
int64_t ggml_blck_size(unsigned type);
size_t ggml_type_size(unsigned type);
const char *ggml_type_name(unsigned type);

/* ggml.h: operations */
struct ggml_tensor *ggml_add(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b);
struct ggml_tensor *ggml_mul(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b);
struct ggml_tensor *ggml_mul_mat(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b);
void ggml_mul_mat_set_prec(struct ggml_tensor *a, unsigned prec);
struct ggml_tensor *ggml_norm(struct ggml_context *ctx, struct ggml_tensor *a, float eps);
struct ggml_tensor *ggml_sqr(struct ggml_context *ctx, struct ggml_tensor *a);
struct ggml_tensor *ggml_scale_bias(struct ggml_context *ctx, struct ggml_tensor *a, float s, float b);
struct ggml_tensor *ggml_sigmoid(struct ggml_context *ctx, struct ggml_tensor *a);
struct ggml_tensor *ggml_soft_max_ext(struct ggml_context *ctx, struct ggml_tensor *a,
	struct ggml_tensor *mask, float scale, float max_bias);
struct ggml_tensor *ggml_permute(struct ggml_context *ctx, struct ggml_tensor *a, int axis0, int axis1,
	int axis2, int axis3);
struct ggml_tensor *ggml_cont(struct ggml_context *ctx, struct ggml_tensor *a);
struct ggml_tensor *ggml_cont_2d(struct ggml_context *ctx, struct ggml_tensor *a, int64_t ne0, int64_t ne1);
struct ggml_tensor *ggml_reshape_2d(struct ggml_context *ctx, struct ggml_tensor *a, int64_t ne0, int64_t ne1);
struct ggml_tensor *ggml_reshape_3d(struct ggml_context *ctx, struct ggml_tensor *a, int64_t ne0, int64_t ne1,
	int64_t ne2);
struct ggml_tensor *ggml_view_2d(struct ggml_context *ctx, struct ggml_tensor *a, int64_t ne0, int64_t ne1,
	size_t nb1, size_t offset);
struct ggml_tensor *ggml_concat(struct ggml_context *ctx, struct ggml_tensor *a, struct ggml_tensor *b, int dim);
typedef void (*pali_custom_op)(struct ggml_tensor *dst, int ith, int nth, void *userdata);
struct ggml_tensor *ggml_custom_4d(struct ggml_context *ctx, unsigned type, int64_t ne0, int64_t ne1,
	int64_t ne2, int64_t ne3, struct ggml_tensor **args, int n_args, pali_custom_op fun, int n_tasks, void *userdata);
struct ggml_tensor *ggml_custom_inplace(struct ggml_context *ctx, struct ggml_tensor *a,
	struct ggml_tensor **args, int n_args, pali_custom_op fun, int n_tasks, void *userdata);
struct ggml_cgraph *ggml_new_graph_custom(struct ggml_context *ctx, size_t size, bool grads);
void ggml_build_forward_expand(struct ggml_cgraph *cgraph, struct ggml_tensor *tensor);

/* ggml.h: blocks */
const struct pali_ggml_type_traits *ggml_get_type_traits(unsigned type);
size_t ggml_quantize_chunk(unsigned type, const float *src, void *dst, int64_t start, int64_t nrows,
	int64_t n_per_row, const float *imatrix);
bool ggml_validate_row_data(unsigned type, const void *data, size_t nbytes);

/* ggml.h: log */
typedef void (*pali_log_callback)(unsigned level, const char *text, void *user_data);
void ggml_log_set(pali_log_callback log_callback, void *user_data);
typedef void (*pali_give_up_callback)(const char *error_message);
pali_give_up_callback ggml_set_abort_callback(pali_give_up_callback callback);

/* ggml-alloc.h */
struct ggml_backend_buffer *ggml_backend_alloc_ctx_tensors_from_buft(struct ggml_context *ctx,
	struct ggml_backend_buffer_type *buft);

/* ggml-backend.h */
void ggml_backend_buffer_free(struct ggml_backend_buffer *buffer);
void ggml_backend_buffer_set_usage(struct ggml_backend_buffer *buffer, unsigned usage);
unsigned ggml_backend_buffer_get_usage(struct ggml_backend_buffer *buffer);
void ggml_backend_free(struct ggml_backend *backend);
void ggml_backend_tensor_set(struct ggml_tensor *tensor, const void *data, size_t offset, size_t size);
void ggml_backend_tensor_get(const struct ggml_tensor *tensor, void *data, size_t offset, size_t size);
const char *ggml_backend_dev_name(struct ggml_backend_device *device);
const char *ggml_backend_dev_description(struct ggml_backend_device *device);
void ggml_backend_dev_memory(struct ggml_backend_device *device, size_t *free, size_t *total);
unsigned ggml_backend_dev_type(struct ggml_backend_device *device);
struct ggml_backend_reg *ggml_backend_dev_backend_reg(struct ggml_backend_device *device);
struct ggml_backend *ggml_backend_dev_init(struct ggml_backend_device *device, const char *params);
struct ggml_backend_buffer_type *ggml_backend_dev_buffer_type(struct ggml_backend_device *device);
bool ggml_backend_dev_supports_op(struct ggml_backend_device *device, const struct ggml_tensor *op);
const char *ggml_backend_reg_name(struct ggml_backend_reg *reg);
void *ggml_backend_reg_get_proc_address(struct ggml_backend_reg *reg, const char *name);
size_t ggml_backend_dev_count(void);
struct ggml_backend_device *ggml_backend_dev_get(size_t index);
struct ggml_backend_reg *ggml_backend_load(const char *path);
struct ggml_backend_sched *ggml_backend_sched_new(struct ggml_backend **backends,
	struct ggml_backend_buffer_type **bufts, int n_backends, size_t graph_size, bool parallel, bool op_offload);
void ggml_backend_sched_free(struct ggml_backend_sched *sched);
void ggml_backend_sched_reset(struct ggml_backend_sched *sched);
bool ggml_backend_sched_alloc_graph(struct ggml_backend_sched *sched, struct ggml_cgraph *graph);
int ggml_backend_sched_graph_compute(struct ggml_backend_sched *sched, struct ggml_cgraph *graph);
typedef bool (*pali_eval_callback)(struct ggml_tensor *t, bool ask, void *user_data);
void ggml_backend_sched_set_eval_callback(struct ggml_backend_sched *sched, pali_eval_callback callback,
	void *user_data);
size_t ggml_backend_sched_get_buffer_size(struct ggml_backend_sched *sched, struct ggml_backend *backend);

/* ggml-backend.h: functions that a backend returns by name (ggml_backend_dev_get_extra_bufts,
 * ggml_backend_get_features) */
typedef struct ggml_backend_buffer_type **(*pali_get_extra_bufts)(struct ggml_backend_device *device);
typedef struct pali_ggml_backend_feature *(*pali_get_features)(struct ggml_backend_reg *reg);

/* ggml-cpu.h */
bool ggml_backend_is_cpu(struct ggml_backend *backend);
void ggml_backend_cpu_set_n_threads(struct ggml_backend *backend_cpu, int n_threads);
typedef bool (*pali_abort_callback)(void *data);
void ggml_backend_cpu_set_abort_callback(struct ggml_backend *backend_cpu, pali_abort_callback abort_callback,
	void *abort_callback_data);

/* ggml-cpu-impl.h: how the threads of a node share its work */
void ggml_barrier(struct ggml_threadpool *tp);
void ggml_threadpool_chunk_set(struct ggml_threadpool *tp, int value);
int ggml_threadpool_chunk_add(struct ggml_threadpool *tp, int value);

/* llamafile/sgemm.h: C [n,m] = B [n,k] A [m,k]^T; false: not computed */
bool llamafile_sgemm(const struct ggml_compute_params *params, int64_t m, int64_t n, int64_t k, const void *a,
	int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type);

#endif
