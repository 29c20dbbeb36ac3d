package llama

import (
	"testing"

	"github.com/pali-gguf/pali/internal/ctest"
)

// Every struct, offset and number of abi.h against the module's headers.
const layout = `
#include "llama.h"
#include "abi.h"
#define STRUCT(o, t) _Static_assert(sizeof(struct o) == sizeof(struct t), "size of " #t);
#define FIELD(o, t, f) _Static_assert(offsetof(struct o, f) == offsetof(struct t, f) && sizeof(((struct o *)0)->f) == sizeof(((struct t *)0)->f), #t "." #f);
#define NUMBER(name, value) _Static_assert((int)name == value, #name);
PALI_LLAMA_STRUCTS(STRUCT, FIELD)
PALI_LLAMA_NUMBERS(NUMBER)
`

// Every declaration of api.h behind the module's own: a difference is a redeclaration error.
const prototypes = `
#include "llama.h"
#define PALI_LLAMA_ABI_H
#define pali_llama_model_params llama_model_params
#define pali_llama_context_params llama_context_params
#define pali_llama_batch llama_batch
#include "api.h"
`

func TestABI(t *testing.T) {
	for name, source := range map[string]string{"layout": layout, "prototypes": prototypes} {
		if said, err := ctest.Syntax(t, source); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
	if _, err := ctest.Syntax(t, layout+"NUMBER(LLAMA_FLASH_ATTN_TYPE_ENABLED, 2)"); err == nil {
		t.Error("a wrong number compiles")
	}
}
