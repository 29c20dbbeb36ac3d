package worker

import "syscall"

// attributes puts the worker into a process group of its own, so that a terminal's Ctrl-C does not
// reach it, and ends it with the thread that made it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
