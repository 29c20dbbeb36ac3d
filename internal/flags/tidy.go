package flags

// This file: values as people write them, and the errors about them.

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// Tidy passes the value that is given to each flag of fs named in names through tidy first.
func Tidy(fs *pflag.FlagSet, tidy func(text string) string, names ...string) {
	for _, name := range names {
		if f := fs.Lookup(name); f != nil {
			f.Value = tidied{f.Value, tidy}
		}
	}
}

// tidied is a flag's value that takes what tidy makes of a text.
type tidied struct {
	pflag.Value
	tidy func(text string) string
}

func (v tidied) Set(text string) error { return v.Value.Set(v.tidy(text)) }

// Words returns text, one of a list of words or several with commas, in small letters and without
// blanks around the words and commas at the end.
func Words(text string) string {
	words := strings.Split(strings.ToLower(text), ",")
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	if tidy := strings.TrimRight(strings.Join(words, ","), ","); tidy != "" {
		return tidy
	}
	return text
}

// longDash is a flag whose dashes a text program has joined to a longer one.
var longDash = regexp.MustCompile(`^[\x{2012}-\x{2015}\x{2212}]+-*([A-Za-z][A-Za-z-]*)(=|$)`)

// RefuseLongDashes refuses an argument that was typed as a flag, and became another text.
func RefuseLongDashes(arguments []string) error {
	for _, a := range arguments {
		if m := longDash.FindStringSubmatch(a); m != nil {
			return fmt.Errorf("%s: begins with a longer dash than a flag's, as text programs write it: type %s%s", a,
				strings.Repeat("-", min(len(m[1]), 2)), m[1])
		}
	}
	return nil
}

// NoArguments refuses arguments of a command that takes flags only.
func NoArguments(arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	return fmt.Errorf("%q: only flags are taken here", arguments[0])
}

// Explain returns an error of pflag's parser, or of a value's Set, in the words of those who call
// the program; another error as it is.
func Explain(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && len(unknown.GetSpecifiedShortnames()) > 1:
		letters := unknown.GetSpecifiedShortnames()
		return fmt.Errorf("unknown flag: -%s in -%s; a flag with a long name has two dashes, --%s",
			unknown.GetSpecifiedName(),
			letters, letters)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("unknown flag: -%s", unknown.GetSpecifiedShortnames())
	case errors.As(err, &missing) && missing.GetSpecifiedShortnames() != "":
		return fmt.Errorf("-%s: want a value after it", missing.GetSpecifiedName())
	case errors.As(err, &missing):
		return fmt.Errorf("--%s: want a value after it", missing.GetSpecifiedName())
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), errors.Unwrap(invalid))
	}
	return err
}
