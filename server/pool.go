package server

// This file: the workers. Before it: a turn in the queue. After it: a process with the model loaded.

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pali-gguf/pali/server/worker"
)

// pool holds all workers. One that a request holds is busy, any other is idle until its time is over or another model needs its memory. Safe for concurrent use.
type pool struct {
	memory  int64 // that all may take; 0: no bound
	metrics *metrics

	mu      sync.Mutex
	all     []*loaded     // the least recently used first
	taken   int64         // memory of all, of those too that are starting or ending
	changed chan struct{} // closed when one is put back or has ended
	closed  bool
}

// loaded is a worker.
type loaded struct {
	*worker.Process
	model   *Model
	busy    bool
	ending  bool      // it was told to end
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

var errClosed = failuref(503, "stopping", "the server is stopping")

// get returns a worker for a model, an idle one or a new one, and how long loading took. It is to be given back with put.
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

// take returns an idle worker. If there is none it sees to it that there is memory for one, and returns nothing; or, where that must be waited for, what to
// wait for.
func (p *pool) take(m *Model) (*loaded, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errClosed
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

// makeRoom ends the idle worker that was used least recently, if those that are ending do not leave enough memory.
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

// end ends a worker. Nobody gets it any more.
func (l *loaded) end() {
	l.ending = true
	l.Close()
}

// start starts a worker, whose memory take has counted.
func (p *pool) start(ctx context.Context, m *Model) (*loaded, error) {
	process, err := worker.Start(ctx, m.Command)
	var lost *worker.Fault
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
	l := &loaded{Process: process, model: m, busy: true}
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

// watch forgets a worker when it has ended, whatever ended it.
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

// put gives a worker back, which may be lost. It stays for keep, for ever if that is negative.
func (p *pool) put(l *loaded, keep time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.busy, l.expires = false, time.Time{}
	if l.dead() {
		return // watch sees to it
	}
	if p.remove(l) {
		p.all = append(p.all, l)
	}
	switch {
	case keep == 0 || p.closed:
		l.end()
	case keep > 0:
		l.expires = time.Now().Add(keep)
		l.timer.Reset(keep)
	}
	p.change()
}

// expire ends a worker whose time is over, unless a request took it in the same moment.
func (p *pool) expire(l *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.busy {
		l.end()
	}
}

// remove takes a worker out of the list.
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

// list returns the models that are loaded, each with the time when its last worker ends by itself: zero for never.
func (p *pool) list() map[*Model]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[*Model]time.Time{}
	for _, l := range p.all {
		last, seen := out[l.model]
		switch {
		case l.ending:
		case !seen || l.busy || l.expires.IsZero():
			out[l.model] = l.expires
		case !last.IsZero() && l.expires.After(last):
			out[l.model] = l.expires
		}
	}
	return out
}

// close ends all workers, and waits until they have ended. No other can be had after it.
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
