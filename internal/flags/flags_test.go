package flags

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// parsed returns flags as a command line and the environment, NAME=VALUE, give them.
func parsed(t *testing.T, line, environment string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fs.Bool("strict", true, "")
	fs.Bool("free", false, "")
	fs.Int("top-k", 0, "")
	fs.String("output", "", "")
	if err := fs.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	for pair := range strings.FieldsSeq(environment) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	return fs
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestFlags checks what is refused of flags on the command line and in the environment.
func TestFlags(t *testing.T) {
	idle := Idle{true, "here", []string{"output", "top-k"}}
	for _, c := range []struct{ name, line, environment, want string }{
		{"nothing", "", "", ""},
		{"idle", "--top-k 3", "", "--top-k does nothing here"},
		{"idle, with its default", "--top-k 0", "", "--top-k does nothing here"},
		{"idle in the environment", "", "T_TOP_K=3", ""},
		{"wrong in the environment", "", "T_TOP_K=three", "T_TOP_K=three: "},
		{"empty in the environment, a number", "", "T_TOP_K=", ""},
		{"both", "--top-k 3", "T_TOP_K=three", "--top-k does nothing here"},
		{"empty", "--output=", "", "--output is empty"},
		{"empty in the environment", "", "T_OUTPUT=", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := parsed(t, c.line, c.environment)
			err := RefuseEmpty(fs)
			if err == nil {
				err = FromEnvironment(fs, "T_")
			}
			if err == nil {
				err = RefuseIdle(fs, Idle{false, "there", []string{"top-k"}}, idle)
			}
			if have := text(err); !strings.HasPrefix(have, c.want) || c.want == "" && have != "" {
				t.Errorf("have %q", have)
			}
		})
	}
}

// TestEither checks which of two contrary flags counts.
func TestEither(t *testing.T) {
	for _, c := range []struct {
		line, environment string
		strict, fails     bool
	}{
		{"", "", true, false},
		{"--strict", "", true, false},
		{"--free", "", false, false},
		{"--strict=false", "", false, false},
		{"--free=false", "", true, false},
		{"--strict=false --free", "", false, false},
		{"--strict --free=false", "", true, false},
		{"--strict --free", "", false, true},
		{"--strict=false --free=false", "", false, true},
		{"--strict", "T_FREE=1", true, false},
		{"--free", "T_STRICT=1", false, false},
		{"", "T_FREE=1", false, false},
		{"", "T_STRICT=0", false, false},
	} {
		t.Run(c.line+" "+c.environment, func(t *testing.T) {
			fs := parsed(t, c.line, c.environment)
			if err := FromEnvironment(fs, "T_"); err != nil {
				t.Fatal(err)
			}
			strict, err := Either(fs, "strict", "free")
			if strict != c.strict || (err != nil) != c.fails {
				t.Errorf("%v, %v", strict, err)
			}
		})
	}
	if strict, err := Either(pflag.NewFlagSet("", pflag.ContinueOnError), "strict", "free"); strict || err != nil {
		t.Errorf("a command without them: %v, %v", strict, err)
	}
}
