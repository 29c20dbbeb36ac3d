package server

// This file: what goes wrong, as HTTP says it. Before it: errors of all others. After it: a status and a body without paths, prompts or names.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// failure is an error with its HTTP status. Its text is for the client.
type failure struct {
	status int
	code   string // for programs
	text   string // for people
	retry  time.Duration
}

func (f *failure) Error() string { return f.text }

func failuref(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

// invalid is a request that is not right.
func invalid(format string, args ...any) *failure {
	return failuref(http.StatusBadRequest, "invalid_request", format, args...)
}

// unsupported is a request for what PaliGemma, or Pali, cannot do.
func unsupported(format string, args ...any) *failure {
	return failuref(http.StatusBadRequest, "unsupported", format, args...)
}

// statusGone is what the log says of a client that went away: nobody reads the answer.
const statusGone = 499

// asFailure makes a failure of any error.
func asFailure(err error) *failure {
	var (
		f       *failure
		refused runner.InvalidRequestError
		lost    *worker.Fault
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refused):
		return invalid("%s", refused.Error())
	case errors.As(err, &lost) && lost.Loading:
		return &failure{http.StatusServiceUnavailable, "model_not_loaded", "the model could not be loaded", time.Second}
	case errors.As(err, &lost):
		return &failure{http.StatusServiceUnavailable, "worker_lost", "the process that ran the model was lost (" + lost.Cause + "): the next request gets another", time.Second}
	case errors.Is(err, worker.ErrFailed):
		return failuref(http.StatusInternalServerError, "model_failed", "the model failed on this request")
	case errors.As(err, &large):
		return failuref(http.StatusRequestEntityTooLarge, "too_large", "a body of more than %d bytes", large.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return failuref(http.StatusGatewayTimeout, "timeout", "no answer in time")
	case errors.Is(err, context.Canceled):
		return failuref(statusGone, "gone", "the client went away")
	}
	return failuref(http.StatusInternalServerError, "internal", "something went wrong")
}

// errorJSON is the body of an error on our routes and on OpenAI's.
type errorJSON struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	} `json:"error"`
}

func (f *failure) json() errorJSON {
	var e errorJSON
	e.Error.Message, e.Error.Code, e.Error.Type = f.text, f.code, "invalid_request_error"
	switch {
	case f.status >= 500:
		e.Error.Type = "server_error"
	case f.status == http.StatusUnauthorized:
		e.Error.Type = "authentication_error"
	}
	return e
}

// plain is the body of an error on Ollama's routes.
func (f *failure) plain() map[string]string { return map[string]string{"error": f.text} }

// header says when to come again.
func (f *failure) header(w http.ResponseWriter) {
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	if r, ok := w.(*recorder); ok && r.begun {
		return // the client has the beginning of another answer
	}
	f := asFailure(err)
	f.header(w)
	if r, ok := w.(*recorder); ok && r.plain {
		writeJSON(w, f.status, f.plain())
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

// encodeJSON writes one value and a newline, < and > as they are. v is one of this package's types, all of which can be written.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return encodeJSON(failuref(http.StatusInternalServerError, "internal", "the answer has a number that JSON has not").json())
	}
	return b.Bytes()
}
