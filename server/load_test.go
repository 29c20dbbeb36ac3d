package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/server/worker/workertest"
)

// askWithRetry asks until the queue has room, and counts how often it had none.
func (s *running) askWithRetry(n int, prompt string, refused *atomic.Int64) (got, error) {
	for {
		body, kind := form(solidPNG(colour(n)), "prompt", prompt)
		g, err := s.send(context.Background(), "POST", "/v1/run", body,
			"Content-Type", kind, "User-Agent", fmt.Sprint("client ", n))
		if err != nil || g.code() != "queue_full" {
			return g, err
		}
		if g.status != 503 || g.header.Get("Retry-After") == "" {
			return g, fmt.Errorf("refused so: %+v", g)
		}
		refused.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

// Every client gets its own answer, however many there are; what is refused is refused by the
// queue.
func TestLoad(t *testing.T) {
	for _, clients := range []int{1, 8, 32, 128} {
		s := serve(t, func(o *Options) {
			o.Parallel, o.Queue = 2, 32
			o.Models[0].Start = engine.Process(workertest.Command(10 * time.Second)) // clients and workers share the cores
		})
		var wrong, refused atomic.Int64
		var wg sync.WaitGroup
		for n := range clients {
			wg.Go(func() {
				for i := range 5 {
					prompt := fmt.Sprintf("question %d of %d", i, n)
					g, err := s.askWithRetry(n, prompt, &refused)
					if err != nil || g.status != 200 || !strings.Contains(g.body, answered(n, prompt)+`"`) {
						wrong.Add(1)
						t.Logf("client %d: %v, %+v", n, err, g)
					}
				}
			})
		}
		wg.Wait()
		starts := s.metric("worker_starts_total")
		if wrong.Load() > 0 || clients < 32 && refused.Load() > 0 || starts > 2 || s.faults() > 0 {
			t.Errorf("%d clients: %d wrong, %d refused, %v workers, %v lost",
				clients, wrong.Load(), refused.Load(), starts, s.faults())
		}
		if n := s.metric("answers_total"); n != float64(clients*5) {
			t.Errorf("%v answers to %d questions", n, clients*5)
		}
	}
}

// As many as may wait do, and not one more.
func TestQueueFull(t *testing.T) {
	s := serve(t, func(o *Options) { o.Queue = 3 })
	s.upload("/v1/caption", 0) // the worker is there
	var ok, full atomic.Int64
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			switch g := s.upload("/v1/run", n, "prompt", "slow 15 ab"); {
			case g.status == 200:
				ok.Add(1)
			case g.status == 503 && g.code() == "queue_full" && g.header.Get("Retry-After") != "":
				full.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 4 || full.Load() != 16 {
		t.Errorf("%d answered, %d refused", ok.Load(), full.Load())
	}
}

// idle waits until no request runs.
func (s *running) idle() {
	s.t.Helper()
	for range 500 {
		s.requests.mu.Lock()
		n := s.requests.running
		s.requests.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Error("requests keep running")
}

// A client that goes away costs no worker and makes no other client wait: before its turn, while it
// uploads, and in the middle of an answer.
func TestClientsThatGo(t *testing.T) {
	s := serve(t)
	s.upload("/v1/caption", 0)
	before := runtime.NumGoroutine()
	for i := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		body, kind := form(solidPNG(colour(i)), "prompt", "slow 20 "+strings.Repeat("a", 400), "stream", "true")
		r, _ := http.NewRequestWithContext(ctx, "POST", s.url+"/v1/run", body)
		r.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		waiting, stop := context.WithTimeout(t.Context(), 5*time.Millisecond) // after it in the queue
		body, kind = form(solidPNG(colour(i)), "prompt", "ocr")
		if _, err := s.send(waiting, "POST", "/v1/run", body, "Content-Type", kind); err == nil {
			t.Error("answered before its turn")
		}
		stop()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "POST /v1/run HTTP/1.1\r\nHost: localhost\r\n"+
			"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		conn.Close()
		cancel()
		resp.Body.Close()
		start := time.Now()
		g := s.upload("/v1/run", i, "prompt", "next")
		if took := time.Since(start); !strings.Contains(g.body, answered(i, "next")) || took > time.Second {
			t.Fatalf("the next after %v: %+v", took, g)
		}
	}
	s.idle()
	http.DefaultClient.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
	n, starts := runtime.NumGoroutine(), s.metric("worker_starts_total")
	if n > before+5 || starts != 1 || s.faults() > 0 || s.metric("queue_length") != 0 || s.bodies.bytes.Load() != 0 {
		t.Errorf("%d goroutines, %d before; %v workers, %v lost, %v wait, %d bytes",
			n, before, starts, s.faults(), s.metric("queue_length"), s.bodies.bytes.Load())
	}
}

// Under load each way of losing a worker, twenty times: its request is lost, with a code,
// and every other gets its answer, the next within five seconds.
func TestFaultsUnderLoad(t *testing.T) {
	times := 20
	if testing.Short() {
		times = 2
	}
	for _, fault := range []string{"segv", "abort", "kill", "hang", "garbage", "partial"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(o *Options) {
				o.Models[0].Start = engine.Process(workertest.Command(300 * time.Millisecond))
			})
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var answers atomic.Int64
			var slowest atomic.Int64
			for n := range 3 {
				wg.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						prompt, start := fmt.Sprintf("question %d of %d", i, n), time.Now()
						g, err := s.askWithRetry(n, prompt, new(atomic.Int64))
						if err != nil || g.status != 200 || !strings.Contains(g.body, answered(n, prompt)+`"`) {
							t.Errorf("client %d: %v, %+v", n, err, g)
						}
						answers.Add(1)
						slowest.Store(max(slowest.Load(), int64(time.Since(start))))
					}
				})
			}
			for range times {
				g := s.upload("/v1/run", 9, "prompt", "fault "+fault)
				if g.status != 503 || g.code() != "worker_lost" || g.header.Get("Retry-After") == "" {
					t.Errorf("%+v", g)
				}
			}
			close(stop)
			wg.Wait()
			if took := time.Duration(slowest.Load()); took > 5*time.Second || answers.Load() < int64(times) {
				t.Errorf("%d answers, the slowest in %v", answers.Load(), took)
			}
			if lost := s.faults(); lost != float64(times) {
				t.Errorf("%v workers lost", lost)
			}
			t.Logf("%d faults, %d other answers, the slowest in %v",
				times, answers.Load(), time.Duration(slowest.Load()).Round(time.Millisecond))
		})
	}
}

