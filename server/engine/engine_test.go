package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// TestMain makes the test binary the worker when it is started as one.
func TestMain(m *testing.M) { workertest.TestMain(m) }

// toy is a model whose worker is this test binary. None of these tests waits for a worker that hangs;
// on a busy machine one that does not can seem to for a second.
func toy(name string) *Model {
	return &Model{Name: name, Vision: workertest.Vision, Memory: 1000,
		Start: Process(workertest.Command(10 * time.Second))}
}

func newEngine(t *testing.T, change func(o *Options)) *Engine {
	o := Options{Parallel: 1, Queue: 32, KeepAlive: time.Minute, ImageCache: 1 << 20, MaxTokens: 1024,
		Timeout: time.Minute, Limits: imageproc.DefaultLimits}
	change(&o)
	e := New(o)
	t.Cleanup(e.Close)
	return e
}

// grey is an image of one colour, with equal red, green and blue.
func grey(level uint8) *Image {
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = level
	}
	var b bytes.Buffer
	png.Encode(&b, img)
	return &Image{Data: b.Bytes()}
}

func ignore(runner.Step) error { return nil }

// ask sends a prompt about a grey image, and checks the answer.
func ask(t *testing.T, e *Engine, m *Model, level uint8, prompt string) {
	t.Helper()
	q := &Request{Model: m, Images: []*Image{grey(level)}, Prompt: prompt, Resize: imageproc.Antialias, MaxTokens: 100}
	want := strings.Repeat(fmt.Sprintf("%02x", level), 3) + " " + prompt
	if r, err := e.Generate(t.Context(), q, ignore); err != nil || r.Text != want {
		t.Errorf("%v, want %q", err, want)
	} else if q.Images[0].Width != 40 || q.Images[0].Height != 30 {
		t.Errorf("%d x %d", q.Images[0].Width, q.Images[0].Height)
	}
}

