package worker_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// TestMain makes the test binary the worker when it is started as one.
func TestMain(m *testing.M) { workertest.TestMain(m) }

func start(t *testing.T, c worker.Command) *worker.Process {
	t.Helper()
	p, err := worker.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); <-p.Dead() })
	return p
}

// solid returns an image of one colour, 0 to 255 each.
func solid(r, g, b float64) *worker.Image {
	side := workertest.Vision.ImageSize
	p := &worker.Image{}
	for _, v := range []float64{r, g, b} {
		for range side * side {
			p.Pixels = append(p.Pixels, float32(v/127.5-1))
		}
	}
	return p
}

func ignore(runner.Step) error { return nil }

func TestGenerate(t *testing.T) {
	p := start(t, workertest.Command(2*time.Second))
	if p.Ready.Vision != workertest.Vision || p.Ready.Vocabulary != 260+1024+128 {
		t.Errorf("%+v", p.Ready)
	}
	red, blue := solid(255, 0, 0), solid(0, 0, 255)
	var streamed strings.Builder
	q := worker.Request{Prompt: "what é", MaxTokens: 100, TopLogprobs: 2}
	each := func(s runner.Step) error { streamed.WriteString(s.Text); return nil }
	r, err := p.Generate(t.Context(), q, []*worker.Image{red, blue}, each)
	if err != nil || r.Text != "ff0000 0000ff what é" || streamed.String() != r.Text {
		t.Fatalf("%v: %+v, streamed %q", err, r, streamed.String())
	}
	last := r.Steps[len(r.Steps)-1]
	if last.Token != paligemma.EOS || len(last.Top) != 2 || math.Abs(last.Logprob) > 1e-3 ||
		len(r.PrefixTokens) != 1+len("what é")+1 || r.Timings.DecodeTokens != len(r.Tokens) ||
		r.Timings.PrefillTokens != 8+len(r.PrefixTokens) || r.Timings.Vision == 0 {
		t.Errorf("%+v, %+v, prefix %v", last, r.Timings, r.PrefixTokens)
	}

	// What was encoded is not encoded again, and the answer is the same.
	known := []*worker.Image{{Embeddings: red.Embeddings}, {Embeddings: blue.Embeddings}}
	again, err := p.Generate(t.Context(), q, known, ignore)
	if err != nil || again.Timings.Vision != 0 || cmp.Diff(r.Steps, again.Steps) != "" {
		t.Errorf("%v: %+v", err, again)
	}
	strict := worker.Request{Prompt: "detect cat", MaxTokens: 50, Strict: &worker.Strict{Labels: []string{"cat"}}}
	r, err = p.Generate(t.Context(), strict, []*worker.Image{red}, ignore)
	either := []string{"<loc0255><loc0255><loc1023><loc1023> cat", "<loc0255><loc0000><loc1023><loc1023> cat"}
	if err != nil || !slices.Contains(either, r.Text) {
		t.Errorf("strict: %v: %+v", err, r)
	}
}

// A request can fail in ways that leave the worker alive.
func TestGenerateFails(t *testing.T) {
	p := start(t, workertest.Command(2*time.Second))
	pid := p.Pid()
	enough := errors.New("enough")
	strict := worker.Request{Prompt: "detect cat", MaxTokens: 5, Strict: &worker.Strict{Labels: []string{"cat"}}}
	slow := worker.Request{Prompt: "slow 20 " + strings.Repeat("a", 200), MaxTokens: 500}
	refused := func(err error) bool { var r runner.InvalidRequestError; return errors.As(err, &r) }
	for _, c := range []struct {
		name    string
		timeout time.Duration
		request worker.Request
		each    func(runner.Step) error
		failed  func(error) bool
	}{
		{"refused", time.Minute, worker.Request{Prompt: "refuse", MaxTokens: 5}, ignore,
			func(err error) bool { return refused(err) && err.Error() == "this cannot be asked" }},
		{"failed", time.Minute, worker.Request{Prompt: "fail", MaxTokens: 5}, ignore,
			func(err error) bool { return errors.Is(err, worker.ErrFailed) }},
		{"strict", time.Minute, strict, ignore, refused},
		{"client gone", 50 * time.Millisecond, slow, ignore,
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"stream closed", time.Minute, slow, func(runner.Step) error { return enough },
			func(err error) bool { return err == enough }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			defer cancel()
			start := time.Now()
			if _, err := p.Generate(ctx, c.request, []*worker.Image{solid(1, 2, 3)}, c.each); err == nil ||
				!c.failed(err) {
				t.Error(err)
			}
			if took := time.Since(start); took > 500*time.Millisecond {
				t.Error(took)
			}
			hi := worker.Request{Prompt: "hi", MaxTokens: 50}
			r, err := p.Generate(t.Context(), hi, []*worker.Image{solid(1, 2, 3)}, ignore)
			if err != nil || r.Text != "010203 hi" {
				t.Fatalf("the next: %v", err)
			}
		})
	}
	if p.Pid() != pid {
		t.Error("another process")
	}
}

