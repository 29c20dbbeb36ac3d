package server

// This file: /metrics, in Prometheus's text form: requests by route and status, then what the
// engine counts.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pali-gguf/pali/server/engine"
)

// requestMetrics counts requests. Safe for concurrent use.
type requestMetrics struct {
	mu      sync.Mutex
	running int64
	ended   map[[2]string]int64 // by route and status
}

func (m *requestMetrics) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running++
}

// end counts a request that has ended. route is the pattern that served it, "" if none did.
func (m *requestMetrics) end(route string, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	m.ended[[2]string{route, fmt.Sprint(status)}]++
}

func (m *requestMetrics) write(e *engine.Exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Head("requests_total", "counter", "Requests by route and status; 499: the client went away.")
	byName := func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) }
	for _, k := range slices.SortedFunc(maps.Keys(m.ended), byName) {
		fmt.Fprintf(e, "pali_requests_total{route=%q,status=%q} %d\n", k[0], k[1], m.ended[k])
	}
	e.One("requests_running", "gauge", "Requests being served.", m.running)
}
