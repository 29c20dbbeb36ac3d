package ggml

// This file: whether a shared library is whole, and which version this program wants.

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
)

// Module is the Go module that carries ggml and llama.cpp.
const Module = "github.com/ollama/ollama"

// Version returns the version of Module that this program was built with, "v0.17.4"; "" if the
// build does not say.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == Module {
			return m.Version
		}
	}
	return ""
}

// checkLibrary refuses a file that the system's loader must not see, and one that needs such a file
// in its folder: mapping a library whose end is missing ends the process. Only Linux's libraries are
// read.
func checkLibrary(path string) error {
	needed, err := checkWhole(path)
	if err != nil {
		return err
	}
	for _, name := range needed {
		beside := filepath.Join(filepath.Dir(path), filepath.Base(name))
		if _, err := os.Stat(beside); err != nil {
			continue // the loader looks elsewhere
		}
		if _, err := checkWhole(beside); err != nil {
			return err
		}
	}
	return nil
}

// checkWhole fails unless the file at path is a library with its end, and returns which others it
// needs.
func checkWhole(path string) (needed []string, err error) {
	file, info, err := input.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	f, err := elf.NewFile(file)
	if wrong := new(elf.FormatError); errors.As(err, &wrong) {
		return nil, fmt.Errorf("%s is not a shared library: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is cut off: build it again (%w)", path, err)
	}
	end := uint64(0)
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS {
			end = max(end, s.Offset+s.FileSize)
		}
	}
	if size := uint64(info.Size()); end > size {
		return nil, fmt.Errorf("%s is cut off: it has %d bytes of %d; build it again", path, size, end)
	}
	return f.ImportedLibraries()
}

// needs are libraries that a backend's needs, and what it means if the loader does not find one.
var needs = []struct{ library, missing string }{
	{"libcuda.so", "NVIDIA's driver is not installed"},
	{"libcudart.so", "the CUDA libraries that it was built with are not found"},
	{"libcublas", "the CUDA libraries that it was built with are not found"},
	{"libvulkan.so", "the Vulkan loader is not installed"},
	{"libggml-base.so", "libggml-base.so.0 is not beside it"},
}

// notLoaded returns the error for the library at path, with the loader's words.
func notLoaded(path, words string) error {
	for _, n := range needs {
		if strings.HasPrefix(words, n.library) {
			return fmt.Errorf("%s cannot be used: %s (%s)", path, n.missing, words)
		}
	}
	return fmt.Errorf("the system does not load %s: %s", path, strings.TrimPrefix(words, path+": "))
}
