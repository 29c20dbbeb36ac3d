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

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// fixed is a model that gives one answer, whatever it is asked, unless it is given other tokens.
type fixed struct {
	answer  string // a token is a byte
	sure    float32
	at      int
	encoded int // images
	begun   func()
}

const fixedTokens = 200

func (f *fixed) Config() paligemma.VisionConfig {
	return paligemma.VisionConfig{ImageSize: 1, PatchSize: 1, ProjectionDim: 1}
}

func (f *fixed) Encode(pixels []float32) ([]float32, error) {
	f.encoded++
	return make([]float32, 1), nil
}

func (f *fixed) Tokenize(text string) (tokens []int32, err error) {
	for _, b := range []byte(text) {
		tokens = append(tokens, int32(b))
	}
	return tokens, nil
}

func (f *fixed) logits() []float32 {
	l := make([]float32, fixedTokens)
	token := int32(paligemma.EOS)
	if f.at < len(f.answer) {
		token = int32(f.answer[f.at])
	}
	l[token] = f.sure
	f.at++
	return l
}

func (f *fixed) Prefill([]float32, []int32, int) ([]float32, error) {
	if f.begun != nil {
		f.begun()
	}
	f.at = 0
	return f.logits(), nil
}

func (f *fixed) Step(int32) ([]float32, error) { return f.logits(), nil }
func (f *fixed) Interrupt()                    {}
func (f *fixed) Resume()                       {}

// cache returns the model as an Asker takes it.
func (f *fixed) cache() *runner.ImageCache {
	pieces, types := make([]string, fixedTokens), make([]int32, fixedTokens)
	for i := range pieces {
		pieces[i], types[i] = string(rune(i)), paligemma.PieceNormal
	}
	pieces[paligemma.EOS], types[paligemma.EOS] = "<eos>", paligemma.PieceControl
	return &runner.ImageCache{
		Runner: &runner.Runner{Encoder: f, Decoder: f, Vocabulary: runner.NewVocabulary(pieces, types)},
		Pixels: func(key string) ([]float32, time.Duration, error) {
			if key == "bad" {
				return nil, 0, errors.New("no image")
			}
			return nil, time.Second, nil
		},
	}
}

// about makes questions about images.
func about(images ...string) (all []Question) {
	for i, image := range images {
		suffix := References{Texts: []string{"red"}}
		all = append(all, Question{Image: image, Path: image, Prefix: "answer en what", Suffix: suffix, File: "q.jsonl", Line: i + 1})
	}
	return all
}

// An image is encoded once for questions that follow each other, answers are scored, and the
// reference's answer is given to the model.
func TestAsk(t *testing.T) {
	model, reference := &fixed{answer: "red", sure: 20}, &fixed{answer: "rot", sure: 20}
	a := Asker{Run: "run", Model: model.cache(), Reference: reference.cache(), MaxTokens: 9}
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
	if model.encoded != 2 || reference.encoded != 2 {
		t.Errorf("%d and %d images encoded, want 2", model.encoded, reference.encoded)
	}
	for i, r := range j.Rows {
		if r.Run != "run" || r.Line != i+1 || r.Answer != "red" || r.Tokens != 4 || *r.Scores.Exact != 1 {
			t.Errorf("%+v", r)
		}
		pictures := []int{1, 0, 1}[i]
		if r.Timings.Pictures != pictures || (r.Timings.Vision >= 1000) != (pictures == 1) || r.Timings.PrefillTokens == 0 {
			t.Errorf("line %d: %+v", r.Line, r.Timings)
		}
		// r is the most probable of both, then e against o, d against t, and both end.
		if d := r.Against; d.Answer != "rot" || d.Equal || d.Top != 2 || len(d.KL) != 4 || d.KL[0] != 0 || d.KL[1] < 19 || d.KL[3] != 0 {
			t.Errorf("%+v", r.Against)
		}
	}
}

func TestAskFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	for _, c := range []struct {
		name      string
		model     *fixed
		questions []Question
		rows      int
		want      string
	}{
		{"bad image", &fixed{answer: "red"}, about("a", "bad"), 1, "q.jsonl: line 2: no image"},
		{"interrupted", &fixed{answer: "red", begun: cancel}, about("a"), 0, context.Canceled.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := Asker{Model: c.model.cache(), MaxTokens: 9}
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
