package main

// This file: what is a wrong call.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/flags"
)

// usageError is a wrong call: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// asUsage returns err as a wrong call, nil if there is none.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// refuseIdle refuses flags of fs that were given and do nothing, if useless is set; why says when.
func refuseIdle(fs *pflag.FlagSet, useless bool, why string, names ...string) error {
	return asUsage(flags.RefuseIdle(fs, flags.Idle{Useless: useless, Why: why, Flags: names}))
}

func fromEnvironment(fs *pflag.FlagSet) error { return asUsage(flags.FromEnvironment(fs, "PALI_")) }

// checkOutput refuses, before any work, a file that could not be written, is one of inputs, or does
// not end with ending, which flag, or argument, wants.
func checkOutput(flag, path, ending string, force bool, inputs ...string) error {
	if err := atomicfile.NotInput(path, inputs...); err != nil {
		return err
	}
	if err := atomicfile.MayWrite(path, force); errors.As(err, new(atomicfile.ExistsError)) {
		return err
	} else if err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, err)
	}
	if !strings.HasSuffix(strings.ToLower(path), ending) {
		return usagef("%s %s: want a name that ends with %s", flag, path, ending)
	}
	return nil
}

func noArguments(_ *cobra.Command, args []string) error { return flags.NoArguments(args) }

// atLeastOne accepts one argument or more, and says what is missing where there is none.
func atLeastOne(missing string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New(missing)
		}
		return nil
	}
}
