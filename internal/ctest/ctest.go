// Package ctest compiles small C files in tests, against the headers of the pinned C libraries.
package ctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
		"-I"+filepath.Join(module, "llama/llama.cpp/include"), file).CombinedOutput()
	return string(out), err
}
