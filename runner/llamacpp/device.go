package llamacpp

// This file: which processor runs the model.

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// DeviceNames are what Options.Device can be, besides the name of one device as doctor lists it
// ("cuda1").
var DeviceNames = []string{"auto", "cpu", "cuda", "metal", "vulkan"}

// IsDeviceName reports whether name can be a device: one of DeviceNames, or such a backend's with a
// number. Case does not matter.
func IsDeviceName(name string) bool {
	backend := backendOf(name)
	return slices.Contains(DeviceNames, backend) && (len(backend) == len(name) || backend != "auto" && backend != "cpu")
}

// backendOf returns the name of the backend of a device's: "cuda" of "CUDA1".
func backendOf(name string) string { return strings.TrimRight(strings.ToLower(name), "0123456789") }

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

// GPU is a device with memory of its own, or a share of the processor's.
type GPU struct {
	Name string `json:"name"` // "CUDA0"
	Free uint64 `json:"free_bytes"`
}

// GPUs lists the devices besides the processor that can run a model.
func GPUs() []GPU {
	var all []GPU
	for _, d := range Devices() {
		if d.Type() == ggml.GPU || d.Type() == ggml.Integrated {
			free, _ := d.Memory()
			all = append(all, GPU{d.Name(), free})
		}
	}
	return all
}

// DeviceFor returns the name of the device that Options.Device means here: "CPU", "CUDA0".
func DeviceFor(name string) (string, error) {
	d, err := choose(cmp.Or(name, "auto"))
	if err != nil {
		return "", err
	}
	return d.Name(), nil
}

// choose finds the device for a name, a backend's or its own. "auto" takes the first GPU, else the
// processor.
func choose(name string) (ggml.Device, error) {
	name = strings.ToLower(name)
	if name == "cpu" {
		return ggml.Processor(), nil
	}
	have := []string{"cpu"}
	for _, d := range Devices() {
		if d.Type() != ggml.GPU && d.Type() != ggml.Integrated {
			continue
		}
		own := strings.ToLower(d.Name())
		if name == "auto" || name == own || name == strings.ToLower(d.Backend()) {
			return d, nil
		}
		have = append(have, own)
	}
	if name == "auto" {
		return ggml.Processor(), nil
	}
	err := fmt.Errorf("no %s device: this program on %s/%s has %s",
		name, runtime.GOOS, runtime.GOARCH, strings.Join(have, ", "))
	if why := LibraryFaults()[backendOf(name)]; why != nil {
		err = fmt.Errorf("%w; %w", err, why)
	}
	return ggml.Device{}, err
}

// DeviceMemoryError says that a model or a request does not fit into the memory of a GPU.
type DeviceMemoryError struct {
	Device      string
	Free, Total uint64 // bytes
	Err         error
}

// Error says how much memory there is.
func (e DeviceMemoryError) Error() string {
	return fmt.Sprintf("%s has too little memory for this, %.1f GB free of %.1f GB: %v", e.Device,
		float64(e.Free)/1e9, float64(e.Total)/1e9, e.Err)
}

// Unwrap returns the library's error.
func (e DeviceMemoryError) Unwrap() error { return e.Err }

// withMemory returns err, as a DeviceMemoryError if it comes from a GPU d that has no more memory.
func withMemory(d ggml.Device, err error) error {
	if err == nil || d.Type() == ggml.CPU {
		return err
	}
	free, total := d.Memory()
	return memoryError(d.Name(), free, total, err)
}

func memoryError(device string, free, total uint64, err error) error {
	text := err.Error()
	for _, sign := range []string{"out of memory", "failed to allocate", "unable to allocate", "no memory for"} {
		if strings.Contains(text, sign) {
			return DeviceMemoryError{device, free, total, err}
		}
	}
	return err
}
