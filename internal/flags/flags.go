// Package flags says which flags of a call were given, which of them can mean nothing, and reads
// their numbers as people write them.
//
// Before it: the flags of a command as pflag parsed them. After it: the same with those of the
// environment, or a reason to refuse the call.
//
// This file: which flags were given; numbers.go: their numbers; tidy.go: values as people write them.
package flags

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// FromEnvironment sets every flag that the command line leaves alone and a variable gives: prefix
// and the flag's name in capitals, with _ for -. An empty variable counts as none. Such a flag does not count as given: it is set for
// all calls, and may do nothing in this one.
func FromEnvironment(fs *pflag.FlagSet, prefix string) (failed error) {
	fs.VisitAll(func(f *pflag.Flag) {
		name := prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || f.Changed || f.Name == "help" || failed != nil {
			return
		}
		if err := fs.Set(f.Name, value); err != nil {
			var invalid *pflag.InvalidValueError
			if errors.As(err, &invalid) {
				err = errors.Unwrap(invalid)
			}
			failed = fmt.Errorf("%s=%s: %w", name, value, err)
		}
		f.Changed = false
	})
	return failed
}

// RefuseEmpty refuses an empty text that was given to a flag, as by a variable that is not set.
func RefuseEmpty(fs *pflag.FlagSet) (failed error) {
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Value.Type() == "string" && f.Value.String() == "" {
			failed = fmt.Errorf("--%s is empty", f.Name)
		}
	})
	return failed
}

// Idle are flags that do nothing in this call, where Useless is set; Why says in which calls.
type Idle struct {
	Useless bool
	Why     string
	Flags   []string
}

// RefuseIdle refuses a flag of fs that was given and does nothing.
func RefuseIdle(fs *pflag.FlagSet, all ...Idle) error {
	for _, x := range all {
		for _, name := range x.Flags {
			if x.Useless && fs.Changed(name) {
				return fmt.Errorf("--%s does nothing %s", name, x.Why)
			}
		}
	}
	return nil
}

// Either returns whether a is set of two flags of fs, a and b, of which each is the other's
// contrary and a is the default. The one that was given counts. It fails if both were given and
// contradict each other.
func Either(fs *pflag.FlagSet, a, b string) (bool, error) {
	isA, err := fs.GetBool(a)
	isB, err2 := fs.GetBool(b)
	switch {
	case err != nil || err2 != nil: // a command without them
		return false, nil
	case fs.Changed(a) && fs.Changed(b) && isA == isB:
		return false, fmt.Errorf("--%s and --%s: want one of the two", a, b)
	case fs.Changed(a):
		return isA, nil
	}
	return isA && !isB, nil
}
