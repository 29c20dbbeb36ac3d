package runner

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
)

// scripted is an Encoder and a Decoder whose answer is written down: it checks the order in which
// it is called.
type scripted struct {
	t            *testing.T
	answer       []int32
	forced       []int32 // what is stepped through, if it is not answer
	at           int
	prefix       []int32
	embeddings   int
	maxNewTokens int
	encoded      int         // images
	stopped      atomic.Bool // set from another goroutine
	hang         func()
}

func (s *scripted) Config() paligemma.VisionConfig {
	return paligemma.VisionConfig{ImageSize: 4, PatchSize: 2, ProjectionDim: 3}
}

func (s *scripted) Encode(pixels []float32) ([]float32, error) {
	if len(pixels) != 3*4*4 {
		s.t.Errorf("%d pixel values", len(pixels))
	}
	s.encoded++
	return make([]float32, 4*3), nil
}

func (s *scripted) Tokenize(text string) ([]int32, error) {
	var out []int32
	for _, r := range text {
		out = append(out, int32(r))
	}
	return out, nil
}

func (s *scripted) logits() []float32 {
	l := make([]float32, 200)
	l[s.answer[s.at]] = 5
	s.at++
	return l
}

func (s *scripted) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	s.embeddings, s.prefix, s.maxNewTokens = len(embeddings), tokens, maxNewTokens
	return s.logits(), nil
}

func (s *scripted) Step(token int32) ([]float32, error) {
	want := s.answer
	if s.forced != nil {
		want = s.forced
	}
	if token != want[s.at-1] {
		s.t.Errorf("step %d with %d, want %d", s.at, token, want[s.at-1])
	}
	if s.hang != nil {
		s.hang()
	}
	if s.stopped.Load() {
		return nil, errors.New("stopped")
	}
	return s.logits(), nil
}

func (s *scripted) Interrupt() { s.stopped.Store(true) }
func (s *scripted) Resume()    { s.stopped.Store(false) }

func pieces() *Vocabulary {
	p, types := make([]string, 200), make([]int32, 200)
	for i := range p {
		p[i], types[i] = string(rune(i)), paligemma.PieceNormal
	}
	p[1], types[1] = "<eos>", paligemma.PieceControl
	p[150], types[150] = "<0xC3>", paligemma.PieceByte
	p[151], types[151] = "<0xA9>", paligemma.PieceByte
	p[152] = "\u2581a"
	return NewVocabulary(p, types)
}

func request(n int) Request {
	return Request{Embeddings: make([]float32, 2*4*3), Prompt: "hi\n", MaxTokens: n, TopLogprobs: 2, Trace: true}
}

func TestGenerate(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'x', 152, 150, 151, paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	var streamed strings.Builder
	out, err := r.Generate(context.Background(), request(10),
		func(s Step) error { streamed.WriteString(s.Text); return nil })
	if err != nil {
		t.Fatal(err)
	}
	// The separator is tokenized alone: after a prompt that ends with a newline it is a token of
	// its own.
	if d := cmp.Diff([]int32{paligemma.BOS, 'h', 'i', '\n', '\n'}, s.prefix); d != "" {
		t.Errorf("prefix (-want +got)\n%s", d)
	}
	if s.embeddings != 2*4*3 || s.maxNewTokens != 10 || out.Timings.PrefillTokens != 2*4+5 ||
		out.Timings.DecodeTokens != 5 {
		t.Errorf("embeddings %d, room for %d tokens, %+v", s.embeddings, s.maxNewTokens, out.Timings)
	}
	if out.Text != "x aé" || streamed.String() != out.Text {
		t.Errorf("text %q, streamed %q", out.Text, streamed.String())
	}
	if d := cmp.Diff(s.answer, out.Tokens); d != "" {
		t.Errorf("tokens (-want +got)\n%s", d)
	}
	if len(out.Logits) != 5 {
		t.Errorf("kept %d rows of logits", len(out.Logits))
	}
	want := 5 - math.Log(math.Exp(5)+199)
	if got := out.Steps[0]; math.Abs(got.Logprob-want) > 1e-12 || len(got.Top) != 2 || got.Top[0].Token != 'x' ||
		got.Top[1].Token != 0 {
		t.Errorf("first step %+v, want logprob %v", got, want)
	}
}

