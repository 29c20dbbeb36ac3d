package pali_test

// This file: the import rule, kept by a test. It covers every folder with Go in it. A package that
// is not in the table, an import that the table does not allow, an allowance that nothing uses, and
// C outside bindings fail; and so does a file that is opened past the packages that open files.

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pali-gguf/pali"

// cgo in a package's row says that it needs C, itself or through what it imports; a package without
// it builds with CGO_ENABLED=0.
const cgo = "C"

// allowed lists, for each package, which of ours it may import. "" is the root package. Tests of a
// package may import anything.
var allowed = map[string][]string{
	// Words, formats and sizes.
	"paligemma":             {},
	"tensor":                {},
	"gguf":                  {"internal/filekind"},
	"npz":                   {"internal/filekind", "tensor"},
	"gemma":                 {"paligemma", "gguf"},
	"mmproj":                {"paligemma", "gguf"},
	"mmproj/imageproc":      {"paligemma", "mmproj/imageproc/jpeg", "internal/filekind", "internal/input"},
	"mmproj/imageproc/jpeg": {},

	// C, and what calls it.
	"bindings/ggml":    {cgo, "internal/input"},
	"bindings/llama":   {cgo},
	"bindings/kernels": {cgo, "bindings/ggml"},
	"mmproj/siglip":    {cgo, "paligemma", "gguf", "mmproj", "bindings/ggml", "bindings/kernels"},
	"runner/llamacpp": {cgo, "paligemma", "gguf", "gemma", "mmproj", "mmproj/siglip", "runner",
		"bindings/ggml", "bindings/kernels", "bindings/llama"},
	"quant": {cgo, "paligemma", "tensor", "gguf", "gemma", "mmproj", "bindings/ggml", "internal/atomicfile",
		"internal/filekind", "internal/strips"},

	// From a checkpoint to files.
	"convert/sentencepiece": {"paligemma", "internal/filekind", "internal/input"},
	"convert": {"paligemma", "tensor", "gguf", "gemma", "mmproj", "convert/sentencepiece", "tasks/masks",
		"internal/atomicfile", "internal/filekind", "internal/strips"},

	// From images and a prompt to an answer, its objects, its scores.
	"runner":      {"internal/textfile", "paligemma"},
	"tasks":       {"paligemma", "runner", "tasks/masks"},
	"tasks/masks": {"paligemma", "gguf", "tensor"},
	"tasks/draw":  {"tasks", "tasks/masks"},
	"tasks/dataset": {"runner", "mmproj/imageproc", "tasks", "tasks/masks", "tasks/draw", "internal/atomicfile",
		"internal/input", "internal/journal", "internal/textfile"},
	"eval": {"runner", "tasks", "tasks/masks", "internal/input", "internal/journal", "internal/textfile"},

	// From answers to what a quantizer rounds by.
	"quant/calibrate": {cgo, "gguf", "runner", "eval", "quant", "bindings/ggml", "internal/atomicfile"},

	// The library.
	"": {cgo, "paligemma", "mmproj/imageproc", "runner", "runner/llamacpp", "tasks", "tasks/masks", "internal/host",
		"internal/store"},

	// The server.
	"server/worker":            {"paligemma", "runner", "tasks"},
	"server/worker/workertest": {"paligemma", "runner", "server/worker"}, // for tests
	"server/engine":            {"paligemma", "mmproj/imageproc", "runner", "server/worker"},
	"server": {"internal/safedial", "internal/textfile", "mmproj/imageproc", "paligemma", "runner", "server/engine",
		"tasks", "tasks/draw", "tasks/masks"},

	// What the command is made of, and where things are wired together.
	"internal/atomicfile": {},
	"internal/filekind":   {"internal/input"},
	"internal/flags":      {},
	"internal/host":       {},
	"internal/input":      {},
	"internal/journal":    {"internal/atomicfile"},
	"internal/kaggle":     {"internal/atomicfile", "internal/input", "internal/safedial"},
	"internal/progress":   {"internal/terminal"},
	"internal/safedial":   {},
	"internal/strips":     {},
	"internal/terminal":   {},
	"internal/textfile":   {},
	"internal/store": {"paligemma", "gguf", "internal/filekind", "gemma", "mmproj",
		"tasks/masks"},
	"internal/checkpoint": {"npz", "convert", "internal/input"},
	"internal/inspect": {cgo, "tensor", "gguf", "mmproj", "convert", "quant", "internal/checkpoint",
		"internal/filekind", "internal/input", "internal/store", "internal/strips"},
	"internal/estimate": {cgo, "paligemma", "gguf", "gemma", "mmproj", "quant", "convert", "convert/sentencepiece",
		"internal/checkpoint", "internal/store"},
	"internal/bench": {cgo, "paligemma", "gguf", "gemma", "mmproj", "mmproj/imageproc", "runner", "bindings/kernels",
		"internal/estimate", "internal/store"},
	"internal/demo": {cgo, "npz", "convert", "convert/sentencepiece", "quant", "testdata/demo"},
	"cmd/pali":      nil, // any

	// Tests and tools.
	"internal/abitest":           {},
	"internal/badfiles":          {"paligemma", "gguf"},
	"internal/faultfs":           {"internal/atomicfile"},
	"internal/kaggle/kaggletest": {"internal/safedial"},
	"internal/tinymodel":         {"paligemma", "tensor", "npz"},
	"testdata/demo":              {}, // what "pali demo" embeds: it must lie where its files do
	"scripts/clients":            nil,
	"scripts/synthetic":          nil, // scripts is a module of its own
	"scripts/quality":            nil,
	"scripts/scores":             nil,
	"scripts/load":               nil,
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	GoFiles    []string
	CgoFiles   []string
}

