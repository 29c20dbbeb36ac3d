//go:build unix

package host

// This file: the process's peak memory on Unix.

import (
	"runtime"
	"syscall"
)

// PeakMemory returns the largest number of bytes that were resident at once, 0 if the
// system does not report it.
func PeakMemory() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
