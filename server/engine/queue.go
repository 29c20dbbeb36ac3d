package engine

// This file: the queue of requests, round-robin by client.

import (
	"context"
	"slices"
	"sync"
	"time"
)

// queue admits a bounded number of requests, has slots for some of them and makes the others wait,
// round-robin by client: one that sends a hundred requests keeps another waiting for one of them at
// most. Safe for concurrent use.
type queue struct {
	maxAdmitted int

	mu       sync.Mutex
	admitted int
	free     int            // slots
	waiting  int            // tickets
	clients  []*clientQueue // those with tickets, in the order of their turns
	mean     time.Duration  // how long a slot is held: a moving average
}

// clientQueue is what one client waits for, in order.
type clientQueue struct {
	client  string
	tickets []chan struct{} // each closed when a slot is given to it
}

// newQueue makes a queue with slots slots, in which at most maxWaiting requests wait.
func newQueue(slots, maxWaiting int) *queue {
	return &queue{maxAdmitted: slots + maxWaiting, free: slots, mean: time.Second}
}

// admit admits a request before any work is done for it, or fails with ErrQueueFull. leave is to be
// called once.
func (q *queue) admit() (leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.admitted >= q.maxAdmitted {
		wait := q.mean * time.Duration(q.waiting+1)
		return nil, ErrQueueFull{Retry: min(max(wait, time.Second), time.Minute)}
	}
	q.admitted++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.admitted--
	}, nil
}

// acquire waits for a slot, which the caller gives back by calling release once. It fails when ctx
// ends.
func (q *queue) acquire(ctx context.Context, client string) (release func(), err error) {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return q.hold(), nil
	}
	ticket := q.addTicket(client)
	q.mu.Unlock()
	select {
	case <-ticket:
		return q.hold(), nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.removeTicket(client, ticket) {
		q.passOn() // the slot was given at the same moment
	}
	return nil, ctx.Err()
}

// hold starts the clock of a slot, and returns what gives the slot back.
func (q *queue) hold() (release func()) {
	start := time.Now()
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.mean += (time.Since(start) - q.mean) / 8
		q.passOn()
	}
}

// addTicket appends a ticket to those of a client.
func (q *queue) addTicket(client string) chan struct{} {
	ticket := make(chan struct{})
	q.waiting++
	for _, c := range q.clients {
		if c.client == client {
			c.tickets = append(c.tickets, ticket)
			return ticket
		}
	}
	q.clients = append(q.clients, &clientQueue{client, []chan struct{}{ticket}})
	return ticket
}

// passOn gives a slot to the first ticket of the next client, who then becomes the last; or frees
// it if none waits.
func (q *queue) passOn() {
	if len(q.clients) == 0 {
		q.free++
		return
	}
	c := q.clients[0]
	q.clients = q.clients[1:]
	close(c.tickets[0])
	q.waiting--
	if c.tickets = c.tickets[1:]; len(c.tickets) > 0 {
		q.clients = append(q.clients, c)
	}
}

// removeTicket removes a ticket and reports whether it was still waiting.
func (q *queue) removeTicket(client string, ticket chan struct{}) bool {
	for i, c := range q.clients {
		at := slices.Index(c.tickets, ticket)
		if c.client != client || at < 0 {
			continue
		}
		c.tickets = slices.Delete(c.tickets, at, at+1)
		if q.waiting--; len(c.tickets) == 0 {
			q.clients = slices.Delete(q.clients, i, i+1)
		}
		return true
	}
	return false
}

// length returns how many requests wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