// 200 clients that send a byte now and then, and 50 that read none, make no other client wait and
// hold little memory.
func TestSlowClients(t *testing.T) {
	s := serve(t)
	s.upload("/v1/caption", 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	address := strings.TrimPrefix(s.url, "http://")
	request := "POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		"Content-Length: 1000000\r\n\r\n" + strings.Repeat(" ", 1000)
	for i := range 250 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i >= 200 { // asks for much, and reads nothing
			io.WriteString(conn, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 100))
			continue
		}
		go func() { // half stop in the header, half in the body
			for j := range len(request) {
				if i%2 == 1 && j == 0 {
					io.WriteString(conn, request[:200])
				}
				if _, err := conn.Write([]byte{request[j]}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	time.Sleep(300 * time.Millisecond)
	start := time.Now()
	for n := range 20 {
		if g := s.upload("/v1/run", n, "prompt", "ocr"); !strings.Contains(g.body, answered(n, "ocr")) {
			t.Fatalf("%+v", g)
		}
	}
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	if took > 2*time.Second || used > 50<<20 {
		t.Errorf("20 answers in %v, %d bytes", took, used)
	}
	conn, err := net.Dial("tcp", address) // a header that does not come is waited for up to a limit
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\n")
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("a header that does not come: %v", err)
	}
}

// Until a model is loaded the server says so; where none can be, it says that.
func TestLoading(t *testing.T) {
	s := serve(t, func(o *Options) {
		o.Models = []*Model{toy("toy", "PALI_TOY_LOAD=300ms"), toy("bad", "PALI_TOY_LOAD=fail")}
	})
	if g := s.get("/health"); g.status != 503 || g.body != `{"status":"loading"}`+"\n" {
		t.Errorf("%+v", g)
	}
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g := s.get("/health"); g.status != 200 {
		t.Errorf("%+v", g)
	}
	g := s.upload("/v1/caption", 1, "model", "bad")
	if g.status != 503 || g.code() != "model_not_loaded" || strings.Contains(g.body, "secret") {
		t.Errorf("%+v", g)
	}
	if g := s.upload("/v1/caption", 1); g.status != 200 {
		t.Errorf("%+v", g)
	}
	s.Stop()
	if g := s.get("/health"); g.status != 503 || g.body != `{"status":"stopping"}`+"\n" {
		t.Errorf("%+v", g)
	}
}

// The same question has the same answer, a thousand times, alone and beside others.
func TestSameAnswer(t *testing.T) {
	s := serve(t)
	var wg sync.WaitGroup
	for client := range 4 {
		wg.Go(func() {
			for range 250 {
				g, err := s.askWithRetry(7, "what?", new(atomic.Int64))
				if err != nil || !strings.Contains(g.body, answered(7, "what?")) {
					t.Errorf("client %d: %v, %+v", client, err, g)
				}
			}
		})
	}
	wg.Wait()
	if n := s.metric("images_kept"); n != 1 {
		t.Errorf("%v images kept", n)
	}
}
