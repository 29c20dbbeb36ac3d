package ggml

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/internal/abitest"
)

// A file that the system's loader would end the process on, or that it refuses, is told apart
// before.
func TestLoadBackendRefuses(t *testing.T) {
	exe, err := os.Executable() // an ELF file with sections, as a library is
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(n int) []byte { return whole[:n] }
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"empty", nil, "cut off"},
		{"text", []byte("not a library, but long enough to hold the head of one, if it were one\n"),
			"not a shared library"},
		{"a page of HTML", []byte("<!DOCTYPE html><html><body>404: the library is not here</body></html>"),
			"not a shared library"},
		{"the head alone", cut(64), "cut off"},
		{"a page", cut(4096), "cut off"},
		{"half", cut(len(whole) / 2), "cut off"},
		{"all but a byte", cut(len(whole) - 1), "cut off"},
		{"a program", whole, "the system does not load "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "libggml-cuda.so")
			if err := os.WriteFile(path, c.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			err := LoadBackend(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
	if err := LoadBackend(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// What the loader does not find is said in words.
func TestLoadBackendNeeds(t *testing.T) {
	const gone = ": cannot open shared object file: No such file or directory"
	for _, c := range []struct{ words, want string }{
		{"libcuda.so.1" + gone, "a.so cannot be used: NVIDIA's driver is not installed (libcuda.so.1" + gone + ")"},
		{"libcudart.so.13" + gone,
			"a.so cannot be used: the CUDA libraries that it was built with are not found (libcudart"},
		{"libcublasLt.so.13" + gone,
			"a.so cannot be used: the CUDA libraries that it was built with are not found (libcublasLt"},
		{"libvulkan.so.1" + gone, "a.so cannot be used: the Vulkan loader is not installed (libvulkan.so.1"},
		{"libggml-base.so.0" + gone, "a.so cannot be used: libggml-base.so.0 is not beside it (libggml-base.so.0"},
		{"a.so: undefined symbol: ggml_abacus", "the system does not load a.so: undefined symbol: ggml_abacus"},
	} {
		t.Run(c.words, func(t *testing.T) {
			if err := notLoaded("a.so", c.words); !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
	if runtime.GOOS != "linux" {
		return
	}
	folder := t.TempDir()
	need, path := filepath.Join(folder, "libabacus.so"), filepath.Join(folder, "libggml-needy.so")
	abitest.SharedLibrary(t, "int need;", need, "-Wl,-soname,libabacus.so.7")
	abitest.SharedLibrary(t, "int needy;", path, need)
	if err := LoadBackend(path); err == nil || !strings.HasSuffix(err.Error(),
		"libggml-needy.so: libabacus.so.7"+gone) {
		t.Errorf("a library that needs another: %v", err)
	}
	whole, err := os.ReadFile(need)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(folder, "libabacus.so.7")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := LoadBackend(path); err == nil || !strings.Contains(err.Error(), cut+" is cut off") {
		t.Errorf("a library that needs one that is cut off: %v", err)
	}
}

// A library with scripts/gpu/program.c in it tells us which version it is of, and what it logs and
// how it aborts. This one has a backend without devices, as CUDA without a driver.
func TestLoadBackendTalks(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	const backend = `
#include "ggml.h"
#include "ggml-backend-impl.h"
#include <stddef.h>

static ggml_log_callback log_to;
static ggml_abort_callback_t give_up;
void ggml_log_set(ggml_log_callback log, void *user_data) { log_to = log; }
ggml_abort_callback_t ggml_set_abort_callback(ggml_abort_callback_t f) { give_up = f; return NULL; }

static const char *name(ggml_backend_reg_t reg) { return "ABACUS"; }
static size_t count(ggml_backend_reg_t reg) { return 0; }
ggml_backend_reg_t ggml_backend_init(void) {
	static struct ggml_backend_reg reg = {GGML_BACKEND_API_VERSION, {name, count}};
	log_to(GGML_LOG_LEVEL_INFO, "beads are counted\n", NULL);
	log_to(GGML_LOG_LEVEL_ERROR, "no beads: out of memory\n", NULL);
#ifdef GIVES_UP
	give_up("abacus.c:1: ABACUS error");
#endif
	return &reg;
}
`
	program, err := os.ReadFile("../../scripts/gpu/program.c")
	if err != nil {
		t.Fatal(err)
	}
	library := func(name, defines string) string {
		path := filepath.Join(t.TempDir(), name)
		abitest.SharedLibrary(t, defines+backend+string(program), path)
		return path
	}
	version := func(v string) string { return "#define PALI_GPU_VERSION \"" + v + "\"\n" }
	if path := os.Getenv("PALI_TEST_LIBRARY"); path != "" {
		LoadBackend(path)
		return
	}
	err = loadBackend(library("libggml-abacus.so", version("v0.1.3")), "v0.1.3")
	if err == nil || !strings.HasSuffix(err.Error(), "libggml-abacus.so finds no device (no beads: out of memory)") {
		t.Errorf("no device: %v", err)
	}
	err = loadBackend(library("libggml-old.so", version("v0.1.2")), "v0.1.3")
	if err == nil || !strings.HasSuffix(err.Error(),
		"from github.com/ollama/ollama v0.1.2, and this program from v0.1.3: build it again") {
		t.Errorf("another version: %v", err)
	}
	other := filepath.Join(t.TempDir(), "libother.so")
	abitest.SharedLibrary(t, "int other;", other)
	if err := LoadBackend(other); err == nil || !strings.Contains(err.Error(), "is not a library of ggml's") {
		t.Errorf("another library: %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestLoadBackendTalks$")
	cmd.Env = append(os.Environ(), "PALI_TEST_LIBRARY="+library("libggml-gone.so", "#define GIVES_UP\n"+version("")))
	out, err := cmd.CombinedOutput()
	want := "pali: the GPU has too little memory for this model and request: no beads: out of memory abacus.c:1: " +
		"ABACUS error\n"
	if cmd.ProcessState.ExitCode() != 1 || string(out) != want {
		t.Errorf("giving up: %v, %q, want %q", err, out, want)
	}
}

// What ggml asserts ends the process with a line too.
func TestAbort(t *testing.T) {
	if os.Getenv("PALI_TEST_ABORT") != "" {
		c := NewContext(4)
		c.MulMat(c.New(F32, 2, 2), c.New(F32, 3, 3))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAbort$")
	cmd.Env = append(os.Environ(), "PALI_TEST_ABORT=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), "pali: ggml gave up: ") ||
		strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v, %q", err, out)
	}
}

// Every product asks for sums in 32-bit floats, which a GPU would make in 16.
func TestPrecision(t *testing.T) {
	if runtime.GOOS == "darwin" {
		return
	}
	c := NewContext(4)
	defer c.Free()
	if p := precision(c.MulMat(c.New(F32, 2, 2), c.New(F32, 2, 2))); p != 10 {
		t.Errorf("GGML_PREC %d, want 10", p)
	}
}
