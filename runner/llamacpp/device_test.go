package llamacpp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// What keeps a GPU library from serving is said: it is missing, or the system's loader refuses it.
func TestLibraryFaults(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "libggml-vulkan.so"), []byte("not a library\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	faults := loadLibraries(folder)
	if err := faults["cuda"]; err == nil || !strings.Contains(err.Error(), "make cuda") {
		t.Errorf("cuda: %v", err)
	}
	if err := faults["vulkan"]; err == nil || !strings.Contains(err.Error(),
		filepath.Join(folder, "libggml-vulkan.so")) || strings.Contains(err.Error(), "\n") {
		t.Errorf("vulkan: %v", err)
	}
	t.Log(faults)
	if _, err := choose("abacus"); err == nil || !strings.Contains(err.Error(), "no abacus device") {
		t.Errorf("choose: %v", err)
	}
}

// One of several GPUs is named as doctor lists it.
func TestDeviceNames(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"auto", true}, {"cpu", true}, {"cuda", true}, {"cuda0", true}, {"CUDA15", true}, {"vulkan1", true},
		{"metal", true}, {"", false}, {"cpu0", false}, {"auto1", false}, {"1", false}, {"cuda:1", false},
		{"gpu", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if ok := IsDeviceName(c.name); ok != c.ok {
				t.Errorf("have %v, want %v", ok, c.ok)
			}
		})
	}
	if name, err := DeviceFor("cpu"); err != nil || name != "CPU" {
		t.Errorf("cpu: %q, %v", name, err)
	}
	if _, err := DeviceFor("cuda99"); err == nil || !strings.Contains(err.Error(), "no cuda99 device") {
		t.Errorf("cuda99: %v", err)
	}
}

// What a GPU's library says when its memory is full becomes one error, which says how much there is.
func TestMemoryError(t *testing.T) {
	for _, c := range []struct {
		name, text string
		full       bool
	}{
		{"weights",
			"m.gguf: llama: the model does not load (llama_model_load: error loading model: unable to allocate CUDA0 " +
				"buffer)", true},
		{"cudaMalloc", "llama: decode failed (allocating 30000.00 MiB on device 0: cudaMalloc failed: out of memory)",
			true},
		{"graph", "llama: decode failed (ggml_gallocr_reserve_n_impl: failed to allocate CUDA0 buffer of size 77)",
			true},
		{"context", "no memory for a context of 9000 positions: llama: no context", true},
		{"vision", "mmproj.gguf: ggml: no memory for the weights", true},
		{"another", "m.gguf: llama: the model does not load", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cause := errors.New(c.text)
			err := memoryError("CUDA0", 1.5e9, 8e9, cause)
			var full DeviceMemoryError
			if errors.As(err, &full) != c.full || !errors.Is(err, cause) {
				t.Fatalf("have %v", err)
			}
			if want := "CUDA0 has too little memory for this, 1.5 GB free of 8.0 GB: " + c.text; c.full &&
				err.Error() != want {
				t.Errorf("have %q, want %q", err, want)
			}
		})
	}
	if err := withMemory(ggml.Processor(), errors.New("out of memory")); errors.As(err, new(DeviceMemoryError)) {
		t.Errorf("on the processor: %v", err)
	}
}

// testDevice is where the models of the tests run: the processor, or what PALI_DEVICE says (make
// test-gpu).
func testDevice() string {
	if name := os.Getenv("PALI_DEVICE"); name != "" {
		return name
	}
	return "cpu"
}
