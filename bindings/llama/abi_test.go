package llama

import (
	"testing"

	"github.com/pali-gguf/pali/internal/abitest"
)

func TestABI(t *testing.T) {
	abitest.Library{
		Headers: `
#include "llama.h"
#include "ggml-backend.h"
__typeof__(ggml_backend_free) __real_ggml_backend_free, __wrap_ggml_backend_free;
__typeof__(ggml_backend_sched_reserve) __real_ggml_backend_sched_reserve, __wrap_ggml_backend_sched_reserve;
`,
		List:   "PALI_LLAMA",
		Source: "glue.c",
		Same:   map[string]string{"pali_log_callback": "ggml_log_callback"},
		Wrong:  "void llama_free(int ctx);",
	}.Check(t)
}
