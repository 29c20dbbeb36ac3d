package llamacpp

// This file: which processor runs the model. Before it: --device. After it: model.go.

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// DeviceNames are what Options.Device can be.
var DeviceNames = []string{"auto", "cpu", "cuda", "metal", "vulkan"}

// LibraryFolder returns the folder beside the program where ggml's shared libraries for GPUs are looked for: ../lib/pali from bin/pali.
func LibraryFolder() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Join(filepath.Dir(exe), "..", "lib", "pali")
}

var loadLibraries = sync.OnceFunc(func() {
	if dir := LibraryFolder(); dir != "" {
		if _, err := os.Stat(dir); err == nil {
			ggml.LoadBackends(dir)
		}
	}
})

// Devices lists every device of this machine that can run a model, loading the GPU libraries that are there.
func Devices() []ggml.Device {
	loadLibraries()
	return ggml.Devices()
}

// choose finds the device for a name. "auto" takes the first GPU, else the processor.
func choose(name string) (ggml.Device, error) {
	if name == "cpu" {
		return ggml.Processor(), nil
	}
	have := []string{"cpu"}
	for _, d := range Devices() {
		if d.Type() != ggml.GPU && d.Type() != ggml.Integrated {
			continue
		}
		backend := strings.ToLower(d.Backend())
		if name == "auto" || name == backend {
			return d, nil
		}
		have = append(have, backend)
	}
	if name == "auto" {
		return ggml.Processor(), nil
	}
	return ggml.Device{}, fmt.Errorf("no %s device: this program on %s/%s has %s", name, runtime.GOOS, runtime.GOARCH, strings.Join(have, ", "))
}
