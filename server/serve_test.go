package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/server/engine"
)

// listen returns a listener on any port of this machine.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A request that was accepted when the server is stopped is answered; then no connection is.
func TestServe(t *testing.T) {
	s, l := serve(t), listen(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	s.url = "http://" + l.Addr().String()
	for until := time.Now().Add(10 * time.Second); s.get("/health").status != http.StatusOK; time.Sleep(
		10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("not ready after ten seconds")
		}
	}
	answered := make(chan got, 1)
	go func() { answered <- s.upload("/v1/run", 1, "prompt", "slow 20 x") }()
	for until := time.Now().Add(10 * time.Second); s.metric("requests_running") < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(until) { // the request for the metrics is one of them
			t.Fatal("not running after ten seconds")
		}
	}
	stop()
	if g := <-answered; g.status != http.StatusOK || !strings.Contains(g.body, "slow 20 x") {
		t.Errorf("%+v", g)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("a connection after the end")
	}
}

// A model that cannot be loaded ends the server at once.
func TestServeFails(t *testing.T) {
	broken := errors.New("no such model")
	s := serve(t, func(o *Options) {
		o.Models[0].Start = func(context.Context) (engine.Worker, error) { return nil, broken }
	})
	if err := s.Serve(context.Background(), listen(t)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
