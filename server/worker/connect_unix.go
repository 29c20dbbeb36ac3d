//go:build unix

package worker

// This file: the connection of a worker on Unix: a socket pair, of which the worker inherits one
// end.

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// inherited is the worker's descriptor of the connection.
const inherited = 3

// connect makes the connection: the server's end, and the end that process, not yet started, will
// inherit. The caller closes theirs when the process has started.
func connect(process *exec.Cmd) (conn io.ReadWriteCloser, theirs io.Closer, err error) {
	syscall.ForkLock.RLock() // no other child inherits them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, inherits := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "server")
	defer ours.Close()
	process.ExtraFiles = []*os.File{inherits}
	conn, err = net.FileConn(ours)
	if err != nil {
		inherits.Close()
	}
	return conn, inherits, err
}

// Inherited returns the worker's end of the connection.
func Inherited() (io.ReadWriter, error) {
	f := os.NewFile(inherited, "server")
	if f == nil {
		return nil, errors.New("no connection")
	}
	defer f.Close()
	return net.FileConn(f)
}
