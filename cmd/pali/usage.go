package main

// This file: what is a wrong call, and the environment as flags.

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a wrong call: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// idle is a flag that does nothing in this call, if useless is set; why says when it does nothing.
type idle struct {
	flag    string
	useless bool
	why     string
}

// refuseIdle refuses a flag of fs that was given on the command line and does nothing.
func refuseIdle(fs *pflag.FlagSet, all ...idle) error {
	for _, x := range all {
		if x.useless && fs.Changed(x.flag) {
			return usagef("--%s does nothing %s", x.flag, x.why)
		}
	}
	return nil
}

// atLeastOne accepts one argument or more, and says what is missing where there is none.
func atLeastOne(missing string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New(missing)
		}
		return nil
	}
}

// fromEnvironment sets every flag that the command line leaves alone and PALI_FLAG_NAME gives.
func fromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "PALI_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || f.Name == "help" || failed != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			failed = usagef("%s=%s: %v", name, value, err)
		}
		f.Changed = false // set for all calls: what this one says counts, and the rest may do nothing
	})
	return failed
}
