package runner

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
)

// scripted is an Encoder and a Decoder whose answer is written down: it checks the order in which it is called.
type scripted struct {
	t       *testing.T
	answer  []int32
	given   []int32 // what is stepped through, if it is not answer
	at      int
	prefix  []int32
	images  int
	room    int
	stopped atomic.Bool // set from another goroutine
	hang    func()
}

func (s *scripted) Config() paligemma.VisionConfig {
	return paligemma.VisionConfig{ImageSize: 4, PatchSize: 2, ProjectionDim: 3}
}

func (s *scripted) Encode(pixels []float32) ([]float32, error) {
	if len(pixels) != 3*4*4 {
		s.t.Errorf("%d pixel values", len(pixels))
	}
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

func (s *scripted) Prefill(images []float32, tokens []int32, room int) ([]float32, error) {
	s.images, s.prefix, s.room = len(images), tokens, room
	return s.logits(), nil
}

func (s *scripted) Step(token int32) ([]float32, error) {
	want := s.answer
	if s.given != nil {
		want = s.given
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
		p[i], types[i] = string(rune(i)), 1
	}
	p[1], types[1] = "<eos>", controlPiece
	p[150], types[150] = "<0xC3>", bytePiece
	p[151], types[151] = "<0xA9>", bytePiece
	p[152] = "\u2581a"
	return NewVocabulary(p, types)
}

func request(n int) Request {
	return Request{Pictures: []*imageproc.Image{{Width: 1, Height: 1, Pix: []uint8{1, 2, 3}}, {Width: 1, Height: 1, Pix: []uint8{1, 2, 3}}},
		Prompt: "hi\n", Resize: imageproc.Antialias, MaxTokens: n, TopLogprobs: 2, Trace: true}
}

func TestGenerate(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'x', 152, 150, 151, paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	var streamed strings.Builder
	out, err := r.Generate(context.Background(), request(10), func(s Step) error { streamed.WriteString(s.Text); return nil })
	if err != nil {
		t.Fatal(err)
	}
	// The separator stays apart: a prompt that ends with a newline gives two tokens, not a piece of two newlines.
	if d := cmp.Diff([]int32{paligemma.BOS, 'h', 'i', '\n', '\n'}, s.prefix); d != "" {
		t.Errorf("prefix (-want +got)\n%s", d)
	}
	if s.images != 2*4*3 || s.room != 10 || out.Timings.PrefillTokens != 2*4+5 || out.Timings.DecodeTokens != 5 {
		t.Errorf("images %d, room %d, %+v", s.images, s.room, out.Timings)
	}
	if out.Text != "x aé" || streamed.String() != out.Text {
		t.Errorf("text %q, streamed %q", out.Text, streamed.String())
	}
	if d := cmp.Diff(s.answer, out.Tokens); d != "" {
		t.Errorf("tokens (-want +got)\n%s", d)
	}
	if len(out.Logits) != 5 || len(out.Pixels) != 2*48 || len(out.Embeddings) != 24 {
		t.Errorf("kept %d rows, %d pixels, %d embeddings", len(out.Logits), len(out.Pixels), len(out.Embeddings))
	}
	want := 5 - math.Log(math.Exp(5)+199)
	if got := out.Steps[0]; math.Abs(got.Logprob-want) > 1e-12 || len(got.Top) != 2 || got.Top[0].Token != 'x' || got.Top[1].Token != 0 {
		t.Errorf("first step %+v, want logprob %v", got, want)
	}
}

// The interruption of a request that ended does not reach the next one.
func TestEndedRequestLeavesTheNextAlone(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for i := range 500 {
		s := &scripted{t: t, answer: []int32{'x', 'y', paligemma.EOS}}
		r := &Runner{s, s, pieces()}
		if _, err := r.EncodePixels(ended, make([]float32, 3*4*4)); !errors.Is(err, context.Canceled) {
			t.Fatalf("ended: %v", err)
		}
		if out, err := r.Generate(context.Background(), request(5), func(Step) error { return nil }); err != nil || out.Text != "xy" {
			t.Fatalf("the next, %d: %v", i, err)
		}
	}
}

// A given answer is stepped through whatever the model would choose, EOS within it too, and its probabilities are those of its tokens.
func TestGenerateGivenAnswer(t *testing.T) {
	s := &scripted{t: t, answer: []int32{'x', 'y', 'z', 'w'}, given: []int32{'a', paligemma.EOS, 'b', paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	q := request(1)
	images, err := r.Encode(context.Background(), q.Pictures, q.Resize)
	if err != nil || len(images) != 2*4*3 {
		t.Fatalf("%d values, %v", len(images), err)
	}
	if one, err := r.EncodePixels(context.Background(), make([]float32, 3*4*4)); err != nil || len(one) != 4*3 {
		t.Errorf("from pixels: %d values, %v", len(one), err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := r.EncodePixels(ended, make([]float32, 3*4*4)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	q.Pictures, q.Images, q.Forced = nil, images, s.given
	out, err := r.Generate(context.Background(), q, func(Step) error { return nil })
	if err != nil || out.Text != "ab" || out.Timings.PrefillTokens != 2*4+5 || s.room != 4 {
		t.Fatalf("%v: %+v, room %d", err, out, s.room)
	}
	if d := cmp.Diff(s.given, out.Tokens); d != "" {
		t.Errorf("tokens (-want +got)\n%s", d)
	}
	want := -math.Log(math.Exp(5) + 199)
	for i, step := range out.Steps {
		if math.Abs(step.Logprob-want) > 1e-12 || step.Top[0].Token != s.answer[i] {
			t.Errorf("step %d: %+v, want logprob %v", i, step, want)
		}
	}
	if q.Forced, err = r.TokenizeAnswer("hi"); err != nil || cmp.Diff([]int32{'h', 'i', paligemma.EOS}, q.Forced) != "" {
		t.Errorf("%v, %v", q.Forced, err)
	}
	s.at, q.Forced = 0, []int32{200}
	if _, err := r.Generate(context.Background(), q, nil); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("token 200 of 200: %v", err)
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

func TestGenerateRefuses(t *testing.T) {
	s := &scripted{t: t, answer: []int32{paligemma.EOS}}
	r := &Runner{s, s, pieces()}
	for want, change := range map[string]func(*Request){
		"no image":  func(q *Request) { q.Pictures = nil },
		"1 or more": func(q *Request) { q.MaxTokens = 0 },
	} {
		q := request(1)
		change(&q)
		if _, err := r.Generate(context.Background(), q, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestLogSumRefusesWhatIsNoNumber(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := logSum([]float32{1, float32(v)}); err == nil {
			t.Errorf("%v passes", v)
		}
	}
}
