package server

// This file: streamed answers: server-sent events, and a JSON value a line.

import "net/http"

// stream writes an answer in pieces.
type stream struct {
	w           http.ResponseWriter
	contentType string
	begun       bool
}

func (s *stream) write(piece []byte) error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", s.contentType)
	}
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// events is a stream of server-sent events.
type events struct{ stream }

func newEvents(w http.ResponseWriter) events {
	return events{stream{w: w, contentType: "text/event-stream"}}
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

// fail ends the stream with an error. If nothing was sent it returns err.
func (e *events) fail(err error) error {
	if !e.begun {
		return err
	}
	e.send("", asFailure(err).json()) // an error: the client went away
	return nil
}

// ndjson is a stream of JSON values, one a line.
type ndjson struct {
	stream
	ollama bool // an error has Ollama's form
}

func newNDJSON(w http.ResponseWriter, ollama bool) *ndjson {
	return &ndjson{stream{w: w, contentType: "application/x-ndjson"}, ollama}
}

// send sends a value.
func (n *ndjson) send(v any) error { return n.write(encodeJSON(v)) }

// fail ends the stream with an error. If nothing was sent it returns err.
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