// Two models share the memory: the one that is not used makes room.
func TestMemory(t *testing.T) {
	e := newEngine(t, func(o *Options) { o.Memory, o.Parallel = 2500, 4 })
	models := []*Model{toy("toy"), toy("other"), toy("third")}
	loaded := func() string {
		var names []string
		for _, m := range models {
			if _, ok := e.Loaded()[m]; ok {
				names = append(names, m.Name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, c := range []struct {
		ask  int
		want string
	}{{0, "toy"}, {1, "toy other"}, {2, "other third"}, {1, "other third"}, {0, "toy other"}} {
		if ask(t, e, models[c.ask], 1, "caption en"); loaded() != c.want {
			t.Errorf("%s: loaded: %s, want %s", models[c.ask].Name, loaded(), c.want)
		}
	}
	var wg sync.WaitGroup // more at a time than there is memory for
	for n := range 30 {
		wg.Go(func() { ask(t, e, models[n%3], uint8(n), "slow 1 "+models[n%3].Name) })
	}
	wg.Wait()
	if e.pool.taken > 2500 || e.pool.taken < 1000 || len(e.metrics.faults) > 0 {
		t.Errorf("%d taken, faults %v", e.pool.taken, e.metrics.faults)
	}
}

// A request that is cancelled, while it waits or in the middle of its answer, costs no worker and
// no slot.
func TestCancelled(t *testing.T) {
	e := newEngine(t, func(*Options) {})
	m := toy("toy")
	for i := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			q := &Request{Model: m, Images: []*Image{grey(1)}, Prompt: "slow 20 " + strings.Repeat("a", 200),
				MaxTokens: 500,
				Resize:    imageproc.Antialias}
			waiting := false
			_, err := e.Generate(ctx, q, func(runner.Step) error {
				if waiting {
					return nil
				}
				waiting = true
				wg.Go(func() {
					late, stop := context.WithTimeout(t.Context(), 5*time.Millisecond)
					defer stop()
					q := &Request{Model: m, Images: []*Image{grey(2)}, Prompt: "ocr", MaxTokens: 5,
						Resize: imageproc.Antialias}
					if _, err := e.Generate(late, q, ignore); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("while another runs: %v", err)
					}
					cancel()
				})
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		wg.Wait()
		ask(t, e, m, uint8(i), "next")
	}
	if e.queue.free != 1 || e.queue.admitted != 0 || e.queue.length() != 0 || e.metrics.starts != 1 ||
		len(e.metrics.faults) > 0 {
		t.Errorf("%d free, %d admitted, %d wait, %d workers, faults %v",
			e.queue.free, e.queue.admitted, e.queue.length(), e.metrics.starts, e.metrics.faults)
	}
}

// What is refused or lost has an error of its own type.
func TestErrors(t *testing.T) {
	e := newEngine(t, func(*Options) {})
	m := toy("toy")
	lost := &Model{Name: "lost", Start: func(context.Context) (Worker, error) {
		return nil, &worker.Fault{Cause: worker.Load, Loading: true, Err: errors.New("no such machine")}
	}}
	invalid := func(err error) bool { var r runner.InvalidRequestError; return errors.As(err, &r) }
	isLost := func(err error) bool { var l *ErrWorkerLost; return errors.As(err, &l) }
	for _, c := range []struct {
		name   string
		change func(q *Request)
		is     func(error) bool
	}{
		{"no model", func(q *Request) { q.Model = nil }, func(err error) bool { return errors.Is(err, ErrNoModel) }},
		{"no image", func(q *Request) { q.Images = nil }, func(err error) bool { return errors.Is(err, ErrNoImage) }},
		{"not an image", func(q *Request) { q.Images[0].Data = []byte("hello") }, invalid},
		{"no tokens", func(q *Request) { q.MaxTokens = 0 }, invalid},
		{"refused by the worker", func(q *Request) { q.Prompt = "refuse" }, invalid},
		{"failed", func(q *Request) { q.Prompt = "fail" },
			func(err error) bool { return errors.Is(err, ErrModelFailed) }},
		{"lost", func(q *Request) { q.Prompt = "fault kill" }, isLost},
		{"lost while loading", func(q *Request) { q.Model = lost }, isLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := &Request{Model: m, Images: []*Image{grey(1)}, Prompt: "ocr", MaxTokens: 10,
				Resize: imageproc.Antialias}
			c.change(q)
			if _, err := e.Generate(t.Context(), q, ignore); !c.is(err) {
				t.Errorf("%v", err)
			}
		})
	}
	if have := fmt.Sprint(e.metrics.faults); have != "map[crash:1 load:1]" {
		t.Errorf("faults %s", have)
	}
	e.Close()
	q := &Request{Model: m, Images: []*Image{grey(1)}, Prompt: "ocr", MaxTokens: 10, Resize: imageproc.Antialias}
	if _, err := e.Generate(t.Context(), q, ignore); !errors.Is(err, ErrStopping) {
		t.Errorf("closed: %v", err)
	}
}

// The cache stays within its bytes and drops the least recently used.
func TestCache(t *testing.T) {
	c := newCache(3 * (400 + 256))
	key := func(n int) cacheKey { return cacheKeyOf(toy("toy"), []byte{byte(n)}, "antialias") }
	for n := range 5 {
		c.put(&encoded{key: key(n), embeddings: make([]float32, 100)})
		c.get(key(0))
	}
	n, bytes := c.size()
	if n != 3 || bytes != 3*(400+256) || c.get(key(0)) == nil || c.get(key(1)) != nil || c.get(key(4)) == nil {
		t.Errorf("%d images, %d bytes", n, bytes)
	}
	c.put(&encoded{key: key(9), embeddings: make([]float32, 1000)}) // larger than all of it
	if n, _ := c.size(); n != 3 {
		t.Errorf("%d images", n)
	}
	if cacheKeyOf(toy("other"), []byte{0}, "antialias") == key(0) {
		t.Error("another model has the same key")
	}
	if cacheKeyOf(toy("toy"), []byte{0}, "bicubic") == key(0) {
		t.Error("another resize has the same key")
	}
}
