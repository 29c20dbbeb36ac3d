package engine

// This file: a model, and the worker that runs it: a process of this machine, or whatever else can
// answer.

import (
	"context"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Model is a model that can be asked.
type Model struct {
	Name   string // distinguishes it from other models in the cache of embeddings
	Vision paligemma.VisionConfig
	Memory int64 // bytes that a worker takes

	// Start starts a worker and waits until it has loaded the model, or until ctx ends. An error of
	// a worker that could not load it is a *worker.Fault whose Loading is set.
	Start func(ctx context.Context) (Worker, error)
}

// Worker is a loaded model that answers one request at a time. *worker.Process is one; a connection
// to another machine or a model in this process may be another. Close and Dead may be called while
// Generate runs.
type Worker interface {
	// Generate answers a request. It calls each with every token; an error from it, or the end of
	// ctx, ends the answer and is returned. It fills in the Embeddings of the images that have
	// none. Other errors: runner.InvalidRequestError and worker.ErrFailed, after which the worker
	// lives, and *worker.Fault, after which Dead is closed.
	Generate(ctx context.Context, r worker.Request, images []*worker.Image,
		each func(runner.Step) error) (*runner.Result, error)
	// Close ends the worker. It does nothing the second time.
	Close()
	// OnGPU reports whether its model runs on a GPU.
	OnGPU() bool
	// Dead returns a channel that is closed when the worker has ended.
	Dead() <-chan struct{}
	// Cause returns why it ended, worker.Closed if by Close. It may be called when Dead is closed.
	Cause() string
}

// Process returns the Start of a model whose workers are processes that c starts.
func Process(c worker.Command) func(context.Context) (Worker, error) {
	return func(ctx context.Context) (Worker, error) {
		p, err := worker.Start(ctx, c)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}
