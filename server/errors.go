package server

// This file: errors as HTTP responses: a status, and a text without the server's paths and without
// the prompts and names of others; of what the client itself sent it repeats a few bytes (echo).
// asFailure is the only place that turns an error of another package into a status.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
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
	text := shorten(fmt.Sprintf(format, args...), maxText) // it may repeat what a client sent
	return &failure{status: status, code: code, text: text}
}

// maxText bounds the text of an error in bytes.
const maxText = 1000

// invalid is the failure of an invalid request.
func invalid(format string, args ...any) *failure {
	return failuref(http.StatusBadRequest, "invalid_request", format, args...)
}

// unsupported is the failure of a request for what PaliGemma, or Pali, cannot do.
func unsupported(format string, args ...any) *failure {
	return failuref(http.StatusBadRequest, "unsupported", format, args...)
}

// statusClientGone is the status in the log if the client went away before the answer.
const statusClientGone = 499

// asFailure returns err if it is a failure, and otherwise the failure that a client gets for it.
func asFailure(err error) *failure {
	var (
		f       *failure
		refused runner.InvalidRequestError
		full    engine.ErrQueueFull
		lost    *engine.ErrWorkerLost
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refused):
		return invalid("%s", refused.Error())
	case errors.Is(err, engine.ErrNoImage):
		return unsupported("no image: PaliGemma answers about images only")
	case errors.Is(err, engine.ErrNoModel):
		return failuref(http.StatusNotFound, "model_not_found",
			"no such model here: GET /v1/models or /api/tags lists them")
	case errors.As(err, &full):
		return unavailable("queue_full", "too many requests are waiting", full.Retry)
	case errors.Is(err, engine.ErrStopping):
		return unavailable("stopping", "the server is stopping", 0)
	case errors.As(err, &lost) && lost.Loading:
		return unavailable("model_not_loaded", "the model could not be loaded", time.Second)
	case errors.As(err, &lost):
		text := "the process that ran the model was lost (" + lost.Cause + "): the next request gets another"
		return unavailable("worker_lost", text, time.Second)
	case errors.Is(err, engine.ErrModelFailed):
		return failuref(http.StatusInternalServerError, "model_failed", "the model failed on this request")
	case errors.As(err, &large):
		return failuref(http.StatusRequestEntityTooLarge, "too_large", "a body of more than %d bytes", large.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return failuref(http.StatusGatewayTimeout, "timeout", "no answer in time")
	case errors.Is(err, context.Canceled):
		return failuref(statusClientGone, "gone", "the client went away")
	}
	return failuref(http.StatusInternalServerError, "internal", "something went wrong")
}

// unavailable is a temporary failure. retry is after how long to try again; 0: not known.
func unavailable(code, text string, retry time.Duration) *failure {
	return &failure{http.StatusServiceUnavailable, code, text, retry}
}

// errorJSON is the body of an error on the native routes and on OpenAI's.
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

// ollamaJSON is the body of an error on Ollama's routes.
func (f *failure) ollamaJSON() map[string]string { return map[string]string{"error": f.text} }

// setHeader sets Retry-After, if it is known when to try again.
func (f *failure) setHeader(h http.Header) {
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
}
