// Package host reports what this machine gives to a process: cores, and memory that is used and
// free.
//
// This file: memory; cores.go, cores_SYSTEM.go: cores; peak_SYSTEM.go: the process's own memory.
package host

import (
	"fmt"
	"os"
	"strings"
)

// AvailableMemory returns the bytes that Linux would give to a new program, and 0 on other systems.
func AvailableMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kibibytes uint64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kibibytes); n == 1 {
			return kibibytes << 10
		}
	}
	return 0
}
