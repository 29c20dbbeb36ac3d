// Package ctest compiles small C files in tests, against the headers of the pinned C libraries.
package ctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Assertions defines what the lists of an abi.h are made of. FIELD compares place, size, and whether it is a float, a truth value or something else.
const Assertions = `
#include <stdbool.h>
#include <stddef.h>
#define STRUCT(o, t) _Static_assert(sizeof(struct o) == sizeof(struct t), "size of " #t);
#define HEAD(o, t) _Static_assert(sizeof(struct o) <= sizeof(struct t), "size of " #t);
#define KIND(s, f) _Generic(((struct s *)0)->f, float: 1, double: 2, bool: 3, default: 0)
#define FIELD(o, t, f) _Static_assert(offsetof(struct o, f) == offsetof(struct t, f) && sizeof(((struct o *)0)->f) == sizeof(((struct t *)0)->f) && KIND(o, f) == KIND(t, f), #t "." #f);
#define NUMBER(name, value) _Static_assert((int)name == value, #name);
`

var (
	comments = regexp.MustCompile(`(?s)/\*.*?\*/`)
	structs  = regexp.MustCompile(`(?s)struct (pali_(\w+)) \{(.*?)\n\};`)
	name     = regexp.MustCompile(`(\w+)\)?(?:\[\d+\]|\(.*\))*$`) // of a field: the last word, before what makes it an array or a function
)

// Unasserted lists the structs pali_NAME of a header, and their fields, that its own list of assertions leaves out.
func Unasserted(t testing.TB, header string) []string {
	t.Helper()
	raw, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	text := comments.ReplaceAllString(string(raw), "")
	var left []string
	want := func(assertion ...string) {
		for _, a := range assertion {
			if strings.Contains(text, a) {
				return
			}
		}
		left = append(left, assertion[0])
	}
	for _, s := range structs.FindAllStringSubmatch(text, -1) {
		names := s[1] + ", " + s[2]
		want("STRUCT("+names+")", "HEAD("+names+")")
		for field := range strings.SplitSeq(strings.TrimSpace(s[3]), ";") {
			if m := name.FindStringSubmatch(field); m != nil {
				want("FIELD(" + names + ", " + m[1] + ")")
			}
		}
	}
	if !structs.MatchString(text) {
		t.Fatalf("%s has no struct", header)
	}
	return left
}

// Module returns the folder of the Go module that carries the C sources.
func Module(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Syntax compiles a C source as far as its assertions, with the headers of ggml, llama.cpp and the working folder, and returns what the compiler said.
func Syntax(t testing.TB, source string) (said string, err error) {
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
	out, err := exec.Command(cc, "-std=c11", "-fsyntax-only", "-I.",
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/include"),
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/src"),
		"-I"+filepath.Join(module, "ml/backend/ggml/ggml/src/ggml-cpu"),
		"-I"+filepath.Join(module, "llama/llama.cpp/include"), file).CombinedOutput()
	return string(out), err
}
