package eval

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// toy returns a model that sees every image as one grey (0 to 255) and answers with it and the
// prompt. encoded counts the images. The image "bad" cannot be read.
func toy(grey float32, encoded *int) *runner.ImageCache {
	return &runner.ImageCache{Runner: workertest.New().Runner(), Pixels: func(key string) ([]float32,
		time.Duration, error) {
		if key == "bad" {
			return nil, 0, errors.New("no image")
		}
		*encoded++
		value := grey/127.5 - 1
		return []float32{value, value, value}, time.Second, nil
	}}
}

// questionsAbout returns a question about each of images.
func questionsAbout(images ...string) (all []Question) {
	for i, image := range images {
		suffix := References{Texts: []string{"101010 answer en what"}}
		all = append(all, Question{Image: image, Path: image, Prefix: "answer en what", Suffix: suffix, File: "q.jsonl",
			Line: i + 1})
	}
	return all
}

// TestAsk checks that an image is encoded once for consecutive questions, that answers are scored,
// and that the model gets the reference's answer.
func TestAsk(t *testing.T) {
	var encoded, byReference int
	a := Asker{Run: "run", Model: toy(0x10, &encoded), Reference: toy(0x11, &byReference), MaxTokens: 40}
	var j Journal
	var progress []string
	err := a.Ask(context.Background(), questionsAbout("a", "a", "b"), &j, func(done, total int64) {
		progress = append(progress, fmt.Sprintf("%d/%d", done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"1/3", "2/3", "3/3"}, progress); d != "" {
		t.Errorf("progress (-want +got)\n%s", d)
	}
	if encoded != 2 || byReference != 2 || len(j.Records) != 3 {
		t.Errorf("%d and %d images encoded, want 2; %d records", encoded, byReference, len(j.Records))
	}
	const answer, reference, tokens = "101010 answer en what", "111111 answer en what", 22
	for i, r := range j.Records {
		if r.Run != "run" || r.Line != i+1 || r.Answer != answer || r.Tokens != tokens || *r.Scores.Exact != 1 {
			t.Errorf("%+v", r)
		}
		images := []int{1, 0, 1}[i]
		if r.Timings.Images != images || (r.Timings.Vision >= 1000) != (images == 1) || r.Timings.PrefillTokens == 0 {
			t.Errorf("line %d: %+v", r.Line, r.Timings)
		}
		// The second, fourth and sixth characters differ, and both models are certain of theirs.
		d := r.Against
		if d.Answer != reference || d.Equal || d.Top != tokens-3 || len(d.KL) != tokens || d.KL[0] != 0 ||
			d.KL[1] < 19 {
			t.Errorf("%+v", d)
		}
	}
}

func TestAskFails(t *testing.T) {
	for _, c := range []struct {
		name      string
		questions []Question
		stop      bool
		records   int
		want      string
	}{
		{"bad image", questionsAbout("a", "bad"), false, 1, "q.jsonl: line 2: no image"},
		{"interrupted", questionsAbout("a"), true, 0, context.Canceled.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if c.stop {
				cancel()
			}
			a := Asker{Model: toy(0, new(int)), MaxTokens: 9}
			var j Journal
			err := a.Ask(ctx, c.questions, &j, func(int64, int64) {})
			if err == nil || err.Error() != c.want || len(j.Records) != c.records {
				t.Errorf("%v; %d records", err, len(j.Records))
			}
		})
	}
}

// TestWriteIdentity checks that an identity has the texts of the questions and the sizes of their
// images.
func TestWriteIdentity(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.png")
	q := Question{Image: "a.png", Prefix: `say "x"`, Suffix: References{Texts: []string{"x", "y"}}, Path: path}
	var b strings.Builder
	if err := WriteIdentity(&b, []Question{q}); err == nil {
		t.Error("no error without the image")
	}
	if err := os.WriteFile(path, []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteIdentity(&b, []Question{q, q}); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat(`"a.png" "say \"x\"" ["x" "y"] 4`+"\n", 2); b.String() != want {
		t.Errorf("have %s, want %s", b.String(), want)
	}
}
