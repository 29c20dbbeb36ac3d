//go:build !unix

package worker

// This file: the connection of a worker where descriptors are not inherited: its standard input and output.

import (
	"io"
	"os"
	"syscall"
)

// pipes is a connection of two pipes.
type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipes) Close() error {
	p.WriteCloser.Close()
	return p.ReadCloser.Close()
}

// connect makes the connection. Nothing is to be closed when the process has it.
func (p *Process) connect() (io.Closer, error) {
	in, err := p.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.process.StdoutPipe()
	p.conn = pipes{out, in}
	return io.NopCloser(nil), err
}

// Inherited returns the worker's end of the connection. What else writes to standard output goes to standard error from now on.
func Inherited() (io.ReadWriter, error) {
	out := os.Stdout
	os.Stdout = os.Stderr
	return struct {
		io.Reader
		io.Writer
	}{os.Stdin, out}, nil
}

func attributes() *syscall.SysProcAttr { return nil }
