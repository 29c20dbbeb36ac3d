package worker_test

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// TestMain lets the test binary be the worker.
func TestMain(m *testing.M) { workertest.TestMain(m) }

func command(env ...string) worker.Command {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return worker.Command{Path: exe, Env: append(append(os.Environ(), "PALI_TOY=1"), env...), Load: 10 * time.Second, Stall: 2 * time.Second}
}

func start(t *testing.T, env ...string) *worker.Process {
	t.Helper()
	p, err := worker.Start(context.Background(), command(env...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); <-p.Dead() })
	return p
}

// plain is an image of one colour, 0 to 255 each.
func plain(r, g, b float64) *worker.Image {
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

func TestAsk(t *testing.T) {
	p := start(t)
	if p.Ready.Vision != workertest.Vision || p.Ready.Vocabulary != 260+1024+128 {
		t.Errorf("%+v", p.Ready)
	}
	red, blue := plain(255, 0, 0), plain(0, 0, 255)
	var streamed strings.Builder
	ask := worker.Request{Prompt: "what é", MaxTokens: 100, Top: 2}
	r, err := p.Ask(context.Background(), ask, []*worker.Image{red, blue}, func(s runner.Step) error { streamed.WriteString(s.Text); return nil })
	if err != nil || r.Text != "ff0000 0000ff what é" || streamed.String() != r.Text {
		t.Fatalf("%v: %+v, streamed %q", err, r, streamed.String())
	}
	last := r.Steps[len(r.Steps)-1]
	if last.Token != paligemma.EOS || len(last.Top) != 2 || math.Abs(last.Logprob) > 1e-3 || len(r.PrefixTokens) != 1+len("what é")+1 ||
		r.Timings.DecodeTokens != len(r.Tokens) || r.Timings.PrefillTokens != 8+len(r.PrefixTokens) || r.Timings.Vision == 0 {
		t.Errorf("%+v, %+v, prefix %v", last, r.Timings, r.PrefixTokens)
	}

	// What was encoded is not encoded again, and the answer is the same.
	again, err := p.Ask(context.Background(), ask, []*worker.Image{{Rows: red.Rows}, {Rows: blue.Rows}}, ignore)
	if err != nil || again.Timings.Vision != 0 || cmp.Diff(r.Steps, again.Steps) != "" {
		t.Errorf("%v: %+v", err, again)
	}
	strict := worker.Request{Prompt: "detect cat", MaxTokens: 50, Strict: &worker.Strict{Labels: []string{"cat"}}}
	if r, err := p.Ask(context.Background(), strict, []*worker.Image{red}, ignore); err != nil || r.Text != "<loc0255><loc0255><loc1023><loc1023> cat" && r.Text != "<loc0255><loc0000><loc1023><loc1023> cat" {
		t.Errorf("strict: %v: %+v", err, r)
	}
}

// A request can fail in four ways that leave the worker alive.
func TestAskFails(t *testing.T) {
	p := start(t)
	pid := p.Pid()
	var refused runner.InvalidRequestError
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	enough := errors.New("enough")
	for name, c := range map[string]struct {
		ctx    context.Context
		ask    worker.Request
		each   func(runner.Step) error
		failed func(error) bool
	}{
		"refused":       {context.Background(), worker.Request{Prompt: "refuse", MaxTokens: 5}, ignore, func(err error) bool { return errors.As(err, &refused) && err.Error() == "this cannot be asked" }},
		"failed":        {context.Background(), worker.Request{Prompt: "fail", MaxTokens: 5}, ignore, func(err error) bool { return errors.Is(err, worker.ErrFailed) }},
		"strict":        {context.Background(), worker.Request{Prompt: "detect cat", MaxTokens: 5, Strict: &worker.Strict{Labels: []string{"cat"}}}, ignore, func(err error) bool { return errors.As(err, &refused) }},
		"client gone":   {ctx, worker.Request{Prompt: "slow 20 " + strings.Repeat("a", 200), MaxTokens: 500}, ignore, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"stream closed": {context.Background(), worker.Request{Prompt: "slow 20 " + strings.Repeat("a", 200), MaxTokens: 500}, func(runner.Step) error { return enough }, func(err error) bool { return err == enough }},
	} {
		start := time.Now()
		if _, err := p.Ask(c.ctx, c.ask, []*worker.Image{plain(1, 2, 3)}, c.each); err == nil || !c.failed(err) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("%s: %v", name, took)
		}
		if r, err := p.Ask(context.Background(), worker.Request{Prompt: "hi", MaxTokens: 50}, []*worker.Image{plain(1, 2, 3)}, ignore); err != nil || r.Text != "010203 hi" {
			t.Fatalf("after %s: %v", name, err)
		}
	}
	if p.Pid() != pid {
		t.Error("another process")
	}
}

// Whatever happens to a worker is told within its stall limit, with its cause.
func TestFaults(t *testing.T) {
	for fault, cause := range map[string]string{"abort": worker.Crash, "segv": worker.Crash, "kill": worker.Crash, "exit": worker.Crash, "panic": worker.Crash,
		"hang": worker.Hang, "stop": worker.Hang, "garbage": worker.Protocol, "partial": worker.Crash} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := command()
			c.Stall = 1500 * time.Millisecond
			p, err := worker.Start(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = p.Ask(context.Background(), worker.Request{Prompt: "fault " + fault, MaxTokens: 50}, []*worker.Image{plain(1, 2, 3)}, ignore)
			var f *worker.Fault
			if !errors.As(err, &f) || f.Cause != cause {
				t.Errorf("%v, want cause %s", err, cause)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
			<-p.Dead()
		})
	}
}

// A worker that computes for longer than the stall limit and says so is not lost.
func TestSlowIsNoHang(t *testing.T) {
	p := start(t)
	r, err := p.Ask(context.Background(), worker.Request{Prompt: "slow 300 " + strings.Repeat("a", 8), MaxTokens: 12}, []*worker.Image{plain(1, 2, 3)}, ignore)
	if err != nil || len(r.Tokens) != 12 {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestStartFails(t *testing.T) {
	var f *worker.Fault
	if _, err := worker.Start(context.Background(), command("PALI_TOY_LOAD=fail")); !errors.As(err, &f) || f.Cause != worker.Load || !strings.Contains(err.Error(), "no model") {
		t.Errorf("no model: %v", err)
	}
	c := command("PALI_TOY_LOAD=10s")
	c.Load = 100 * time.Millisecond
	if _, err := worker.Start(context.Background(), c); !errors.As(err, &f) || f.Cause != worker.Hang {
		t.Errorf("slow: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := worker.Start(ctx, command("PALI_TOY_LOAD=10s")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
	if _, err := worker.Start(context.Background(), worker.Command{Path: "/nowhere", Load: time.Second}); !errors.As(err, &f) {
		t.Errorf("no program: %v", err)
	}
	if _, err := worker.Start(context.Background(), worker.Command{Path: "/bin/true", Load: time.Second}); !errors.As(err, &f) || f.Cause != worker.Crash {
		t.Errorf("another program: %v", err)
	}
}
