package engine

// This file: what the engine counts, in Prometheus's text form, without paths, prompts or names of
// clients.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pali-gguf/pali/runner"
)

// metrics counts what happens. Safe for concurrent use.
type metrics struct {
	mu      sync.Mutex
	faults  map[string]int64 // workers lost, by cause
	starts  int64            // of workers
	images  [2]int64         // encoded, cached
	tokens  [2]int64         // of prefixes, of answers
	answers int64
	stages  [len(stageNames)]time.Duration // of answers
}

var stageNames = [5]string{"queue", "load", "vision", "prefill", "decode"}

func newMetrics() *metrics { return &metrics{faults: map[string]int64{}} }

func (m *metrics) count(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// started counts the start of a worker.
func (m *metrics) started() { m.count(func() { m.starts++ }) }

// lost counts a worker that was lost.
func (m *metrics) lost(cause string) { m.count(func() { m.faults[cause]++ }) }

// image counts an image that was asked about.
func (m *metrics) image(cached bool) {
	m.count(func() {
		if cached {
			m.images[1]++
		} else {
			m.images[0]++
		}
	})
}

// answered counts an answer. queued and load are as in Reply.
func (m *metrics) answered(queued, load time.Duration, t runner.Timings) {
	m.count(func() {
		m.answers++
		m.tokens[0] += int64(t.PrefillTokens)
		m.tokens[1] += int64(t.DecodeTokens)
		for i, d := range []time.Duration{queued, load, t.Vision, t.Prefill, t.Decode} {
			m.stages[i] += d
		}
	})
}

// Exposition writes metrics in Prometheus's text form. Their names get the prefix "pali_".
type Exposition struct{ strings.Builder }

// Head writes what comes before the values of a metric: its kind, "counter" or "gauge", and a help.
func (e *Exposition) Head(name, kind, help string) {
	fmt.Fprintf(e, "# HELP pali_%s %s\n# TYPE pali_%[1]s %[3]s\n", name, help, kind)
}

// One writes a metric that has one value.
func (e *Exposition) One(name, kind, help string, v any) {
	e.Head(name, kind, help)
	fmt.Fprintf(e, "pali_%s %v\n", name, v)
}

func (m *metrics) write(e *Exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.One("answers_total", "counter", "Questions that were answered.", m.answers)
	e.One("prefix_tokens_total", "counter", "Tokens of images and prompts.", m.tokens[0])
	e.One("answer_tokens_total", "counter", "Tokens of answers.", m.tokens[1])
	e.Head("stage_seconds_total", "counter", "Time that answers took, by stage.")
	for i, name := range stageNames {
		fmt.Fprintf(e, "pali_stage_seconds_total{stage=%q} %g\n", name, m.stages[i].Seconds())
	}
	e.Head("images_total", "counter", "Images asked about, by whether their embeddings were kept.")
	fmt.Fprintf(e, "pali_images_total{kept=\"no\"} %d\npali_images_total{kept=\"yes\"} %d\n", m.images[0], m.images[1])
	e.One("worker_starts_total", "counter", "Workers started.", m.starts)
	e.Head("worker_faults_total", "counter", "Workers lost, by cause.")
	for _, cause := range slices.Sorted(maps.Keys(m.faults)) {
		fmt.Fprintf(e, "pali_worker_faults_total{cause=%q} %d\n", cause, m.faults[cause])
	}
}
