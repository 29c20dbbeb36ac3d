package llamacpp

// This file: which processor runs the model.

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

// LibraryFolder returns the folder, relative to the program, where ggml's shared libraries for GPUs
// are looked for: ../lib/pali from bin/pali.
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

// libraries are the devices whose backend is a shared library, the preferred one first.
// scripts/gpu.sh makes the files.
var libraries = []string{"cuda", "vulkan"}

// LibraryFaults loads the GPU libraries, once, and returns by the device's name why one cannot be
// used.
var LibraryFaults = sync.OnceValue(func() map[string]error { return loadLibraries(LibraryFolder()) })

func loadLibraries(folder string) map[string]error {
	faults := map[string]error{}
	for _, name := range libraries {
		path := filepath.Join(folder, "libggml-"+name+".so")
		if _, err := os.Stat(path); err != nil {
			faults[name] = fmt.Errorf("%s is not there (on Linux, make %s builds it)", path, name)
		} else if err := ggml.LoadBackend(path); err != nil {
			faults[name] = err
		}
	}
	return faults
}

// Devices lists every device of this machine that can run a model, loading the GPU libraries that
// are there.
func Devices() []ggml.Device {
	LibraryFaults()
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
	err := fmt.Errorf("no %s device: this program on %s/%s has %s",
		name, runtime.GOOS, runtime.GOARCH, strings.Join(have, ", "))
	if why := LibraryFaults()[name]; why != nil {
		err = fmt.Errorf("%w; %w", err, why)
	}
	return ggml.Device{}, err
}
