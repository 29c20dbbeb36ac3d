package tasks

import (
	"slices"
	"strings"
	"testing"
)

func TestPrompts(t *testing.T) {
	for _, c := range []struct {
		have func() (string, error)
		want string // "": an error
	}{
		{func() (string, error) { return Caption("en") }, "caption en"},
		{func() (string, error) { return Caption("fil") }, "caption fil"},
		{func() (string, error) { return Describe("de") }, "describe de"},
		{func() (string, error) { return Ask("en", "What is  this?") }, "answer en What is  this?"},
		{func() (string, error) { return OCR(), nil }, "ocr"},
		{func() (string, error) { return Detect("cat") }, "detect cat"},
		{func() (string, error) { return Detect("cat", "red  dog ") }, "detect cat ; red  dog"},
		{func() (string, error) { return Detect("cat;dog ; ;person's hat") }, "detect cat ; dog ; person's hat"},
		{func() (string, error) { return Segment("猫") }, "segment 猫"},
		{func() (string, error) { return Caption("") }, ""},
		{func() (string, error) { return Caption("xx") }, ""},
		{func() (string, error) { return Describe("EN") }, ""},
		{func() (string, error) { return Ask("en", " ") }, ""},
		{func() (string, error) { return Ask("tlh", "What?") }, ""},
		{func() (string, error) { return Detect() }, ""},
		{func() (string, error) { return Segment(" ; ") }, ""},
	} {
		if got, err := c.have(); got != c.want && c.want != "" || (err != nil) != (c.want == "") {
			t.Errorf("have %q, %v, want %q", got, err, c.want)
		}
	}
	if len(Languages) != 36 {
		t.Errorf("%d languages, want 35 and Quechua", len(Languages))
	}
}

// Whatever the things: a prompt of them, from which they can be read again, or none where there are none.
func FuzzDetect(f *testing.F) {
	f.Add("cat ; red  dog", "person's hat")
	f.Add(" ;;\u2003", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		things := SplitLabels(a + ";" + b)
		prompt, err := Detect(a, b)
		if err != nil && len(things) == 0 {
			return
		}
		rest, ok := strings.CutPrefix(prompt, "detect ")
		if err != nil || !ok || !slices.Equal(SplitLabels(rest), things) || strings.Count(rest, separator) < len(things)-1 {
			t.Errorf("%q, %q: %q, %v", a, b, prompt, err)
		}
	})
}
