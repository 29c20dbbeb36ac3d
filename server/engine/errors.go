package engine

// This file: the errors of the engine. What else it returns: runner.InvalidRequestError, and the
// error of a context.

import (
	"errors"
	"time"

	"github.com/pali-gguf/pali/server/worker"
)

// ErrQueueFull refuses a request since as many are admitted as may run and wait.
type ErrQueueFull struct {
	Retry time.Duration // when a place is likely to be free: 1 s to 1 min
}

func (ErrQueueFull) Error() string { return "engine: too many requests are waiting" }

// ErrWorkerLost is, as a pointer, the loss of the worker that ran a request, or that was to load
// its model (Loading). The next request gets another worker.
type ErrWorkerLost = worker.Fault

var (
	// ErrModelFailed is wrapped by the error of a request that the model failed to answer; its
	// worker lives.
	ErrModelFailed = worker.ErrFailed
	// ErrNoModel refuses a request for a model that is not served.
	ErrNoModel = errors.New("engine: no such model")
	// ErrNoImage refuses a request without an image.
	ErrNoImage = errors.New("engine: no image")
	// ErrStopping refuses a request after Close.
	ErrStopping = errors.New("engine: it is stopping")
)
