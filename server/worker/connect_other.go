//go:build !unix

package worker

// This file: the connection of a worker where descriptors are not inherited: its standard input and
// output.

import (
	"io"
	"os"
	"os/exec"
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

// connect makes the connection of process, which is not yet started. Closing theirs does nothing.
func connect(process *exec.Cmd) (conn io.ReadWriteCloser, theirs io.Closer, err error) {
	in, err := process.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := process.StdoutPipe()
	return pipes{out, in}, io.NopCloser(nil), err
}

// Inherited returns the worker's end of the connection. From now on what else is written to
// standard output goes to standard error.
func Inherited() (io.ReadWriter, error) {
	out := os.Stdout
	os.Stdout = os.Stderr
	return struct {
		io.Reader
		io.Writer
	}{os.Stdin, out}, nil
}

func attributes() *syscall.SysProcAttr { return nil }
