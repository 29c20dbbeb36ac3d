package host

// This file: how many threads compute at best.

import (
	"fmt"
	"io/fs"
	"runtime"
	"strings"
)

// Threads returns one thread for each core that computes, of those that this process may use: two
// threads of one core share its vector units and wait for each other, and fast cores wait for a
// slow one. GOMAXPROCS already knows the process's CPU mask and, on Linux, its share of time.
func Threads() int {
	n := runtime.GOMAXPROCS(0)
	if cores := fastCores(); cores > 0 {
		n = min(n, cores)
	}
	return n
}

// linuxCores counts the cores that the system describes below /sys/devices and that have an allowed
// processor. Each processor lists all processors of its core in the same words, so that each core
// has a text of its own. Where there are two kinds of cores (Intel), the fast ones are those of
// cpu_core. 0: the system does not say.
func linuxCores(devices fs.FS, allowed func(cpu int) bool) int {
	fast, err := fs.ReadFile(devices, "cpu_core/cpus")
	if err != nil {
		fast = nil
	}
	lists, err := fs.Glob(devices, "system/cpu/cpu[0-9]*/topology/thread_siblings_list")
	if err != nil {
		return 0
	}
	cores := map[string]bool{}
	for _, name := range lists {
		var cpu int
		n, _ := fmt.Sscanf(name, "system/cpu/cpu%d/", &cpu)
		if n == 0 || !allowed(cpu) || fast != nil && !inList(string(fast), cpu) {
			continue
		}
		list, err := fs.ReadFile(devices, name)
		if err != nil {
			return 0
		}
		cores[strings.TrimSpace(string(list))] = true
	}
	return len(cores)
}

// inList reports whether a list like "0-3,8" holds a processor.
func inList(list string, cpu int) bool {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		var first, last int
		switch n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); {
		case n == 1 && cpu == first, n == 2 && first <= cpu && cpu <= last:
			return true
		}
	}
	return false
}