// The interruption of a request that ended does not reach the next one.
func TestInterruptionIsNotCarriedOver(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for i := range 500 {
		s := &scripted{t: t, answer: []int32{'x', 'y', paligemma.EOS}}
		r := &Runner{s, s, pieces()}
		if _, err := r.Generate(ended, request(5), nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("ended: %v", err)
		}
		s.at = 0
		if out, err := r.Generate(context.Background(), request(5), nil); err != nil || out.Text != "xy" {
			t.Fatalf("the next, %d: %v", i, err)
		}
	}
}

// Several images are encoded in order, and the end of ctx is seen.
func TestEncode(t *testing.T) {
	s := &scripted{t: t}
	r := &Runner{s, s, pieces()}
	pixels := make([]float32, 3*4*4)
	embeddings, _, err := r.Encode(context.Background(), pixels, pixels)
	if err != nil || len(embeddings) != 2*4*3 || s.encoded != 2 {
		t.Errorf("%d floats, %d images encoded, %v", len(embeddings), s.encoded, err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, _, err := r.Encode(ended, pixels); !errors.Is(err, context.Canceled) || s.encoded != 2 {
		t.Errorf("ended: %d images encoded, %v", s.encoded, err)
	}
}

func TestImageCache(t *testing.T) {
	s := &scripted{t: t}
	missing := errors.New("no such image")
	c := ImageCache{Runner: &Runner{s, s, pieces()}, Pixels: func(key string) ([]float32, time.Duration, error) {
		if key == "missing" {
			return nil, 0, missing
		}
		return make([]float32, 3*4*4), time.Hour, nil
	}}
	for i, step := range []struct {
		key     string
		encoded int
		err     error
	}{
		{"", 1, nil}, {"", 1, nil}, {"a", 2, nil}, {"a", 2, nil}, {"missing", 2, missing}, {"a", 2, nil},
		{"b", 3, nil}, {"a", 4, nil},
	} {
		before := s.encoded
		embeddings, took, err := c.Encode(context.Background(), step.key)
		if !errors.Is(err, step.err) || s.encoded != step.encoded || err == nil && len(embeddings) != 4*3 {
			t.Errorf("step %d: %d floats, %d images encoded, %v", i, len(embeddings), s.encoded, err)
		}
		if (took >= time.Hour) != (s.encoded > before) {
			t.Errorf("step %d: took %v", i, took)
		}
	}
}

// A forced answer is stepped through whatever the model would choose, EOS within it too, and its
// probabilities are those of its tokens.
func TestScore(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'x', 'y', 'z', 'w'}, forced: []int32{'a', paligemma.EOS, 'b', paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	q := request(1)
	out, err := r.Score(context.Background(), q, s.forced)
	if err != nil || out.Text != "ab" || out.Timings.PrefillTokens != 2*4+5 || s.maxNewTokens != 4 {
		t.Fatalf("%v: %+v, room for %d tokens", err, out, s.maxNewTokens)
	}
	if d := cmp.Diff(s.forced, out.Tokens); d != "" {
		t.Errorf("tokens (-want +got)\n%s", d)
	}
	want := -math.Log(math.Exp(5) + 199)
	for i, step := range out.Steps {
		if math.Abs(step.Logprob-want) > 1e-12 || step.Top[0].Token != s.answer[i] {
			t.Errorf("step %d: %+v, want logprob %v", i, step, want)
		}
	}
	forced, err := r.TokenizeAnswer("hi")
	if err != nil || cmp.Diff([]int32{'h', 'i', paligemma.EOS}, forced) != "" {
		t.Errorf("%v, %v", forced, err)
	}
	s.at = 0
	_, err = r.Score(context.Background(), q, []int32{200})
	if err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("token 200 of 200: %v", err)
	}
	if _, err := r.Score(context.Background(), q, nil); err == nil {
		t.Error("no error for no tokens")
	}
}

func TestIterate(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'a', 'b', 'c', paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	read := func(ctx context.Context, length int) (text string, err error) {
		s.at = 0
		generate := func(each func(Step) error) error {
			_, err := r.Generate(ctx, request(10), each)
			return err
		}
		for step, err := range Iterate(generate) {
			if err != nil {
				return text, err
			}
			if text += step.Text; len(text) == length {
				break
			}
		}
		return text, nil
	}
	if text, err := read(context.Background(), 1); text != "a" || err != nil {
		t.Errorf("stopped: %q, %v", text, err)
	}
	if text, err := read(context.Background(), 10); text != "abc" || err != nil {
		t.Errorf("after that: %q, %v", text, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.hang = cancel
	if text, err := read(ctx, 10); text == "abc" || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %q, %v", text, err)
	}
}

func TestGenerateStops(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'a', 'b', 150}}
	r := &Runner{s, s, pieces()}
	out, err := r.Generate(context.Background(), request(3), func(Step) error { return nil })
	if err != nil || out.Text != "ab\ufffd" {
		t.Errorf("at the limit: %q, %v", out.Text, err)
	}

	s.at = 0
	ctx, cancel := context.WithCancel(context.Background())
	s.hang = cancel
	out, err = r.Generate(ctx, request(3), func(Step) error { return nil })
	if !errors.Is(err, context.Canceled) || out.Text == "ab\ufffd" {
		t.Errorf("cancelled: %q, %v", out.Text, err)
	}

	s.at, s.hang = 0, nil
	full := errors.New("pipe closed")
	if _, err := r.Generate(context.Background(), request(3), func(Step) error { return full }); !errors.Is(err, full) {
		t.Errorf("error from each: %v", err)
	}
}

