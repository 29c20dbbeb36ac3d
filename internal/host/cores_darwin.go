package host

// This file: the cores of a Mac.

import "golang.org/x/sys/unix"

// fastCores counts the performance cores of Apple silicon, or all cores of other Macs; 0 if the
// system does not say.
func fastCores() int {
	for _, name := range []string{"hw.perflevel0.physicalcpu", "hw.physicalcpu"} {
		if n, err := unix.SysctlUint32(name); err == nil {
			return int(n)
		}
	}
	return 0
}
