package llamacpp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// testDevice is where the models of the tests run: the processor, or what PALI_DEVICE says (make
// test-gpu).
func testDevice() string {
	if name := os.Getenv("PALI_DEVICE"); name != "" {
		return name
	}
	return "cpu"
}
