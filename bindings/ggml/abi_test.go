package ggml

import (
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/ctest"
)

const theirs = `
#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml-cpu-impl.h"
#include "llamafile/sgemm.h"
`

// Every struct, offset and number of abi.h against the module's headers.
const layout = theirs + ctest.Assertions + `
#include "abi.h"
PALI_GGML_STRUCTS(STRUCT, HEAD, FIELD)
PALI_GGML_NUMBERS(NUMBER)
`

// Every declaration of api.h behind the module's own: a difference is a redeclaration error.
const prototypes = theirs + `
#define PALI_GGML_ABI_H
#define pali_ggml_init_params ggml_init_params
#define pali_ggml_type_traits ggml_type_traits
#define pali_ggml_backend_feature ggml_backend_feature
#include "api.h"
#define SAME(o, t) _Static_assert(__builtin_types_compatible_p(o, t), #t);
SAME(pali_get_extra_bufts, ggml_backend_dev_get_extra_bufts_t)
SAME(pali_get_features, ggml_backend_get_features_t)
SAME(pali_log_callback, ggml_log_callback)
SAME(pali_abort_callback, ggml_abort_callback)
SAME(pali_eval_callback, ggml_backend_sched_eval_callback)
`

func TestABI(t *testing.T) {
	for name, source := range map[string]string{"layout": layout, "prototypes": prototypes} {
		if said, err := ctest.Syntax(t, source); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
	if left := ctest.Unasserted(t, "abi.h"); len(left) > 0 {
		t.Errorf("no assertion compares %v", left)
	}
}

func TestABIChecksCanFail(t *testing.T) {
	for want, source := range map[string]string{
		"wrong number":      layout + "NUMBER(GGML_TYPE_Q8_0, 9)",
		"wrong kind":        layout + "struct kind { int64_t mem_size; void *mem_buffer; float no_alloc; }; FIELD(kind, ggml_init_params, no_alloc)",
		"wrong field":       layout + "struct wrong { void *mem_buffer; }; FIELD(wrong, ggml_init_params, mem_buffer)",
		"conflicting types": prototypes + "void ggml_free(int ctx);",
	} {
		if said, err := ctest.Syntax(t, source); err == nil || !strings.Contains(said, "error") {
			t.Errorf("%s: compiles", want)
		}
	}
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
