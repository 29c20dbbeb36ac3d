package server

// This file: whose turn it is. Before it: a question that is complete. After it: a worker.

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// queue lets so many requests through at a time and so many wait, the clients in turn: one that asks a hundred questions does not keep another waiting for
// more than one of them. Safe for concurrent use.
type queue struct {
	most int // admitted at a time

	mu       sync.Mutex
	admitted int
	free     int
	waiting  int
	lines    []*line       // the clients that wait, in the order of their turns
	mean     time.Duration // how long a turn takes, roughly
}

// line is what one client waits for, in order.
type line struct {
	client  string
	tickets []chan struct{}
}

func newQueue(parallel, most int) *queue {
	return &queue{most: parallel + most, free: parallel, mean: time.Second}
}

// admit lets a request in, before any work is done for it, or refuses it where as many are in as may have a turn and wait. leave is to be called once.
func (q *queue) admit() (leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.admitted >= q.most {
		wait := q.mean * time.Duration(q.waiting+1)
		return nil, &failure{http.StatusServiceUnavailable, "queue_full", "too many requests are waiting", min(max(wait, time.Second), time.Minute)}
	}
	q.admitted++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.admitted--
	}, nil
}

// enter waits for a turn. The turn is over when leave is called, once. It fails when ctx ends.
func (q *queue) enter(ctx context.Context, client string) (leave func(), err error) {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return q.turn(), nil
	}
	ticket := q.line(client)
	q.mu.Unlock()
	select {
	case <-ticket:
		return q.turn(), nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.remove(client, ticket) {
		q.next() // the turn had come
	}
	return nil, ctx.Err()
}

// turn begins one, and returns what ends it.
func (q *queue) turn() (leave func()) {
	start := time.Now()
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.mean += (time.Since(start) - q.mean) / 8
		q.next()
	}
}

// line puts a ticket behind a client's others.
func (q *queue) line(client string) chan struct{} {
	ticket := make(chan struct{})
	q.waiting++
	for _, l := range q.lines {
		if l.client == client {
			l.tickets = append(l.tickets, ticket)
			return ticket
		}
	}
	q.lines = append(q.lines, &line{client, []chan struct{}{ticket}})
	return ticket
}

// next gives a turn that is free to the first ticket of the client whose turn it is; the client goes to the end of the row.
func (q *queue) next() {
	if len(q.lines) == 0 {
		q.free++
		return
	}
	l := q.lines[0]
	q.lines = q.lines[1:]
	close(l.tickets[0])
	q.waiting--
	if l.tickets = l.tickets[1:]; len(l.tickets) > 0 {
		q.lines = append(q.lines, l)
	}
}

// remove takes a ticket out, if it is still there.
func (q *queue) remove(client string, ticket chan struct{}) bool {
	for i, l := range q.lines {
		at := slices.Index(l.tickets, ticket)
		if l.client != client || at < 0 {
			continue
		}
		l.tickets = slices.Delete(l.tickets, at, at+1)
		if q.waiting--; len(l.tickets) == 0 {
			q.lines = slices.Delete(q.lines, i, i+1)
		}
		return true
	}
	return false
}

// length is how many wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
