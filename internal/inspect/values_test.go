package inspect

import (
	"fmt"
	"strings"
	"testing"
)

// What a file calls its keys and values cannot steer a terminal or break a line.
func TestTexts(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{"\x1b]0;title\x07 a\nb", `"\x1b]0;title\a a\nb"`},
		{strings.Repeat("x", 100), `"` + strings.Repeat("x", maxShortRunes) + `"... 100 bytes`},
		{float32(0.1), "0.1"},
		{uint64(1) << 63, "9223372036854775808"},
		{"\u202etxt.exe \xff", `"\u202etxt.exe \xff"`},
		{strings.Repeat("é", maxShortRunes), `"` + strings.Repeat("é", maxShortRunes) + `"`},
	} {
		t.Run(fmt.Sprint(c.value), func(t *testing.T) {
			if have := ShortText(c.value); have != c.want {
				t.Errorf("%q: have %s, want %s", c.value, have, c.want)
			}
		})
	}
	for _, c := range []struct {
		name string
		want string
	}{
		{"blk.0.attn_q.weight", "blk.0.attn_q.weight"},
		{"a b", `"a b"`},
		{"", `""`},
		{"é", "é"},
		{"a\n", `"a\n"`},
		{`"`, `"\""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := Plain(c.name); have != c.want {
				t.Errorf("%q: have %s, want %s", c.name, have, c.want)
			}
		})
	}
	long := make([]string, MaxElements+1)
	if a, b := exactText(long), exactText(append(long[1:], "x")); a == b || !strings.HasPrefix(a, "sha256:") {
		t.Errorf("%s and %s", a, b)
	}
	if have := exactText([]string{"a", "b"}); have != `["a", "b"]` {
		t.Error(have)
	}
}
