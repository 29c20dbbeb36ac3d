package server

// This file: /metrics, in Prometheus's text form. Before it: what happens. After it: numbers, without paths, prompts or names of clients.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// metrics counts. Safe for concurrent use.
type metrics struct {
	mu       sync.Mutex
	requests map[[2]string]int64 // by route and status
	faults   map[string]int64    // by cause
	starts   int64
	images   [2]int64 // to be encoded, kept
	tokens   [2]int64 // of prefixes, of answers
	answers  int64
	stages   [5]time.Duration // of answers, as stageNames
	running  int64
}

var stageNames = [5]string{"queue", "load", "vision", "prefill", "decode"}

func newMetrics() *metrics {
	return &metrics{requests: map[[2]string]int64{}, faults: map[string]int64{}}
}

func (m *metrics) count(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *metrics) started() { m.count(func() { m.starts++ }) }

func (m *metrics) lost(cause string) { m.count(func() { m.faults[cause]++ }) }

func (m *metrics) begin() { m.count(func() { m.running++ }) }

// end counts a request. route is the pattern that served it, "" if none did.
func (m *metrics) end(route string, status int) {
	m.count(func() {
		m.running--
		m.requests[[2]string{route, fmt.Sprint(status)}]++
	})
}

func (m *metrics) image(kept bool) {
	m.count(func() {
		if kept {
			m.images[1]++
		} else {
			m.images[0]++
		}
	})
}

func (m *metrics) answered(r *reply) {
	m.count(func() {
		m.answers++
		m.tokens[0] += int64(r.Timings.PrefillTokens)
		m.tokens[1] += int64(r.Timings.DecodeTokens)
		for i, d := range []time.Duration{r.queued, r.load, r.Timings.Vision, r.Timings.Prefill, r.Timings.Decode} {
			m.stages[i] += d
		}
	})
}

// exposition writes Prometheus's text form.
type exposition struct{ strings.Builder }

func (e *exposition) head(name, kind, help string) {
	fmt.Fprintf(e, "# HELP pali_%s %s\n# TYPE pali_%[1]s %[3]s\n", name, help, kind)
}

func (e *exposition) one(name, kind, help string, v any) {
	e.head(name, kind, help)
	fmt.Fprintf(e, "pali_%s %v\n", name, v)
}

func (s *Server) tellMetrics(w http.ResponseWriter, _ *http.Request) {
	var e exposition
	s.metrics.write(&e)
	n, bytes := s.images.kept()
	e.one("images_kept", "gauge", "Images whose embeddings are kept.", n)
	e.one("images_kept_bytes", "gauge", "Bytes of these.", bytes)
	e.one("queue_length", "gauge", "Requests that wait for their turn.", s.queue.length())
	e.one("models_loaded", "gauge", "Models that have a worker.", len(s.pool.list()))
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write([]byte(e.String()))
}

func (m *metrics) write(e *exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.head("requests_total", "counter", "Requests by route and status; 499: the client went away.")
	sorted := slices.SortedFunc(maps.Keys(m.requests), func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) })
	for _, k := range sorted {
		fmt.Fprintf(e, "pali_requests_total{route=%q,status=%q} %d\n", k[0], k[1], m.requests[k])
	}
	e.one("requests_running", "gauge", "Requests in hand.", m.running)
	e.one("answers_total", "counter", "Questions that were answered.", m.answers)
	e.one("prefix_tokens_total", "counter", "Tokens of images and prompts.", m.tokens[0])
	e.one("answer_tokens_total", "counter", "Tokens of answers.", m.tokens[1])
	e.head("stage_seconds_total", "counter", "Time that answers took, by stage.")
	for i, name := range stageNames {
		fmt.Fprintf(e, "pali_stage_seconds_total{stage=%q} %g\n", name, m.stages[i].Seconds())
	}
	e.head("images_total", "counter", "Images asked about, by whether their embeddings were kept.")
	fmt.Fprintf(e, "pali_images_total{kept=\"no\"} %d\npali_images_total{kept=\"yes\"} %d\n", m.images[0], m.images[1])
	e.one("worker_starts_total", "counter", "Workers started.", m.starts)
	e.head("worker_faults_total", "counter", "Workers lost, by cause.")
	for _, cause := range slices.Sorted(maps.Keys(m.faults)) {
		fmt.Fprintf(e, "pali_worker_faults_total{cause=%q} %d\n", cause, m.faults[cause])
	}
}