// Whatever happens to a worker is reported within its stall limit, with its cause.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ fault, cause string }{
		{"abort", worker.Crash}, {"segv", worker.Crash}, {"kill", worker.Crash}, {"exit", worker.Crash},
		{"panic", worker.Crash}, {"hang", worker.Hang}, {"stop", worker.Hang}, {"garbage", worker.Protocol},
		{"partial", worker.Crash},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			p, err := worker.Start(t.Context(), workertest.Command(1500*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			q := worker.Request{Prompt: "fault " + c.fault, MaxTokens: 50}
			_, err = p.Generate(t.Context(), q, []*worker.Image{solid(1, 2, 3)}, ignore)
			var f *worker.Fault
			if !errors.As(err, &f) || f.Cause != c.cause {
				t.Errorf("%v, want cause %s", err, c.cause)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
			<-p.Dead()
		})
	}
}

// A worker that computes for longer than the stall limit and sends heartbeats is not lost.
func TestSlowIsNoHang(t *testing.T) {
	p := start(t, workertest.Command(2*time.Second))
	q := worker.Request{Prompt: "slow 300 " + strings.Repeat("a", 8), MaxTokens: 12}
	r, err := p.Generate(t.Context(), q, []*worker.Image{solid(1, 2, 3)}, ignore)
	if err != nil || len(r.Tokens) != 12 {
		t.Errorf("%v: %+v", err, r)
	}
}

// A reader that takes each token slowly, as the client of a stream may, is not the worker's fault.
func TestSlowReaderIsNoHang(t *testing.T) {
	p := start(t, workertest.Command(300*time.Millisecond))
	slow := func(runner.Step) error { time.Sleep(600 * time.Millisecond); return nil }
	r, err := p.Generate(t.Context(), worker.Request{Prompt: "hi", MaxTokens: 3}, []*worker.Image{solid(1, 2, 3)}, slow)
	if err != nil || len(r.Tokens) != 3 {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestStartFails(t *testing.T) {
	var f *worker.Fault
	_, err := worker.Start(t.Context(), workertest.Command(time.Second, "PALI_TOY_LOAD=fail"))
	if !errors.As(err, &f) || f.Cause != worker.Load || !strings.Contains(err.Error(), "no model") {
		t.Errorf("no model: %v", err)
	}
	c := workertest.Command(time.Second, "PALI_TOY_LOAD=10s")
	c.Load = 100 * time.Millisecond
	if _, err := worker.Start(t.Context(), c); !errors.As(err, &f) || f.Cause != worker.Hang {
		t.Errorf("slow: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = worker.Start(ctx, workertest.Command(time.Second, "PALI_TOY_LOAD=10s"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := worker.Start(t.Context(), worker.Command{Path: "/nowhere", Load: time.Second}); !errors.As(err, &f) {
		t.Errorf("no program: %v", err)
	}
	_, err = worker.Start(t.Context(), worker.Command{Path: "/bin/true", Load: time.Second})
	if !errors.As(err, &f) || f.Cause != worker.Crash {
		t.Errorf("another program: %v", err)
	}
}
