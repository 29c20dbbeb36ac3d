//go:build unix && !linux

package worker

import "syscall"

// attributes puts the worker into a process group of its own, so that a terminal's Ctrl-C does not
// reach it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
