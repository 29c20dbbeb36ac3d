package server

// This file: the listener, from the first connection to the last answer.

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// shutdownTimeout is how long accepted requests have when the server is stopped.
const shutdownTimeout = 30 * time.Second

// maxHeader bounds a request's header in bytes.
const maxHeader = 16 << 10

// discard takes what net/http logs of broken connections: it names addresses.
var discard = log.New(io.Discard, "", 0)

// Serve loads the first model and answers the requests that come to l, until ctx ends. Then it
// waits for those that were accepted, half a minute at most, closes s and returns nil. It returns
// an error, at once, where the model cannot be loaded or l fails.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.Close()
	requests, abort := context.WithCancel(context.Background())
	defer abort()
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: maxHeader,
		ErrorLog: discard, BaseContext: func(net.Listener) context.Context { return requests },
		ConnContext: withWire, ConnState: nextHeader,
	}
	failed := make(chan error, 2)
	go func() { failed <- h.Serve(wires{l}) }()
	go func() {
		if err := s.Load(requests); err != nil {
			failed <- err
		}
	}()
	select {
	case err := <-failed:
		h.Close()
		return err
	case <-ctx.Done():
	}
	s.Stop()
	late, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if h.Shutdown(late) != nil {
		abort()
		h.Close()
	}
	return nil
}
