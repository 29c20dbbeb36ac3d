// Package abitest compares the hand-written C declarations of a binding with the headers of the
// pinned C library, by compiling small C files in tests.
package abitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Library says where a binding's declarations are, in the folder of the test, and what to compare
// them with.
type Library struct {
	Headers string            // the library's own headers: lines of #include
	List    string            // abi.h lists List_STRUCTS(WHOLE, HEAD) and List_NUMBERS(NUMBER)
	Source  string            // the file to compile after Headers: a prototype that differs is an error
	Same    map[string]string // our function pointer types, and the library's
	Wrong   string            // a declaration that must not compile after Source
}

// Check compiles every struct, offset, number and prototype of l against the library's headers, and
// fails where one differs. It also checks that a wrong number and a wrong prototype do not compile.
func (l Library) Check(t *testing.T) {
	layout := l.Headers + assertions + "#include \"abi.h\"\n" +
		l.List + "_STRUCTS(WHOLE, HEAD)\n" + l.List + "_NUMBERS(NUMBER)\n"
	prototypes := l.prototypes(t)
	for _, c := range []struct {
		name, source string
		compiles     bool
	}{
		{"layout", layout, true},
		{"prototypes", prototypes, true},
		{"wrong number", layout + "#define OFF_BY_ONE(name, value) NUMBER(name, value + 1)\n" +
			l.List + "_NUMBERS(OFF_BY_ONE)\n", false},
		{"wrong prototype", prototypes + l.Wrong + "\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, err := Syntax(t, c.source); (err == nil) != c.compiles {
				t.Errorf("compiles: %v, want %v\n%s", err == nil, c.compiles, out)
			} else if err != nil && !strings.Contains(out, "error") {
				t.Errorf("the compiler did not run: %v\n%s", err, out)
			}
		})
	}
}

var listed = regexp.MustCompile(`(?:WHOLE|HEAD)\((\w+), PALI`)

// prototypes returns a source in which Source uses the library's structs instead of those of abi.h.
func (l Library) prototypes(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("abi.h")
	if err != nil {
		t.Fatal(err)
	}
	structs := listed.FindAllStringSubmatch(string(raw), -1)
	if len(structs) == 0 {
		t.Fatal("abi.h lists no struct")
	}
	var s strings.Builder
	s.WriteString(l.Headers + "#define " + l.List + "_ABI_H\n")
	for _, m := range structs {
		s.WriteString("#define pali_" + m[1] + " " + m[1] + "\n")
	}
	s.WriteString("#include \"" + l.Source + "\"\n")
	for ours, theirs := range l.Same {
		s.WriteString("_Static_assert(__builtin_types_compatible_p(" + ours + ", " + theirs + "), \"" + theirs +
			"\");\n")
	}
	return s.String()
}

// assertions defines what the lists of an abi.h are compiled with. FIELD compares offset, size, and
// whether the field is a float, a truth value or something else.
const assertions = `
#include <stdbool.h>
#include <stddef.h>
#define KIND(s, f) _Generic(((struct s *)0)->f, float: 1, double: 2, bool: 3, default: 0)
#define FIELD(s, type, f, dim) _Static_assert(offsetof(struct pali_##s, f) == offsetof(struct s, f) && \
	sizeof(((struct pali_##s *)0)->f) == sizeof(((struct s *)0)->f) && KIND(pali_##s, f) == KIND(s, f), #s "." #f);
#define WHOLE(s, fields) _Static_assert(sizeof(struct pali_##s) == sizeof(struct s), "size of " #s); fields(FIELD, s)
#define HEAD(s, fields) _Static_assert(sizeof(struct pali_##s) <= sizeof(struct s), "size of " #s); fields(FIELD, s)
#define NUMBER(name, value) _Static_assert((int)name == value, #name);
`

// Module returns the folder of the Go module that carries the C sources.
func Module(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Syntax compiles source, which is C, without making code, with the headers of ggml, of llama.cpp
// and of the working folder. It returns what the compiler printed, and an error if it failed.
func Syntax(t testing.TB, source string) (output string, err error) {
	t.Helper()
	return compile(t, source, "-std=c11", "-fsyntax-only")
}

// SharedLibrary compiles source as Syntax does, to a shared library at path that needs those at the
// paths needed. What is undefined in it stays so.
func SharedLibrary(t testing.TB, source, path string, needed ...string) {
	t.Helper()
	args := append([]string{"-std=gnu11", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o", path}, needed...)
	if out, err := compile(t, source, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func compile(t testing.TB, source string, args ...string) (output string, err error) {
	t.Helper()
	module := Module(t)
	file := filepath.Join(t.TempDir(), "check.c")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	out, err := exec.Command(cc, append(args, "-I.",
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/include"),
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/src"),
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/src/ggml-cpu"),
		"-I"+filepath.Join(module, "llama/llama.cpp/include"), file)...).CombinedOutput()
	return string(out), err
}
