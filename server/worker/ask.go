package worker

// This file: one request of the server's side. Before it: process.go. After it: runner.Result.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pali-gguf/pali/runner"
)

// Image is an image of a request: its pixels [3,S,S], or its image embeddings [T,E] if they are known.
type Image struct {
	Pixels, Rows []float32
}

// grace is how long a worker may take to give up a request.
const grace = 5 * time.Second

// Ask asks the worker. each is called with every token as it comes; an error from it, or the end of ctx, ends the answer and is returned. The image
// embeddings of images that had none are put into images. A runner.InvalidRequestError is the request's; ErrFailed is the model's; after a
// *Fault the worker is no more.
func (p *Process) Ask(ctx context.Context, a Request, pictures []*Image, each func(runner.Step) error) (*runner.Result, error) {
	q := &question{Process: p, ask: a, each: each, result: &runner.Result{}}
	var bodies [][]float32
	for _, x := range pictures {
		a.Encoded = append(a.Encoded, x.Rows != nil)
		if x.Rows == nil {
			q.missing = append(q.missing, x)
		}
		body := x.Pixels
		if x.Rows != nil {
			body = x.Rows
		}
		if len(body) != floats(p.Ready.Vision, x.Rows != nil) {
			return nil, fmt.Errorf("worker: an image of %d floats", len(body))
		}
		bodies = append(bodies, body)
	}
	q.stall = time.AfterFunc(p.command.Stall, func() { p.kill(Hang, fmt.Errorf("no progress in %v", p.command.Stall)) })
	defer q.stall.Stop()
	if err := p.out.send(kindAsk, a, bodies...); err != nil {
		p.broken(err)
		<-p.dead
		return nil, p.fault
	}
	return q.follow(ctx)
}

// question is a request under way.
type question struct {
	*Process
	ask     Request
	each    func(runner.Step) error
	missing []*Image // those whose image embeddings are to come, in order
	stall   *time.Timer
	result  *runner.Result
	given   error         // why the request was given up
	told    chan struct{} // closed when the worker has been told
}

// follow takes the answer in.
func (q *question) follow(ctx context.Context) (*runner.Result, error) {
	defer func() {
		if q.told != nil {
			<-q.told // before the next request
		}
	}()
	end := ctx.Done()
	for {
		select {
		case <-end:
			end = nil
			q.giveUp(ctx.Err())
		case <-q.dead:
			return nil, q.fault
		case f := <-q.in:
			if q.given == nil {
				q.stall.Reset(q.command.Stall)
			}
			done, err := q.take(f)
			if done || err != nil {
				return q.result, err
			}
		}
	}
}

// giveUp tells the worker to stop. It has a moment to do so.
func (q *question) giveUp(why error) {
	if q.given != nil {
		return
	}
	q.given = why
	q.stall.Reset(grace)
	q.told = make(chan struct{})
	go func() { // a worker that hangs reads nothing; its end is waited for in follow
		defer close(q.told)
		q.out.send(kindCancel, nil)
	}()
}

// take reads one frame of the answer.
func (q *question) take(f frame) (done bool, err error) {
	switch f.kind {
	case kindProgress:
		return false, nil
	case kindImage:
		return false, q.image(f.body)
	case kindStep:
		return false, q.step(f)
	case kindDone:
		return true, q.done(f)
	case kindFailed:
		return true, q.failed(f)
	}
	return false, q.garbage("a frame of kind %q in an answer", f.kind)
}

func (q *question) image(rows []float32) error {
	if len(q.missing) == 0 || len(rows) != floats(q.Ready.Vision, true) || len(q.result.Steps) > 0 {
		return q.garbage("image embeddings of %d floats that nobody asked for", len(rows))
	}
	q.missing[0].Rows = rows
	q.missing = q.missing[1:]
	return nil
}

func (q *question) step(f frame) error {
	var s runner.Step
	if err := f.decode(&s); err != nil {
		return q.garbage("%w", err)
	}
	r := q.result
	if s.Token < 0 || int(s.Token) >= q.Ready.Vocabulary || len(s.Top) > q.ask.Top || len(r.Steps) >= q.ask.MaxTokens || len(q.missing) > 0 || len(s.Text) > 4096 || !utf8.ValidString(s.Text) {
		return q.garbage("step %d: %+v", len(r.Steps), s)
	}
	r.Steps, r.Tokens, r.Text = append(r.Steps, s), append(r.Tokens, s.Token), r.Text+s.Text
	if q.given == nil {
		if err := q.each(s); err != nil {
			q.giveUp(err)
		}
	}
	return nil
}

func (q *question) done(f frame) error {
	var d Done
	if err := f.decode(&d); err != nil || len(q.result.Steps) == 0 {
		return q.garbage("the end of an answer of %d tokens: %w", len(q.result.Steps), err)
	}
	q.result.PrefixTokens, q.result.Timings = slices.Clip(d.PrefixTokens), d.Timings
	return q.given
}

func (q *question) failed(f frame) error {
	var no Failed
	if err := f.decode(&no); err != nil {
		return q.garbage("%w", err)
	}
	switch {
	case q.given != nil:
		return q.given
	case no.Refused:
		return runner.InvalidRequestError{Err: errors.New(cut(no.Text))}
	}
	return fmt.Errorf("%w: %s", ErrFailed, cut(no.Text))
}
