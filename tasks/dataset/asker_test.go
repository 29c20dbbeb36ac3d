package dataset

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/server/worker/workertest"
	"github.com/pali-gguf/pali/tasks"
)

// TestAsker checks that all prompts are asked about an image, which is encoded once.
func TestAsker(t *testing.T) {
	toy := workertest.New()
	prompts := []tasks.Prompt{tasks.Parse("caption en"), tasks.Parse("detect cat")}
	a, err := NewAsker(toy.Runner(), prompts, 40, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		have, err := a.Answer(context.Background(), Prepared{Pixels: make([]float32, 3)})
		if err != nil {
			t.Fatal(err)
		}
		if len(have) == 2 && len(have[1].Scores) == 1 {
			have[1].Scores = nil
		}
		want := []Answer{
			{Prompt: "caption en", Text: "808080 caption en", Tokens: 18},
			{Prompt: "detect cat", Text: "<loc0128><loc0128><loc0895><loc1023> cat", Tokens: 9},
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
	if a.Encoded != 2 {
		t.Errorf("%d images encoded", a.Encoded)
	}
}

// TestAskerStrict checks that with strict the labels of boxes are the requested ones, that answers
// to other prompts are unchanged, and that answers too short for an object are refused.
func TestAskerStrict(t *testing.T) {
	toy := workertest.New()
	detect, err := tasks.Find("detect").Prompt("", "", "cat")
	if err != nil {
		t.Fatal(err)
	}
	other := detect
	other.Text = "detect dog"
	prompts := []tasks.Prompt{tasks.Parse("caption en"), other}
	a, err := NewAsker(toy.Runner(), prompts, 40, true)
	if err != nil {
		t.Fatal(err)
	}
	have, err := a.Answer(context.Background(), Prepared{Pixels: make([]float32, 3)})
	if err != nil {
		t.Fatal(err)
	}
	if have[0].Text != "808080 caption en" || !strings.HasSuffix(have[1].Text, "> cat") {
		t.Errorf("%+v", have)
	}
	_, err = NewAsker(toy.Runner(), prompts, 2, true)
	if err == nil || !strings.Contains(err.Error(), "an object may take") {
		t.Errorf("2 tokens: %v", err)
	}
}
