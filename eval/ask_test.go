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

// toy returns a model that sees every image in one grey from 0 to 255, and answers with it and the
// prompt. encoded counts the images. There is no image "bad".
func toy(grey float32, encoded *int) *runner.ImageCache {
	return &runner.ImageCache{Runner: workertest.New().Runner(), Pixels: func(key string) ([]float32, time.Duration,
		error) {
		if key == "bad" {
			return nil, 0, errors.New("no image")
		}
		*encoded++
		value := grey/127.5 - 1
		return []float32{value, value, value}, time.Second, nil
	}}
}

// about makes questions about images.
func about(images ...string) (all []Question) {
	for i, image := range images {
		suffix := References{Texts: []string{"101010 answer en what"}}
		all = append(all, Question{Image: image, Path: image, Prefix: "answer en what", Suffix: suffix, File: "q.jsonl",
			Line: i + 1})
	}
	return all
}

// An image is encoded once for questions that follow each other, answers are scored, and the
// reference's answer is given to the model.
func TestAsk(t *testing.T) {
	var encoded, byReference int
	a := Asker{Run: "run", Model: toy(0x10, &encoded), Reference: toy(0x11, &byReference), MaxTokens: 40}
	var j Journal
	var progress []string
	err := a.Ask(context.Background(), about("a", "a", "b"), &j, func(done, total int64) {
		progress = append(progress, fmt.Sprintf("%d/%d", done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"1/3", "2/3", "3/3"}, progress); d != "" {
		t.Errorf("progress (-want +got)\n%s", d)
	}
	if encoded != 2 || byReference != 2 || len(j.Rows) != 3 {
		t.Errorf("%d and %d images encoded, want 2; %d rows", encoded, byReference, len(j.Rows))
	}
	const answer, reference, tokens = "101010 answer en what", "111111 answer en what", 22
	for i, r := range j.Rows {
		if r.Run != "run" || r.Line != i+1 || r.Answer != answer || r.Tokens != tokens || *r.Scores.Exact != 1 {
			t.Errorf("%+v", r)
		}
		images := []int{1, 0, 1}[i]
		if r.Timings.Pictures != images || (r.Timings.Vision >= 1000) != (images == 1) || r.Timings.PrefillTokens == 0 {
			t.Errorf("line %d: %+v", r.Line, r.Timings)
		}
		// The second, fourth and sixth characters are others, and both models are sure of theirs.
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
		rows      int
		want      string
	}{
		{"bad image", about("a", "bad"), false, 1, "q.jsonl: line 2: no image"},
		{"interrupted", about("a"), true, 0, context.Canceled.Error()},
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
			if err == nil || err.Error() != c.want || len(j.Rows) != c.rows {
				t.Errorf("%v; %d rows", err, len(j.Rows))
			}
		})
	}
}

// The texts of questions and the sizes of their images tell them apart.
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
