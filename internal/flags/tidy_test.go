package flags

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestWords checks words as people write them.
func TestWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"coco", "coco"}, {"COCO", "coco"}, {" coco\r\n", "coco"}, {"coco, YOLO-seg", "coco,yolo-seg"},
		{"coco,", "coco"},
		{"coco,,csv", "coco,,csv"}, {"", ""}, {",", ","}, {"F16", "f16"},
	} {
		fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
		one := fs.String("kv", "", "")
		fs.StringSlice("format", []string{"csv"}, "")
		Tidy(fs, Words, "kv", "format", "nothing")
		if err := fs.Parse([]string{"--kv", c.text, "--format", c.text}); err != nil || *one != c.want {
			t.Errorf("%q: %q, %v, want %q", c.text, *one, err, c.want)
		}
		if several, _ := fs.GetStringSlice("format"); c.want != "" && strings.Join(several, ",") != c.want {
			t.Errorf("%q: %q, want %q", c.text, several, c.want)
		}
	}
}

// TestExplain checks the errors of wrong flags: none has a word of pflag's, or of Go's.
func TestExplain(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-classes c.txt", "unknown flag: -c in -classes; a flag with a long name has two dashes, --classes"},
		{"-z", "unknown flag: -z"},
		{"--clases c.txt", "unknown flag: --clases"},
		{"--top-k", "--top-k: want a value after it"},
		{"-o", "-o: want a value after it"},
		{"--top-k 0,5", `--top-k "0,5": `},
		{"--json=maybe", `--json "maybe": `},
		{"-k=x", `--top-k "x": `},
	} {
		t.Run(c.line, func(t *testing.T) {
			fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
			fs.IntP("top-k", "k", 0, "")
			fs.StringP("output", "o", "", "")
			fs.Bool("json", false, "")
			err := Explain(fs.Parse(strings.Fields(c.line)))
			if have := text(err); !strings.HasPrefix(have, c.want) || strings.Contains(have, "argument") ||
				strings.Contains(have, "strconv") {
				t.Errorf("have %s\nwant %s", have, c.want)
			}
		})
	}
	if other := errors.New("x"); Explain(other) != other || Explain(nil) != nil {
		t.Error("another error changes")
	}
}

// TestArguments checks arguments that are none.
func TestArguments(t *testing.T) {
	for _, c := range []struct{ argument, want string }{
		{"–-classes", "–-classes: begins with a longer dash than a flag's, as text programs write it: type --classes"},
		{"—min-score=0.5",
			"—min-score=0.5: begins with a longer dash than a flag's, as text programs write it: type --min-score"},
		{"–m", "–m: begins with a longer dash than a flag's, as text programs write it: type -m"},
		{"– what is this", ""}, {"–5", ""}, {"-", ""}, {"photo.jpg", ""},
	} {
		if have := text(RefuseLongDashes([]string{"a", c.argument})); have != c.want {
			t.Errorf("%s: %s", c.argument, have)
		}
	}
	if have := text(NoArguments([]string{"q.jsonl"})); have != `"q.jsonl": only flags are taken here` {
		t.Error(have)
	}
	if NoArguments(nil) != nil {
		t.Error("refused without arguments")
	}
}
