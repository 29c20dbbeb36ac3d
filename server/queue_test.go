package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Clients have their turns one after the other, however many questions each has.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100)
		leave, err := q.enter(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 100)
		for _, client := range strings.Split("aaaaabbc", "") {
			go func() {
				leave, err := q.enter(t.Context(), client)
				if err != nil {
					t.Error(err)
					return
				}
				order <- client
				time.Sleep(time.Second)
				leave()
			}()
			synctest.Wait()
		}
		if n := q.length(); n != 8 {
			t.Errorf("%d wait", n)
		}
		leave()
		var have []string
		for range 8 {
			have = append(have, <-order)
		}
		if got := strings.Join(have, ""); got != "abcabaaa" {
			t.Errorf("turns %s", got)
		}
		time.Sleep(time.Minute) // the last turn ends
	})
}

// So many are let in and no more; who goes away leaves its place; no turn is lost or given twice.
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
	var f *failure
	if !errors.As(err, &f) || f.code != "queue_full" || f.retry < time.Second {
		t.Fatalf("%v", err)
	}
	out[0]()
	if _, err := q.admit(); err != nil {
		t.Error(err)
	}

	one, _ := q.enter(t.Context(), "a")
	two, _ := q.enter(t.Context(), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.enter(ctx, "a"); !errors.Is(err, context.Canceled) || q.length() != 0 {
		t.Errorf("%v, %d wait", err, q.length())
	}
	one()
	two()
	for range 200 { // a turn that comes as its client goes
		ctx, cancel := context.WithCancel(t.Context())
		all := slices.Collect(func(yield func(func()) bool) {
			for range 2 {
				leave, _ := q.enter(t.Context(), "a")
				yield(leave)
			}
		})
		done := make(chan struct{})
		go func() {
			if leave, err := q.enter(ctx, "b"); err == nil {
				leave()
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
	if q.free != 2 || q.waiting != 0 || len(q.lines) != 0 {
		t.Errorf("%d free, %d wait, %d lines", q.free, q.waiting, len(q.lines))
	}
}
