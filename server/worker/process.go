package worker

// This file: a worker process, on the server's side: its start, its connection, its end.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Command says how a worker is started.
type Command struct {
	Path   string
	Args   []string
	Env    []string      // nil: this process's
	Stderr io.Writer     // nil: discarded
	Load   time.Duration // how long loading may take
	Stall  time.Duration // how long a request may show no progress
}

// Causes of a Fault.
const (
	Crash    = "crash"   // it ended: a fault, an abort, or it was killed
	Hang     = "hang"    // no progress in Command.Stall
	Protocol = "garbage" // it broke the protocol
	Load     = "load"    // the model could not be loaded
	Closed   = "closed"  // by Close
)

// Fault is the loss of a worker. The next request needs another.
type Fault struct {
	Cause   string
	Loading bool // before it had loaded the model
	Err     error
}

func (f *Fault) Error() string { return "worker lost (" + f.Cause + "): " + f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// ErrFailed is wrapped by the error of a request that the model failed to answer; the worker lives.
var ErrFailed = errors.New("the model failed")

// Process is a worker process with a loaded model. Of its methods Close, Dead and Pid are safe for
// concurrent use.
type Process struct {
	Ready Ready

	command Command
	process *exec.Cmd
	conn    io.ReadWriteCloser
	out     *frames
	in      chan frame
	limit   atomic.Int64 // floats of a frame's body

	once  sync.Once
	fault *Fault        // set once, before dead is closed
	dead  chan struct{} // closed when the process has ended
}

// Start starts a worker and waits until it has loaded the model, or until ctx ends. Unless ctx ends
// its error is a *Fault.
func Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{command: c, process: exec.Command(c.Path, c.Args...), in: make(chan frame), dead: make(chan struct{})}
	p.process.Env, p.process.Stderr, p.process.SysProcAttr = c.Env, c.Stderr, attributes()
	p.process.WaitDelay = time.Second
	if err := p.start(); err != nil {
		return nil, &Fault{Cause: Load, Loading: true, Err: err}
	}
	go p.read()
	late := time.AfterFunc(c.Load, func() { p.kill(Hang, fmt.Errorf("the model was not loaded in %v", c.Load)) })
	defer late.Stop()
	stop := context.AfterFunc(ctx, p.Close)
	defer stop()
	err := p.ready()
	if err != nil {
		p.Close()
		<-p.dead
	}
	var lost *Fault
	if errors.As(err, &lost) {
		lost.Loading = true
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return p, err
}

// start runs the process from a thread that lives as long: Linux ends a child, by attributes, with
// the thread that made it, and so with the server.
func (p *Process) start() error {
	conn, theirs, err := connect(p.process)
	if err != nil {
		return err
	}
	p.conn = conn
	p.out = &frames{w: p.conn}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.process.Start()
		theirs.Close()
		started <- err
		if err != nil {
			return
		}
		err = p.process.Wait()
		p.lose(Crash, fmt.Errorf("it ended: %v", err))
		p.conn.Close()
		close(p.dead)
	}()
	if err = <-started; err != nil {
		p.conn.Close()
	}
	return err
}

// lose records why the process ended, or is about to: the first cause counts.
func (p *Process) lose(cause string, err error) {
	p.once.Do(func() { p.fault = &Fault{Cause: cause, Err: err} })
}

// kill ends the process.
func (p *Process) kill(cause string, err error) {
	p.lose(cause, err)
	p.process.Process.Kill() // an error: it has ended
}

// Close ends the process. It does nothing the second time.
func (p *Process) Close() { p.kill(Closed, errors.New("closed")) }

// Dead is closed when the process has ended.
func (p *Process) Dead() <-chan struct{} { return p.dead }

// Cause returns what ended the process. It may be called when Dead is closed.
func (p *Process) Cause() string { return p.fault.Cause }

// OnGPU reports whether the worker runs its model on a GPU.
func (p *Process) OnGPU() bool { return p.Ready.GPU }

// Pid returns the process's id.
func (p *Process) Pid() int { return p.process.Process.Pid }

// read reads the worker's frames. A connection that ends, or that carries something else, is the
// end of the worker too.
func (p *Process) read() {
	for {
		f, err := readFrame(p.conn, func() int { return int(p.limit.Load()) })
		if err != nil {
			p.disconnect(err)
			return
		}
		select {
		case p.in <- f:
		case <-p.dead:
			return
		}
	}
}

// disconnect ends a process whose connection failed by err. One that is ending by itself gets a
// moment to do so: then its exit status is known.
func (p *Process) disconnect(err error) {
	if errors.Is(err, errFrame) {
		p.kill(Protocol, err)
		return
	}
	select {
	case <-p.dead:
	case <-time.After(300 * time.Millisecond):
		p.kill(Crash, err)
	}
}

// next waits for a frame.
func (p *Process) next() (frame, error) {
	select {
	case f := <-p.in:
		return f, nil
	case <-p.dead:
		return frame{}, p.fault
	}
}

// violation ends a worker that broke the protocol, and returns the *Fault.
func (p *Process) violation(format string, args ...any) error {
	p.kill(Protocol, fmt.Errorf(format, args...))
	<-p.dead
	return p.fault
}

// ready waits for the worker's first frame.
func (p *Process) ready() error {
	f, err := p.next()
	if err != nil {
		return err
	}
	var no Failed
	switch {
	case f.kind == kindFailed && f.decode(&no) == nil:
		return &Fault{Cause: Load, Err: errors.New(shorten(no.Text))}
	case f.kind != kindReady:
		return p.violation("a frame of kind %q before it was ready", f.kind)
	}
	if err := f.decode(&p.Ready); err != nil {
		return p.violation("%w", err)
	}
	c := p.Ready.Vision
	if c.PatchSize < 1 || c.ImageSize < c.PatchSize || c.ImageSize > 1<<13 || c.ProjectionDim < 1 ||
		c.ProjectionDim > 1<<16 || p.Ready.Vocabulary < 1 {
		return p.violation("sizes %+v", p.Ready)
	}
	p.limit.Store(int64(floats(c, true)))
	return nil
}
