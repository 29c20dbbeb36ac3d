package host

// This file: the cores of Linux.

import (
	"os"

	"golang.org/x/sys/unix"
)

// fastCores counts the cores that this process may run on, 0 if the system does not say.
func fastCores() int {
	allowed := func(int) bool { return true }
	var mask unix.CPUSet
	if unix.SchedGetaffinity(0, &mask) == nil {
		allowed = mask.IsSet
	}
	return linuxCores(os.DirFS("/sys/devices"), allowed)
}
