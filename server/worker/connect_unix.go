//go:build unix

package worker

// This file: the connection and the life of a worker on Unix: a socket pair, of which the worker inherits one end.

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// inherited is the worker's descriptor of the connection.
const inherited = 3

// connect makes the connection, and gives the process the end that is returned: to be closed when the process has it.
func (p *Process) connect() (io.Closer, error) {
	syscall.ForkLock.RLock() // no other child inherits them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "server")
	defer ours.Close()
	p.process.ExtraFiles = []*os.File{theirs}
	p.conn, err = net.FileConn(ours)
	if err != nil {
		theirs.Close()
	}
	return theirs, err
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
