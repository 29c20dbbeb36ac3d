package ggml

import (
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/abitest"
)

func TestABI(t *testing.T) {
	abitest.Library{
		Headers: `
#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml-cpu-impl.h"
#include "llamafile/sgemm.h"
`,
		List:   "PALI_GGML",
		Source: "api.h",
		Same: map[string]string{
			"pali_get_extra_bufts":  "ggml_backend_dev_get_extra_bufts_t",
			"pali_get_features":     "ggml_backend_get_features_t",
			"pali_log_callback":     "ggml_log_callback",
			"pali_abort_callback":   "ggml_abort_callback",
			"pali_give_up_callback": "ggml_abort_callback_t",
			"pali_eval_callback":    "ggml_backend_sched_eval_callback",
			"pali_custom_op":        "ggml_custom_op_t",
		},
		Wrong: "void ggml_free(int ctx);",
	}.Check(t)
}

// Package gguf's table of types is typed in by hand: it must be the library's.
func TestTypeTable(t *testing.T) {
	known := 0
	for id := range TypeCount {
		want := gguf.Type(id)
		if !want.Known() {
			continue
		}
		known++
		elements, bytes := want.Block()
		if id.BlockSize() != elements || id.Size() != bytes || !strings.EqualFold(id.Name(), want.String()) {
			t.Errorf("type %d: ggml has %s, %d elements in %d bytes; gguf has %v, %d in %d",
				id, id.Name(), id.BlockSize(), id.Size(), want, elements, bytes)
		}
	}
	if known < 15 {
		t.Errorf("%d known types", known)
	}
}
