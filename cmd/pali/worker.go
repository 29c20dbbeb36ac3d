package main

// This file: pali worker, the process in which pali serve keeps a model.

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/server/worker"
)

func newWorker() *cobra.Command {
	var f modelFlags
	cmd := &cobra.Command{
		Use:    "worker -m MODEL",
		Short:  "Runs a model for pali serve, which starts it",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := worker.Inherited()
			if err != nil {
				return usageError{errors.New("pali worker is started by pali serve, not by hand")}
			}
			signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // the server ends it after its requests
			load := func() (*worker.Model, error) {
				m, err := f.open(cmd.ErrOrStderr())
				if err != nil {
					return nil, err
				}
				return &worker.Model{Runner: m.Runner(), Progress: m.Progress, GPU: m.OnGPU()}, nil
			}
			return worker.Serve(conn, load, func() { os.Exit(0) })
		},
	}
	f.add(cmd.Flags())
	return cmd
}
