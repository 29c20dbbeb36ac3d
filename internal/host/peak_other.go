//go:build !unix

package host

// This file: the process's peak memory where the system does not report it.

// PeakMemory returns 0: the system does not report it.
func PeakMemory() int64 { return 0 }
