package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Clients get slots in turn, however many requests each has.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100)
		release, err := q.acquire(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 100)
		for _, client := range strings.Split("aaaaabbc", "") {
			go func() {
				release, err := q.acquire(t.Context(), client)
				if err != nil {
					t.Error(err)
					return
				}
				order <- client
				time.Sleep(time.Second)
				release()
			}()
			synctest.Wait()
		}
		if n := q.length(); n != 8 {
			t.Errorf("%d wait", n)
		}
		release()
		var have []string
		for range 8 {
			have = append(have, <-order)
		}
		if got := strings.Join(have, ""); got != "abcabaaa" {
			t.Errorf("order %s", got)
		}
		time.Sleep(time.Minute) // the last slot is released
	})
}

// A bounded number is admitted; a client that goes away frees its place; no slot is lost or given
// twice.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue(2, 3)
	var out []func()
	for range 5 {
		leave, err := q.admit()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, leave)
	}
	_, err := q.admit()
	var full ErrQueueFull
	if !errors.As(err, &full) || full.Retry < time.Second {
		t.Fatalf("%v", err)
	}
	out[0]()
	if _, err := q.admit(); err != nil {
		t.Error(err)
	}

	one, _ := q.acquire(t.Context(), "a")
	two, _ := q.acquire(t.Context(), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.acquire(ctx, "a"); !errors.Is(err, context.Canceled) || q.length() != 0 {
		t.Errorf("%v, %d wait", err, q.length())
	}
	one()
	two()
	for range 200 { // a slot that comes as its client goes
		ctx, cancel := context.WithCancel(t.Context())
		all := slices.Collect(func(yield func(func()) bool) {
			for range 2 {
				release, _ := q.acquire(t.Context(), "a")
				yield(release)
			}
		})
		done := make(chan struct{})
		go func() {
			if release, err := q.acquire(ctx, "b"); err == nil {
				release()
			}
			close(done)
		}()
		for q.length() == 0 {
			time.Sleep(time.Microsecond)
		}
		go cancel()
		all[0]()
		<-done
		all[1]()
	}
	if q.free != 2 || q.waiting != 0 || len(q.clients) != 0 {
		t.Errorf("%d free, %d wait, %d clients", q.free, q.waiting, len(q.clients))
	}
}
