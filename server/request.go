package server

// This file: a request to the engine, as the handlers of all protocols make it.

import (
	"net"
	"net/http"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// request is a request to the engine.
type request struct {
	engine.Request
	model *Model
	form  *objectForm // nil: the answer is text
}

// canvas says where the boxes of an answer lie: in the request's only image.
func (q *request) canvas(divisor float64) tasks.Canvas {
	img := q.Images[0]
	return tasks.Canvas{Width: img.Width, Height: img.Height, Divisor: divisor}
}

func newRequest(m *Model, client, prompt string) *request {
	return &request{model: m, Request: engine.Request{Model: &m.Model, Client: client, Prompt: prompt,
		Resize: imageproc.Antialias}}
}

// clientOf tells clients apart for the queue: by address, program and web page.
func clientOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host + "\x00" + r.Header.Get("User-Agent") + "\x00" + r.Header.Get("Origin")
}

// timingsOf returns the timings of a reply as the command line's --json has them.
func timingsOf(r *engine.Reply) tasks.Timings {
	t := tasks.NewTimings(r.Timings, r.Load)
	t.Queue = milliseconds(r.Queued)
	return t
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
