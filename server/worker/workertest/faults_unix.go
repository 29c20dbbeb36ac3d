//go:build unix

package workertest

// This file: the ways in which a worker is lost.

import (
	"io"
	"os"
	"syscall"
	"time"
)

// misbehave does what a prompt "fault NAME" asks for. connection is the worker's.
func misbehave(fault string, connection io.Writer) {
	signals := map[string]syscall.Signal{
		"abort": syscall.SIGABRT, "segv": syscall.SIGSEGV, "kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}
	if s, ok := signals[fault]; ok {
		syscall.Kill(os.Getpid(), s)
		time.Sleep(time.Minute)
	}
	switch fault {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("as asked")
	case "hang":
		select {}
	case "garbage":
		io.WriteString(connection, "llama_decode: something went wrong\n")
		time.Sleep(time.Minute)
	case "partial":
		io.WriteString(connection, "PLW1s\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00{")
		os.Exit(0)
	}
}