func TestInvalidRequests(t *testing.T) {
	s := &scripted{t: t, answer: []int32{paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   string
		cause  any // the type of the error within
	}{
		{"no image", func(q *Request) { q.Embeddings = nil }, "no image", nil},
		{"part of an image", func(q *Request) { q.Embeddings = q.Embeddings[1:] }, "23 floats", nil},
		{"prompt", func(q *Request) { q.Prompt = strings.Repeat("a", 8193) },
			"8193 bytes of prompt: at most 8192", new(LimitError)},
		{"Latin-1", func(q *Request) { q.Prompt = "answer de geh\xf6ren" }, "not UTF-8: byte 14 is 0xf6", nil},
		{"cut character", func(q *Request) { q.Prompt = "caf\xc3" }, "not UTF-8: byte 4 is 0xc3", nil},
		{"surrogate", func(q *Request) { q.Prompt = "\xed\xa0\x80" }, "not UTF-8: byte 1 is 0xed", nil},
		{"no tokens", func(q *Request) { q.MaxTokens = 0 }, "max_tokens 0: want 1 to 65536", new(ValueError)},
		{"tokens", func(q *Request) { q.MaxTokens = 1<<16 + 1 }, "max_tokens 65537: want 1 to 65536", new(ValueError)},
		{"logprobs", func(q *Request) { q.TopLogprobs = 101 }, "logprobs 101: want 0 to 100", new(ValueError)},
		{"temperature", func(q *Request) { q.Sampling.Temperature = math.NaN() },
			"temperature NaN: want 0 or more", new(ValueError)},
		{"infinite", func(q *Request) { q.Sampling.Temperature = math.Inf(1) }, "temperature +Inf", new(ValueError)},
		{"top k", func(q *Request) { q.Sampling.TopK = -1 }, "top_k -1: want 0 or more", new(ValueError)},
		{"top p", func(q *Request) { q.Sampling.TopP = 1.5 }, "top_p 1.5: want 0 to 1", new(ValueError)},
		{"min p", func(q *Request) { q.Sampling.MinP = -0.5 }, "min_p -0.5: want 0 to 1", new(ValueError)},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := request(1)
			c.change(&q)
			_, err := r.Generate(context.Background(), q, nil)
			var invalid InvalidRequestError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q: %v", c.want, err)
			}
			if c.cause != nil && !errors.As(err, c.cause) {
				t.Errorf("%v is not a %T", err, c.cause)
			}
		})
	}
	q := request(MaxAnswerTokens)
	q.Sampling, q.TopLogprobs = Sampling{Temperature: 1, TopP: 0, MinP: 1}, MaxTopLogprobs
	if err := q.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLogSumExpRefusesNaN(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := LogSumExp([]float32{1, float32(v)}); err == nil {
			t.Errorf("%v passes", v)
		}
	}
}
