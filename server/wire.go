package server

// This file: a request whose body has two lengths.
//
// Package net/http takes Transfer-Encoding and forgets that there was a Content-Length, or the other
// way round in HTTP/1.0. A proxy that reads the other one of the two takes the end of such a body for
// another client's request. So the bytes of each header are looked at as they arrive.

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
)

// wires is a listener whose connections are of type *wire.
type wires struct{ net.Listener }

func (l wires) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: conn}, nil
}

// wire is a connection. It looks at the lines of a header up to the empty one, and at no further
// byte until nextHeader is called.
type wire struct {
	net.Conn

	mu               sync.Mutex
	begun            bool   // the header has begun
	over             bool   // the header was read
	line             []byte // the beginning of the line that arrives
	length, encoding bool   // whether the header has Content-Length, and Transfer-Encoding
}

// longestName is more than the names that are looked for have bytes.
const longestName = 32

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := b[:n]; len(rest) > 0 && !w.over; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		w.line = append(w.line, part[:min(len(part), longestName-min(len(w.line), longestName))]...)
		if ended {
			w.endLine()
		}
		rest = after
	}
	return n, err
}

// endLine looks at a line of the header.
func (w *wire) endLine() {
	name, _, _ := bytes.Cut(w.line, []byte(":"))
	switch string(bytes.ToLower(bytes.TrimSpace(name))) {
	case "content-length":
		w.length = true
	case "transfer-encoding":
		w.encoding = true
	case "":
		w.over = w.begun
	}
	w.begun, w.line = true, w.line[:0]
}

// CloseWrite is for net/http, which ends a connection so after an error.
func (w *wire) CloseWrite() error {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// nextHeader is http.Server.ConnState: a connection that is idle waits for a header.
func nextHeader(conn net.Conn, state http.ConnState) {
	if w, ok := conn.(*wire); ok && state == http.StateIdle {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.begun, w.over, w.line, w.length, w.encoding = false, false, w.line[:0], false, false
	}
}

// wireKey is the key of a context for its *wire.
type wireKey struct{}

// withWire is http.Server.ConnContext.
func withWire(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, conn)
}

// twoLengths reports whether a request came with Content-Length and Transfer-Encoding. It is false if
// the connection is not one of Serve's.
func twoLengths(r *http.Request) bool {
	w, ok := r.Context().Value(wireKey{}).(*wire)
	if !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.length && w.encoding
}
