// Package llama is the part of llama.cpp that this program calls, in Go: model, vocabulary,
// context, batch.
//
// One Go method calls one C function, whose prototype is in api.h. The library is
// compiled by cgo from the Go module github.com/ollama/ollama, imported here for that purpose
// alone. The order of calls that makes PaliGemma's prefix attention is runner/llamacpp's.
//
// Nothing here is safe for concurrent use unless its comment says so. llama.cpp's log goes where
// ggml's goes (bindings/ggml, TakeLog).
package llama

// #cgo CFLAGS: -std=c11
// #cgo !darwin LDFLAGS: -Wl,--wrap=ggml_backend_free -Wl,--wrap=ggml_backend_sched_reserve
// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"unsafe"

	_ "github.com/ollama/ollama/llama/llama.cpp/src" // compiles llama.cpp
)

// Init calls llama_log_set with the C callback log (bindings/ggml, LogCallback) and
// llama_backend_init, once.
func Init(log unsafe.Pointer) {
	once.Do(func() {
		C.llama_log_set((C.pali_log_callback)(log), nil)
		C.llama_backend_init()
	})
}

var once sync.Once

// ModelOptions are the fields of llama_model_params that this program sets.
type ModelOptions struct {
	Devices   []unsafe.Pointer // C devices for layers (bindings/ggml, Device.Pointer); none: the processor alone
	GPULayers int              // layers on Devices
	VocabOnly bool             // no weights
	// Repack copies weights to the processor's own layout where it has one for them. The file is
	// then read, not mapped: its pages would stay in memory besides the copies.
	Repack bool
}

// Model is a loaded text model. Its vocabulary is safe for concurrent use.
type Model struct {
	p     *C.struct_llama_model
	vocab *C.struct_llama_vocab
}

// Load calls llama_model_load_from_file for the file at path with the parameters o. The file must
// have been checked before: llama.cpp ends the process on some bad files.
func Load(path string, o ModelOptions) (*Model, error) {
	devices := (**C.struct_ggml_backend_device)(C.calloc(C.size_t(len(o.Devices)+1),
		C.size_t(unsafe.Sizeof(uintptr(0)))))
	defer C.free(unsafe.Pointer(devices))
	for i, d := range o.Devices {
		unsafe.Slice(devices, len(o.Devices))[i] = (*C.struct_ggml_backend_device)(d)
	}
	params := C.llama_model_default_params()
	params.devices = devices
	params.n_gpu_layers = C.int32_t(o.GPULayers)
	params.vocab_only = C.bool(o.VocabOnly)
	params.use_mmap = C.bool(!o.Repack)
	params.use_extra_bufts = C.bool(o.Repack)
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	p := C.llama_model_load_from_file(file, params)
	if p == nil {
		return nil, errors.New("llama: the model does not load")
	}
	return &Model{p, C.llama_model_get_vocab(p)}, nil
}

// Close calls llama_model_free. It does nothing the second time. Close the model's contexts first.
func (m *Model) Close() {
	if m.p != nil {
		C.llama_model_free(m.p)
		m.p = nil
	}
}

// VocabSize calls llama_vocab_n_tokens.
func (m *Model) VocabSize() int { return int(C.llama_vocab_n_tokens(m.vocab)) }

// IsControl calls llama_vocab_is_control: whether Tokenize does not look for the token's text. Safe
// for concurrent use.
func (m *Model) IsControl(token int32) bool {
	return bool(C.llama_vocab_is_control(m.vocab, C.int32_t(token)))
}

// Tokenize calls llama_tokenize without special tokens, neither added nor read from the text. Safe
// for concurrent use.
func (m *Model) Tokenize(text string) ([]int32, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) >= math.MaxInt32 {
		return nil, fmt.Errorf("llama: a text of %d bytes, want less than %d", len(text), math.MaxInt32)
	}
	tokens := make([]int32, len(text)+1)
	for {
		n := C.llama_tokenize(m.vocab, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.int32_t(len(text)),
			(*C.int32_t)(&tokens[0]), C.int32_t(len(tokens)), false, false)
		if n >= 0 {
			return tokens[:n], nil
		}
		if int(-n) <= len(tokens) { // else -n is the number of tokens
			return nil, errors.New("llama: the text does not tokenize")
		}
		tokens = make([]int32, -n)
	}
}

// ContextOptions are the fields of llama_context_params that this program sets.
type ContextOptions struct {
	Size            int    // positions
	Batch           int    // maximum of tokens in one Decode
	Sequences       int    // that share the positions; 0 is 1
	Threads         int    // of the processor
	TypeK, TypeV    uint32 // ggml types of the KV cache
	FlashAttention  bool
	Abort, AbortArg unsafe.Pointer // C callback that ends a Decode (bindings/ggml, Stop.Pointers)
	// Eval is the C callback for every node (bindings/ggml, Collector.Pointers, Stop.EvalPointers), or
	// nil.
	Eval, EvalArg unsafe.Pointer
}

// Context holds a model's KV cache and working memory.
type Context struct {
	p *C.struct_llama_context
	v int
}

