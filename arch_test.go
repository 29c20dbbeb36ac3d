package pali_test

// This file: the import rule, kept by a test. A package that is not in the table, an import that the table does not allow, and C outside bindings fail.

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pali-gguf/pali"

// allowed lists, for each package, which of ours it may import. "" is the root package. Tests of a package may import anything.
var allowed = map[string][]string{
	"":                           {},
	"paligemma":                  {},
	"tensor":                     {},
	"npz":                        {"tensor"},
	"gguf":                       {},
	"gemma":                      {"paligemma", "gguf"},
	"mmproj":                     {"paligemma", "gguf"},
	"mmproj/imageproc":           {"mmproj/imageproc/jpeg"},
	"mmproj/imageproc/jpeg":      {},
	"convert/sentencepiece":      {"paligemma"},
	"convert":                    {"paligemma", "tensor", "npz", "gguf", "gemma", "mmproj", "convert/sentencepiece", "tasks/masks", "internal/atomicfile"},
	"internal/atomicfile":        {},
	"internal/terminal":          {},
	"internal/safedial":          {},
	"internal/kaggle":            {"internal/atomicfile", "internal/safedial"},
	"internal/kaggle/kaggletest": {"internal/safedial"}, // for tests
	"internal/journal":           {"internal/atomicfile"},
	"bindings/ggml":              {},
	"bindings/llama":             {},
	"quant":                      {"paligemma", "tensor", "gguf", "gemma", "mmproj", "internal/atomicfile", "bindings/ggml"},
	"mmproj/siglip":              {"paligemma", "gguf", "mmproj", "bindings/ggml"},
	"runner":                     {"paligemma", "mmproj/imageproc"},
	"runner/llamacpp":            {"paligemma", "gguf", "gemma", "mmproj", "mmproj/siglip", "quant", "runner", "bindings/ggml", "bindings/llama"},
	"tasks":                      {"paligemma"},
	"tasks/masks":                {"gguf", "tensor"},
	"tasks/draw":                 {"tasks/masks"},
	"answer":                     {"mmproj/imageproc", "runner", "tasks", "tasks/draw", "tasks/masks"},
	"tasks/dataset":              {"tasks", "tasks/masks", "tasks/draw", "internal/atomicfile", "internal/journal"},
	"eval":                       {"tasks", "internal/journal"},
	"server/worker":              {"paligemma", "answer", "runner"},
	"server/engine":              {"paligemma", "mmproj/imageproc", "runner", "server/worker"},
	"server":                     {"answer", "internal/safedial", "mmproj/imageproc", "runner", "server/engine", "tasks", "tasks/masks"},
	"cmd/pali":                   nil, // any: the only place where things are wired together
	"scripts/synthetic":          nil,
	"scripts/quality":            {"eval", "gguf", "quant"},
	"scripts/scores":             {"eval"},
	"internal/badfiles":          {"paligemma", "gguf"},                    // for tests
	"internal/ctest":             {},                                       // for tests
	"internal/faultfs":           {"internal/atomicfile"},                  // for tests
	"internal/tinymodel":         {"paligemma", "tensor", "npz"},           // for tests
	"server/worker/workertest":   {"paligemma", "runner", "server/worker"}, // for tests
}

// withC are the packages that may hold C, or import one that does. All others build with CGO_ENABLED=0.
var withC = []string{"bindings/ggml", "bindings/llama", "mmproj/siglip", "runner/llamacpp", "quant", "cmd/pali", "scripts/quality"}

type goPackage struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,CgoFiles", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen, used := 0, map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		checkImports(t, p, used)
	}
	if seen < 15 {
		t.Errorf("%d packages seen", seen)
	}
	for name, may := range allowed {
		for _, of := range may {
			if !slices.Contains(used[name], of) {
				t.Errorf("package %q may import %q and does not: take it out of the table", name, of)
			}
		}
	}
}

func checkImports(t *testing.T, p goPackage, used map[string][]string) {
	name := ours(p.ImportPath)
	may, known := allowed[name]
	if !known {
		t.Errorf("package %q is not in the table of this test", name)
	}
	if len(p.CgoFiles) > 0 && !strings.HasPrefix(name, "bindings/") {
		t.Errorf("package %q holds C (%v); only bindings may", name, p.CgoFiles)
	}
	for _, path := range p.Imports {
		if path != module && !strings.HasPrefix(path, module+"/") {
			continue
		}
		of := ours(path)
		used[name] = append(used[name], of)
		if may != nil && !slices.Contains(may, of) {
			t.Errorf("package %q imports %q, which the table does not allow", name, of)
		}
		if slices.Contains(withC, of) && !slices.Contains(withC, name) {
			t.Errorf("package %q imports %q, which needs C", name, of)
		}
	}
}

func ours(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }
