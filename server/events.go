package server

// This file: an answer as server-sent events. Before it: openai*.go. After it: the client.

import "net/http"

// events writes server-sent events.
type events struct {
	w     http.ResponseWriter
	begun bool
}

// send sends one event: its name, if it has one, and a JSON value.
func (e *events) send(name string, v any) error {
	text := "data: " + string(encodeJSON(v)) + "\n"
	if name != "" {
		text = "event: " + name + "\n" + text
	}
	return e.write(text)
}

// done says that there is no more.
func (e *events) done() error { return e.write("data: [DONE]\n\n") }

func (e *events) write(text string) error {
	if !e.begun {
		e.begun = true
		e.w.Header().Set("Content-Type", "text/event-stream")
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return http.NewResponseController(e.w).Flush()
}

// fail ends the events with an error. Where none was sent it returns it.
func (e *events) fail(err error) error {
	if !e.begun {
		return err
	}
	e.send("", asFailure(err).json()) // an error: the client went away
	return nil
}