// NewContext calls llama_init_from_model (by way of glue.c) with the parameters o.
func (m *Model) NewContext(o ContextOptions) (*Context, error) {
	params := C.llama_context_default_params()
	params.n_ctx, params.n_batch, params.n_ubatch = C.uint32_t(o.Size), C.uint32_t(o.Batch), C.uint32_t(o.Batch)
	params.n_seq_max = C.uint32_t(max(1, o.Sequences))
	params.kv_unified = C.bool(o.Sequences > 1) // they share their first positions
	params.n_threads, params.n_threads_batch = C.int32_t(o.Threads), C.int32_t(o.Threads)
	params.type_k, params.type_v = C.uint(o.TypeK), C.uint(o.TypeV)
	params.flash_attn_type = C.PALI_LLAMA_FLASH_ATTN_TYPE_DISABLED
	if o.FlashAttention {
		params.flash_attn_type = C.PALI_LLAMA_FLASH_ATTN_TYPE_ENABLED
	}
	params.abort_callback, params.abort_callback_data = o.Abort, o.AbortArg
	params.cb_eval, params.cb_eval_user_data = o.Eval, o.EvalArg
	params.no_perf = true
	p := C.pali_llama_init_from_model(m.p, params)
	if p == nil {
		return nil, errors.New("llama: no context")
	}
	return &Context{p, m.VocabSize()}, nil
}

// Close calls llama_free (by way of glue.c). It does nothing the second time.
func (c *Context) Close() {
	if c.p != nil {
		C.pali_llama_free(c.p)
		c.p = nil
	}
}

// Size calls llama_n_ctx: the positions there are, at least those asked for.
func (c *Context) Size() int { return int(C.llama_n_ctx(c.p)) }

// Clear calls llama_memory_clear: the KV cache is empty again.
func (c *Context) Clear() { C.llama_memory_clear(C.llama_get_memory(c.p), false) }

// Copy calls llama_memory_seq_rm and llama_memory_seq_cp: sequence to holds what sequence from
// holds.
func (c *Context) Copy(from, to int) {
	c.Forget(to)
	C.llama_memory_seq_cp(C.llama_get_memory(c.p), C.int32_t(from), C.int32_t(to), -1, -1)
}

// Forget calls llama_memory_seq_rm: the sequence is empty.
func (c *Context) Forget(sequence int) {
	C.llama_memory_seq_rm(C.llama_get_memory(c.p), C.int32_t(sequence), -1, -1)
}

// SetCausal calls llama_set_causal_attn: causal is whether a position attends only to itself and
// those before it.
func (c *Context) SetCausal(causal bool) { C.llama_set_causal_attn(c.p, C.bool(causal)) }

// Logits calls llama_get_logits_ith and copies: the logits [V] of the i-th row of the last batch
// that asked for them, counted from the end where i is negative.
func (c *Context) Logits(i int) ([]float32, error) {
	p := C.llama_get_logits_ith(c.p, C.int32_t(i))
	if p == nil {
		return nil, errors.New("llama: no logits")
	}
	out := make([]float32, c.v)
	copy(out, unsafe.Slice((*float32)(unsafe.Pointer(p)), c.v))
	return out, nil
}

// Batch is the input of one Decode: tokens, or rows of embeddings.
type Batch struct {
	b         C.struct_pali_llama_batch
	size, dim int
}

// NewBatch calls llama_batch_init: room for size tokens, or, with dim > 0, for size rows of dim
// floats.
func NewBatch(size, dim int) *Batch {
	return &Batch{C.llama_batch_init(C.int32_t(size), C.int32_t(dim), 1), size, dim}
}

// Free calls llama_batch_free. It does nothing the second time.
func (b *Batch) Free() {
	if b.size > 0 {
		C.llama_batch_free(b.b)
		b.size = 0
	}
}

// Embeddings returns the batch's rows [size, dim], to be written.
func (b *Batch) Embeddings() []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(b.b.embd)), b.size*b.dim)
}

// Tokens returns the batch's tokens [size], to be written.
func (b *Batch) Tokens() []int32 { return unsafe.Slice((*int32)(unsafe.Pointer(b.b.token)), b.size) }

// Decode calls llama_decode on the first n rows of b, at positions first, first+1, ... of a
// sequence, and asks for the last row's logits. It returns ErrStopped where the abort callback
// ended it.
func (c *Context) Decode(b *Batch, n, first, sequence int) error {
	if n < 1 || n > b.size {
		return errors.New("llama: the batch is too small")
	}
	b.b.n_tokens = C.int32_t(n)
	pos, seqs := unsafe.Slice(b.b.pos, n), unsafe.Slice(b.b.n_seq_id, n)
	seq, logits := unsafe.Slice(b.b.seq_id, n), unsafe.Slice(b.b.logits, n)
	for i := range n {
		pos[i], seqs[i], *seq[i], logits[i] = C.int32_t(first+i), 1, C.int32_t(sequence), 0
	}
	logits[n-1] = 1
	switch rc := C.llama_decode(c.p, b.b); rc {
	case 0:
		return nil
	case 1:
		return errors.New("llama: no room left in the KV cache")
	case 2:
		return ErrStopped
	default:
		return errors.New("llama: decode failed")
	}
}

// ErrStopped is returned by Decode when the abort callback ended it.
var ErrStopped = errors.New("llama: stopped")
