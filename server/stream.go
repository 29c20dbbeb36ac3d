package server

// This file: streamed answers: server-sent events, and a JSON value a line.
//
// A stream sends its header when its request is accepted, before it waits for its turn, and then a
// sign of life whenever it has nothing else to send: a proxy cuts a connection on which nothing comes
// for a minute.

import (
	"net/http"
	"sync"
	"time"
)

// stream writes an answer in pieces.
type stream struct {
	w           http.ResponseWriter
	contentType string
	alive       string // the sign of life, which clients skip
	begun       bool   // the status was sent: an error can only be sent in the stream

	mu    sync.Mutex
	quiet bool // nothing was sent since the last tick
}

// accept sends the header, and signs of life until the request has ended.
func (s *stream) accept() {
	s.start()
	http.NewResponseController(s.w).Flush() // an error: the client went away
	r, ok := s.w.(*recorder)
	if !ok {
		return
	}
	done, ended := make(chan struct{}), make(chan struct{})
	r.end = func() { close(done); <-ended }
	go func() {
		defer close(ended)
		tick := time.NewTicker(r.quiet)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				s.tick()
			}
		}
	}()
}

// start sets the header and sends the status.
func (s *stream) start() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", s.contentType)
	s.w.Header().Set("X-Accel-Buffering", "no") // nginx passes pieces on as they come
	s.w.WriteHeader(http.StatusOK)
}

// tick sends a sign of life if nothing was sent since the last tick.
func (s *stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		s.put([]byte(s.alive)) // an error: the client went away
	}
	s.quiet = true
}

func (s *stream) write(piece []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
	s.quiet = false
	return s.put(piece)
}

func (s *stream) put(piece []byte) error {
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// events is a stream of server-sent events. Its sign of life is a comment.
type events struct{ stream }

func newEvents(w http.ResponseWriter) events {
	return events{stream{w: w, contentType: "text/event-stream", alive: ": waiting\n\n"}}
}

// send sends an event: its name, unless that is "", and a JSON value.
func (e *events) send(name string, v any) error {
	text := "data: " + string(encodeJSON(v)) + "\n"
	if name != "" {
		text = "event: " + name + "\n" + text
	}
	return e.write([]byte(text))
}

// done sends OpenAI's mark of the end.
func (e *events) done() error { return e.write([]byte("data: [DONE]\n\n")) }

// fail ends the stream with an error. If the status was not sent it returns err.
func (e *events) fail(err error) error {
	if !e.begun {
		return err
	}
	e.send("", asFailure(err).json()) // an error: the client went away
	return nil
}

// ndjson is a stream of JSON values, one a line. Its sign of life is a blank before the next value:
// Ollama's clients take each line for JSON, an empty one too.
type ndjson struct {
	stream
	ollama bool // an error has Ollama's form
}

func newNDJSON(w http.ResponseWriter, ollama bool) *ndjson {
	return &ndjson{stream{w: w, contentType: "application/x-ndjson", alive: " "}, ollama}
}

// send sends a value.
func (n *ndjson) send(v any) error { return n.write(encodeJSON(v)) }

// fail ends the stream with an error. If the status was not sent it returns err.
func (n *ndjson) fail(err error) error {
	if !n.begun {
		return err
	}
	if f := asFailure(err); n.ollama {
		n.send(f.ollamaJSON()) // an error: the client went away
	} else {
		n.send(f.json())
	}
	return nil
}
