package ggml

// This file: what the scripts that build and check the GPU libraries say before they begin.

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestScriptsRefuse(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	tools := t.TempDir() // an nvcc and a cmake that build nothing
	for _, name := range []string{"nvcc", "cmake"} {
		if err := os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, noGPU := os.Stat("/dev/nvidia0")
	for _, c := range []struct {
		name   string
		script string
		args   []string
		env    string
		code   int
		want   string
		on     bool
	}{
		{"no kind", "gpu.sh", nil, "", 2, "scripts/gpu.sh cuda|vulkan", true},
		{"another kind", "gpu.sh", []string{"abacus"}, "", 2, "scripts/gpu.sh cuda|vulkan", true},
		{"no compiler", "gpu.sh", []string{"cuda"}, "CUDACXX=no-nvcc-here", 1, "this needs no-nvcc-here", true},
		{"no GPU", "gpu.sh", []string{"cuda"}, "", 1, "say for which to build: ARCH=90-real", noGPU != nil},
		{"a module without ggml", "gpu.sh", []string{"cuda", tools}, "ARCH=90-real", 1, "does not contain ggml", true},
		{"gpu-check: a word", "gpu-check.sh", []string{"now"}, "", 2, "scripts/gpu-check.sh prepare", true},
		{"gpu-check: another device", "gpu-check.sh", nil, "DEVICE=abacus", 2, "DEVICE=abacus: want cuda", true},
		{"gpu-check: another step", "gpu-check.sh", nil, "STEPS=count", 2, `there is no step "count"`, true},
	} {
		if !c.on {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("sh", append([]string{filepath.Join("..", "..", "scripts", c.script)}, c.args...)...)
			cmd.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "ARCH=", "CUDACXX=", c.env)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, exit code %d, want %d and %q:\n%s", err, cmd.ProcessState.ExitCode(), c.code, c.want, out)
			}
		})
	}
}
