package server

// This file: how an answer is written: JSON, or an error in the form of its route.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"
)

// idleTimeout is how long a connection may make no progress.
const idleTimeout = 30 * time.Second

// recorder is the http.ResponseWriter of all routes. It keeps the status of an answer, and gives a
// slow client time only as long as it reads.
type recorder struct {
	http.ResponseWriter
	status int
	begun  bool
	ollama bool          // errors have Ollama's form
	quiet  time.Duration // after which a stream sends a sign of life
	end    func()        // ends a stream's signs of life; nil: there are none
}

func (w *recorder) WriteHeader(status int) {
	if !w.begun {
		w.status, w.begun = status, true
	}
	w.extendDeadline()
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begun = true
	w.extendDeadline()
	return w.ResponseWriter.Write(b)
}

func (w *recorder) extendDeadline() {
	// An error: a connection without deadlines, in a test.
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(idleTimeout))
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// fail answers with an error, unless another answer has begun.
func fail(w http.ResponseWriter, err error) {
	r, ok := w.(*recorder)
	if ok && r.begun {
		return
	}
	f := asFailure(err)
	f.setHeader(w.Header())
	if ok && r.ollama {
		writeJSON(w, f.status, f.ollamaJSON())
		return
	}
	writeJSON(w, f.status, f.json())
}

// writeJSON answers with one value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encodeJSON(v)) // an error: the client went away
}

// inASCII returns a JSON value on one line, for a header: with escapes for all that is not ASCII, and
// bounded.
func inASCII(value []byte) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(string(value)) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// encodeJSON returns v as JSON and a newline, < and > as they are. v is of a type of this package,
// all of which can be encoded.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		f := failuref(http.StatusInternalServerError, "internal", "the answer has a number that JSON cannot express")
		return encodeJSON(f.json())
	}
	return b.Bytes()
}
