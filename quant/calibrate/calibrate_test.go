package calibrate

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

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/eval"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/quant"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// model is a toy model and its own collector: the vision matrix gets, for each image, a row with
// its number, the text matrix a row for each call of the decoder.
type model struct {
	*workertest.Model
	vision []float64
	rows   int64
	paused bool
	asked  func(n int) error // called before question n of this model, from 1
	n      int
	given  []int32 // tokens, after the prompts
}

func (m *model) Encode(pixels []float32) ([]float32, error) {
	if !m.paused {
		m.vision = append(m.vision, float64(pixels[0]))
	}
	return m.Model.Encode(pixels)
}

func (m *model) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	m.n++
	if m.asked != nil {
		if err := m.asked(m.n); err != nil {
			return nil, err
		}
	}
	m.rows++
	return m.Model.Prefill(embeddings, tokens, maxNewTokens)
}

func (m *model) Step(token int32) ([]float32, error) {
	m.rows++
	m.given = append(m.given, token)
	return m.Model.Step(token)
}

func (m *model) Pause(paused bool) { m.paused = paused }

func (m *model) Take() (all []ggml.SumSquares, err error) {
	for _, v := range m.vision {
		all = append(all, ggml.SumSquares{Name: "v", Rows: 1, Sums: []float64{v / 3}})
	}
	all = append(all, ggml.SumSquares{Name: "t", Rows: m.rows, Sums: []float64{float64(m.rows), 1}})
	m.vision, m.rows = nil, 0
	return all, nil
}

func (m *model) cache() *runner.ImageCache {
	m.Model = workertest.New()
	return &runner.ImageCache{
		Runner: &runner.Runner{Encoder: m, Decoder: m, Vocabulary: m.Model.Runner().Vocabulary},
		Pixels: func(key string) (pixels []float32, took time.Duration, err error) {
			var n float32
			_, err = fmt.Sscan(key, &n)
			return []float32{n, n, n}, 0, err
		},
	}
}

// options returns questions about the images 1, 1, 2, 2 and 3; every second question has an answer.
func options(t *testing.T) Options {
	o := Options{Dataset: "q.jsonl", MaxTokens: 4, ID: "run", State: filepath.Join(t.TempDir(), "state"), SaveEvery: 2}
	for i, image := range []string{"1", "1", "2", "2", "3"} {
		q := eval.Question{Path: image, Prefix: "p", File: "q.jsonl", Line: i + 1}
		if i%2 == 1 {
			q.Suffix.Texts = []string{"xy"}
		}
		o.Questions = append(o.Questions, q)
	}
	return o
}

// ask begins a run of o and asks m.
func ask(o Options, m *model) (r *Run, sums *quant.Imatrix, err error) {
	if r, err = Begin(o); err != nil {
		return nil, nil, err
	}
	sums, err = r.Ask(context.Background(), m.cache(), m, func(int64, int64) {})
	return r, sums, err
}

func TestAsk(t *testing.T) {
	m := &model{}
	_, sums, err := ask(options(t), m)
	if err != nil {
		t.Fatal(err)
	}
	// Three images are encoded once each. A question takes a row for the prefix and one for each
	// token but the last: of four that the model chooses, or of "xy" and EOS.
	want := &quant.Imatrix{Datasets: []string{"q.jsonl"}, Chunks: 5, Squares: []ggml.SumSquares{
		{Name: "t", Rows: 18, Sums: []float64{18, 5}},
		{Name: "v", Rows: 3, Sums: []float64{1./3 + 2./3 + 3./3}},
	}}
	if d := cmp.Diff(want, sums); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	given, err := m.Tokenize("xy")
	if d := cmp.Diff(given, m.given[3:5]); err != nil || d != "" {
		t.Errorf("given for the second question: %v (-want +got)\n%s", err, d)
	}
}

// TestResumes checks that, wherever a run stops, the next one asks the remaining questions, does
// not collect an image a second time, and returns the same sums.
func TestResumes(t *testing.T) {
	_, want, err := ask(options(t), &model{})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for stop := 1; stop <= 5; stop++ {
		t.Run(fmt.Sprint("question ", stop), func(t *testing.T) {
			o := options(t)
			first := &model{asked: func(n int) error {
				if n == stop {
					return broken
				}
				return nil
			}}
			_, _, err := ask(o, first)
			if line := fmt.Sprintf("q.jsonl: line %d: ", stop); !errors.Is(err, broken) ||
				!strings.HasPrefix(err.Error(), line) {
				t.Fatalf("%v, want %s", err, line)
			}
			second := &model{}
			r, have, err := ask(o, second)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, have); d != "" || r.Resumed() != stop-1 || second.n != 5-(stop-1) {
				t.Errorf("%d resumed, %d asked (-want +got)\n%s", r.Resumed(), second.n, d)
			}
			if err := errors.Join(r.RemoveState(), r.RemoveState()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSaves checks that the state is saved after every SaveEvery questions, but not after the last.
func TestSaves(t *testing.T) {
	o := options(t)
	o.SaveEvery = 1
	var saved []int
	m := &model{asked: func(int) error {
		n := 0
		if f, err := gguf.Open(o.State); err == nil {
			defer f.Close()
			s, err := quant.ReadImatrix(f)
			if err != nil {
				return err
			}
			n = s.Chunks
		}
		saved = append(saved, n)
		return nil
	}}
	r, err := Begin(o)
	if err != nil {
		t.Fatal(err)
	}
	var progress []string
	_, err = r.Ask(context.Background(), m.cache(), m, func(done, total int64) {
		progress = append(progress, fmt.Sprintf("%d/%d", done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0, 1, 2, 3, 4}, saved); d != "" {
		t.Errorf("saved before each question (-want +got)\n%s", d)
	}
	if d := cmp.Diff([]string{"0/5", "1/5", "2/5", "3/5", "4/5", "5/5"}, progress); d != "" {
		t.Errorf("progress (-want +got)\n%s", d)
	}
	if again, err := Begin(o); err != nil || again.Resumed() != 4 {
		t.Errorf("%+v: %v", again, err)
	}
}

func TestBeginRefuses(t *testing.T) {
	left := func(t *testing.T) Options {
		o := options(t)
		_, _, err := ask(o, &model{asked: func(n int) error {
			if n == 4 {
				return errors.New("broken")
			}
			return nil
		}})
		if err == nil {
			t.Fatal("no error")
		}
		return o
	}
	for _, c := range []struct {
		name   string
		change func(o *Options) error
		want   string // "": begins at the first question
	}{
		{"another run", func(o *Options) error { o.ID = "other"; return nil },
			"is of a stopped run with other questions"},
		{"another run, forced", func(o *Options) error { o.ID, o.Force = "other", true; return nil }, ""},
		{"fewer questions", func(o *Options) error { o.Questions = o.Questions[:2]; return nil },
			"3 questions were asked, there are 2"},
		{"not a GGUF file", func(o *Options) error { return os.WriteFile(o.State, []byte("words"), 0o600) }, "state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := left(t)
			if err := c.change(&o); err != nil {
				t.Fatal(err)
			}
			r, err := Begin(o)
			switch {
			case c.want == "" && (err != nil || r.Resumed() != 0):
				t.Errorf("%v: %+v", err, r)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
