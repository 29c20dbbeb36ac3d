package tasks

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrompts(t *testing.T) {
	for _, c := range []struct {
		have func() (Prompt, error)
		want string // "": an error
	}{
		{func() (Prompt, error) { return Caption("en") }, "caption en"},
		{func() (Prompt, error) { return Caption("fil") }, "caption fil"},
		{func() (Prompt, error) { return Describe("de") }, "describe de"},
		{func() (Prompt, error) { return Ask("en", "What is  this?") }, "answer en What is  this?"},
		{func() (Prompt, error) { return OCR(), nil }, "ocr"},
		{func() (Prompt, error) { return Detect("cat") }, "detect cat"},
		{func() (Prompt, error) { return Detect("cat", "red  dog ") }, "detect cat ; red  dog"},
		{func() (Prompt, error) { return Detect("cat;dog ; ;person's hat") }, "detect cat ; dog ; person's hat"},
		{func() (Prompt, error) { return Segment("猫") }, "segment 猫"},
		{func() (Prompt, error) { return Caption("") }, ""},
		{func() (Prompt, error) { return Caption("xx") }, ""},
		{func() (Prompt, error) { return Describe("EN") }, ""},
		{func() (Prompt, error) { return Ask("en", " ") }, ""},
		{func() (Prompt, error) { return Ask("tlh", "What?") }, ""},
		{func() (Prompt, error) { return Detect() }, ""},
		{func() (Prompt, error) { return Segment(" ; ") }, ""},
	} {
		if got, err := c.have(); got.Text != c.want && c.want != "" || (err != nil) != (c.want == "") {
			t.Errorf("have %q, %v, want %q", got.Text, err, c.want)
		}
	}
	if len(Languages) != 36 {
		t.Errorf("%d languages, want 35 and Quechua", len(Languages))
	}
}

// Whatever the labels: a prompt of them, from which they can be read again, or an error where there
// are none.
func FuzzDetect(f *testing.F) {
	f.Add("cat ; red  dog", "person's hat")
	f.Add(" ;;\u2003", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		things := SplitLabels(a + ";" + b)
		prompt, err := Detect(a, b)
		if err != nil && len(things) == 0 {
			return
		}
		rest, ok := strings.CutPrefix(prompt.Text, "detect ")
		if err != nil || !ok || !slices.Equal(SplitLabels(rest), things) ||
			strings.Count(rest, separator) < len(things)-1 ||
			!cmp.Equal(Parse(prompt.Text), prompt) {
			t.Errorf("%q, %q: %+v, %v", a, b, prompt, err)
		}
	})
}

// A prompt that was made is read again as it was made.
func TestParseReadsPrompts(t *testing.T) {
	for _, task := range All {
		want, err := task.Prompt("de", "how many?", "cat", "red dog ; owl")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, Parse(want.Text)); d != "" {
			t.Errorf("%q (-made +parsed)\n%s", want.Text, d)
		}
		if Find(task.Name) == nil || *Find(task.Name) != task {
			t.Errorf("%s is not found", task.Name)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want Prompt
	}{
		{"", Prompt{}},
		{"What is this?", Prompt{}},
		{" detect cat", Prompt{}},
		{"Detect cat", Prompt{}},
		{"detect", Prompt{Task: Find("detect")}},
		{"detect cat;dog ;", Prompt{Task: Find("detect"), Labels: []string{"cat", "dog"}}},
		{"segment  red cat", Prompt{Task: Find("segment"), Labels: []string{"red cat"}}},
		{"answer en what is this?", Prompt{Task: Find("ask"), Lang: "en", Question: "what is this?"}},
		{"caption xx", Prompt{Task: Find("caption"), Lang: "xx"}},
		{"caption", Prompt{Task: Find("caption")}},
		{"ocr", Prompt{Task: Find("ocr")}},
		{"cap en", Prompt{Task: &promptsOnly[0], Lang: "en"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			c.want.Text = c.text
			if d := cmp.Diff(c.want, Parse(c.text)); d != "" {
				t.Error(d)
			}
		})
	}
}
