package worker

// This file: one request, on the server's side.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pali-gguf/pali/runner"
)

// Image is an image of a request: its pixels [3,S,S], or its embeddings [T,E] if they are known.
type Image struct {
	Pixels, Embeddings []float32
}

// cancelTimeout is how long a worker may take to end a request that was cancelled.
const cancelTimeout = 5 * time.Second

// maxStepText bounds the text of one token in bytes.
const maxStepText = 4096

// Generate sends r and images to the worker and returns its answer. It calls each with every token;
// an error from it, or the end of ctx, ends the answer and is returned. It fills in the Embeddings
// of images that have none. Other errors: runner.InvalidRequestError is due to the request,
// ErrFailed to the model; after a *Fault the worker is lost.
func (p *Process) Generate(ctx context.Context, r Request, images []*Image,
	each func(runner.Step) error) (*runner.Result, error) {
	c := &call{Process: p, request: r, each: each, result: &runner.Result{}}
	var bodies [][]float32
	for _, img := range images {
		known := img.Embeddings != nil
		r.Encoded = append(r.Encoded, known)
		body := img.Pixels
		if known {
			body = img.Embeddings
		} else {
			c.missing = append(c.missing, img)
		}
		if len(body) != floats(p.Ready.Vision, known) {
			return nil, fmt.Errorf("worker: an image of %d floats", len(body))
		}
		bodies = append(bodies, body)
	}
	c.stall = time.AfterFunc(p.command.Stall, func() { p.kill(Hang, fmt.Errorf("no progress in %v", p.command.Stall)) })
	defer c.stall.Stop()
	if err := p.out.send(kindRequest, r, bodies...); err != nil {
		p.disconnect(err)
		<-p.dead
		return nil, p.fault
	}
	return c.receive(ctx)
}

// call is a request that the worker is answering.
type call struct {
	*Process
	request    Request
	each       func(runner.Step) error
	missing    []*Image // those whose embeddings the worker sends, in order
	stall      *time.Timer
	result     *runner.Result
	cancelled  error         // why the request was cancelled
	cancelSent chan struct{} // closed when kindCancel was sent
}

// receive receives the answer.
func (c *call) receive(ctx context.Context) (*runner.Result, error) {
	defer func() {
		if c.cancelSent != nil {
			<-c.cancelSent // before the next request
		}
	}()
	end := ctx.Done()
	for {
		select {
		case <-end:
			end = nil
			c.cancel(ctx.Err())
		case <-c.dead:
			return nil, c.fault
		case f := <-c.in:
			if c.cancelled == nil {
				c.stall.Reset(c.command.Stall)
			}
			done, err := c.take(f)
			if done || err != nil {
				return c.result, err
			}
		}
	}
}

// cancel makes the worker end the request, within cancelTimeout. receive returns why then.
func (c *call) cancel(why error) {
	if c.cancelled != nil {
		return
	}
	c.cancelled = why
	c.stall.Reset(cancelTimeout)
	c.cancelSent = make(chan struct{})
	go func() { // a worker that hangs reads nothing: receive waits for its end
		defer close(c.cancelSent)
		c.out.send(kindCancel, nil)
	}()
}

// take reads one frame of the answer.
func (c *call) take(f frame) (done bool, err error) {
	switch f.kind {
	case kindProgress:
		return false, nil
	case kindImage:
		return false, c.image(f.body)
	case kindStep:
		return false, c.step(f)
	case kindDone:
		return true, c.done(f)
	case kindFailed:
		return true, c.failed(f)
	}
	return false, c.violation("a frame of kind %q in an answer", f.kind)
}

func (c *call) image(embeddings []float32) error {
	if len(c.missing) == 0 || len(embeddings) != floats(c.Ready.Vision, true) || len(c.result.Steps) > 0 {
		return c.violation("unexpected image embeddings of %d floats", len(embeddings))
	}
	c.missing[0].Embeddings = embeddings
	c.missing = c.missing[1:]
	return nil
}

func (c *call) step(f frame) error {
	var s runner.Step
	if err := f.decode(&s); err != nil {
		return c.violation("%w", err)
	}
	r := c.result
	if s.Token < 0 || int(s.Token) >= c.Ready.Vocabulary || len(s.Top) > c.request.TopLogprobs ||
		len(r.Steps) >= c.request.MaxTokens || len(c.missing) > 0 || len(s.Text) > maxStepText ||
		!utf8.ValidString(s.Text) {
		return c.violation("step %d: %+v", len(r.Steps), s)
	}
	r.Steps, r.Tokens, r.Text = append(r.Steps, s), append(r.Tokens, s.Token), r.Text+s.Text
	if c.cancelled == nil {
		c.stall.Stop() // a client that reads slowly is not the worker's fault
		err := c.each(s)
		c.stall.Reset(c.command.Stall)
		if err != nil {
			c.cancel(err)
		}
	}
	return nil
}

func (c *call) done(f frame) error {
	var d Done
	if err := f.decode(&d); err != nil || len(c.result.Steps) == 0 {
		return c.violation("the end of an answer of %d tokens: %w", len(c.result.Steps), err)
	}
	c.result.PrefixTokens, c.result.Timings = slices.Clip(d.PrefixTokens), d.Timings
	return c.cancelled
}

func (c *call) failed(f frame) error {
	var no Failed
	if err := f.decode(&no); err != nil {
		return c.violation("%w", err)
	}
	switch {
	case c.cancelled != nil:
		return c.cancelled
	case no.Refused:
		return runner.InvalidRequestError{Err: errors.New(shorten(no.Text))}
	}
	return fmt.Errorf("%w: %s", ErrFailed, shorten(no.Text))
}
