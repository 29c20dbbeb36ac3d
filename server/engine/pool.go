package engine

// This file: the pool of workers, each with a model loaded, within a bound of memory.

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pali-gguf/pali/server/worker"
)

// pool holds all workers. One that serves a request is busy; any other is idle until its time is
// over or another model needs its memory. Safe for concurrent use.
type pool struct {
	memory  int64 // bytes that all workers may take; 0: no bound
	metrics *metrics

	mu      sync.Mutex
	all     []*loaded     // the least recently used first
	taken   int64         // bytes of all workers, of those too that are starting or ending
	changed chan struct{} // closed when a worker is put back or has ended
	closed  bool
}

// loaded is a worker of the pool.
type loaded struct {
	Worker
	model   *Model
	busy    bool
	ending  bool      // it was closed, and may not be dead yet
	expires time.Time // zero: never
	timer   *time.Timer
}

func (l *loaded) dead() bool {
	select {
	case <-l.Dead():
		return true
	default:
		return false
	}
}

func newPool(memory int64, m *metrics) *pool {
	return &pool{memory: memory, metrics: m, changed: make(chan struct{})}
}

// get returns a worker for a model, an idle one or a new one, and how long the start of a new one
// took, the wait for its memory included. The caller gives the worker back with put.
func (p *pool) get(ctx context.Context, m *Model) (*loaded, time.Duration, error) {
	start := time.Now()
	for {
		l, changed, err := p.take(m)
		if l != nil || err != nil {
			return l, 0, err
		}
		if changed == nil {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	l, err := p.start(ctx, m)
	return l, time.Since(start), err
}

// take returns an idle worker for a model; otherwise it reserves memory for one and returns nil, or
// returns a channel to wait on before the next try.
func (p *pool) take(m *Model) (*loaded, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrStopping
	}
	for _, l := range p.all {
		if l.model == m && !l.busy && !l.ending && !l.dead() {
			l.busy = true
			l.timer.Stop()
			return l, nil, nil
		}
	}
	if p.memory > 0 && p.taken > 0 && p.taken+m.Memory > p.memory {
		p.makeRoom(m.Memory)
		return nil, p.changed, nil
	}
	p.taken += m.Memory
	return nil, nil, nil
}

// makeRoom ends the least recently used idle worker, if those that are ending do not leave want
// bytes.
func (p *pool) makeRoom(want int64) {
	left := p.taken + want
	for _, l := range p.all {
		if l.ending {
			left -= l.model.Memory
		}
	}
	for _, l := range p.all {
		if left > p.memory && !l.busy && !l.ending {
			l.end()
			return
		}
	}
}

// end ends a worker: take no longer returns it.
func (l *loaded) end() {
	l.ending = true
	l.Close()
}

// start starts a worker whose memory take has reserved.
func (p *pool) start(ctx context.Context, m *Model) (*loaded, error) {
	w, err := m.Start(ctx)
	var lost *ErrWorkerLost
	if errors.As(err, &lost) {
		p.metrics.lost(lost.Cause)
	}
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken -= m.Memory
		p.change()
		return nil, err
	}
	p.metrics.started()
	l := &loaded{Worker: w, model: m, busy: true}
	l.timer = time.AfterFunc(time.Hour, func() { p.expire(l) })
	l.timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, l)
	if p.closed {
		l.end()
	}
	go p.watch(l)
	return l, nil
}

// watch removes a worker from the pool when it has ended, for whatever reason.
func (p *pool) watch(l *loaded) {
	<-l.Dead()
	p.mu.Lock()
	defer p.mu.Unlock()
	l.timer.Stop()
	p.remove(l)
	p.taken -= l.model.Memory
	if c := l.Cause(); c != worker.Closed {
		p.metrics.lost(c)
	}
	p.change()
}

// put gives a worker back, which may be dead. It stays for keepAlive, for ever if that is negative.
func (p *pool) put(l *loaded, keepAlive time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.busy, l.expires = false, time.Time{}
	if l.dead() {
		return // watch removes it
	}
	if p.remove(l) {
		p.all = append(p.all, l)
	}
	switch {
	case keepAlive == 0 || p.closed:
		l.end()
	case keepAlive > 0:
		l.expires = time.Now().Add(keepAlive)
		l.timer.Reset(keepAlive)
	}
	p.change()
}

// expire ends a worker whose time is over, unless a request took it at the same moment.
func (p *pool) expire(l *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.busy {
		l.end()
	}
}

// remove removes a worker from the list and reports whether it was there.
func (p *pool) remove(l *loaded) bool {
	for i, x := range p.all {
		if x == l {
			p.all = append(p.all[:i:i], p.all[i+1:]...)
			return true
		}
	}
	return false
}

// change wakes those that wait for memory.
func (p *pool) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// drop ends the idle workers of a model. Busy ones stay.
func (p *pool) drop(m *Model) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.all {
		if l.model == m && !l.busy {
			l.end()
		}
	}
}

// Loaded says how a model is loaded.
type Loaded struct {
	Expires time.Time // when its last worker expires; zero: never
	GPU     bool
}

// list returns the models that are loaded.
func (p *pool) list() map[*Model]Loaded {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[*Model]Loaded{}
	for _, l := range p.all {
		last, seen := out[l.model]
		switch {
		case l.ending:
		case !seen || l.busy || l.expires.IsZero():
			out[l.model] = Loaded{l.expires, l.OnGPU()}
		case !last.Expires.IsZero() && l.expires.After(last.Expires):
			out[l.model] = Loaded{l.expires, l.OnGPU()}
		}
	}
	return out
}

// close ends all workers, and waits until they have ended. After it get fails with ErrStopping.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	all := append([]*loaded{}, p.all...)
	p.change()
	p.mu.Unlock()
	for _, l := range all {
		l.Close()
		<-l.Dead()
	}
}