func TestImports(t *testing.T) {
	used := map[string][]string{}
	for _, p := range packages(t) {
		checkImports(t, p, used)
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
	imports := []string{}
	for _, path := range p.Imports {
		if path == module || strings.HasPrefix(path, module+"/") {
			imports = append(imports, ours(path))
		}
	}
	if len(p.CgoFiles) > 0 || slices.ContainsFunc(p.Deps, func(path string) bool {
		return strings.HasPrefix(path,
			module+"/bindings/")
	}) {
		imports = append(imports, cgo)
	}
	for _, of := range imports {
		if used[name] = append(used[name], of); may != nil && !slices.Contains(may, of) {
			t.Errorf("package %q imports %q, which the table does not allow", name, of)
		}
	}
}

// mayOpen are the packages that open files by the system's own calls: those through which all others
// open them, what reads files of the system, and tools of tests.
var mayOpen = []string{"internal/input", "internal/atomicfile", "internal/faultfs", "internal/terminal",
	"internal/host", "internal/abitest"}

// TestOpens holds that a file that a user names is opened by internal/input, which waits for no
// FIFO's writer and looks at what it opened, or by internal/atomicfile.
func TestOpens(t *testing.T) {
	opens := regexp.MustCompile(`\b(os\.(Open|OpenFile|ReadFile)|(elf|macho|pe|zip|gzip)\.Open(Reader)?|` +
		`tls\.LoadX509KeyPair|ioutil\.ReadFile)\(`)
	for _, p := range packages(t) {
		name := ours(p.ImportPath)
		if slices.Contains(mayOpen, name) || strings.HasPrefix(name, "scripts/") {
			continue
		}
		for _, file := range slices.Concat(p.GoFiles, p.CgoFiles) {
			text, err := os.ReadFile(filepath.Join(name, file))
			if err != nil {
				t.Fatal(err)
			}
			for n, line := range strings.Split(string(text), "\n") {
				if call := opens.FindString(line); call != "" {
					t.Errorf("%s/%s:%d: %s: open it by internal/input or internal/atomicfile", name, file, n+1, call)
				}
			}
		}
	}
}

// packages lists the packages of all folders below this one, of both modules. They are listed as a
// build with C sees them.
func packages(t *testing.T) (all []goPackage) {
	t.Helper()
	folders := map[bool][]string{} // whether in scripts
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (path == "bin" || path == "lib" || strings.HasPrefix(d.Name(), ".") &&
			path != ".") {
			return filepath.SkipDir
		}
		inScripts := strings.HasPrefix(path, "scripts/")
		if folder := "./" + filepath.ToSlash(filepath.Dir(path)); strings.HasSuffix(path, ".go") &&
			!slices.Contains(folders[inScripts], folder) {
			folders[inScripts] = append(folders[inScripts], folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for inScripts, some := range folders {
		cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,GoFiles,CgoFiles"},
			some...)...)
		if inScripts {
			cmd = exec.Command("go", "-C", "scripts", "list", "-json=ImportPath,Imports,Deps,GoFiles,CgoFiles", "./...")
		}
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p goPackage
			if err := d.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	return all
}

func ours(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }
