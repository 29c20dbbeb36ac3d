package server

// This file: a request to the engine, as the handlers of all protocols make it.

import (
	"net"
	"net/http"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// defaultTokens is the longest answer of the native routes if a client names none, as on the command
// line.
const defaultTokens = 256

// request is a request to the engine.
type request struct {
	engine.Request
	model *Model
	form  *objectForm // nil: the answer is text
}

// tool returns the name of the function whose arguments the answer is, "" if it is none's.
func (q *request) tool() string {
	if q.form == nil {
		return ""
	}
	return q.form.tool
}

// canvas returns the canvas of the request's only image, whose bins are shares of divisor.
func (q *request) canvas(divisor float64) tasks.Canvas {
	img := q.Images[0]
	return tasks.Canvas{Width: img.Width, Height: img.Height, Divisor: divisor}
}

func newRequest(m *Model, client, prompt string) *request {
	return &request{model: m, Request: engine.Request{Model: &m.Model, Client: client, Prompt: prompt,
		Resize: imageproc.Antialias}}
}

// clientOf returns what identifies the client of r in the queue: address, program and web page.
func clientOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host + "\x00" + r.Header.Get("User-Agent") + "\x00" + r.Header.Get("Origin")
}

// timingsOf returns the timings of a reply in the form that the commands print them in.
func timingsOf(r *engine.Reply) tasks.Timings {
	return tasks.NewTimings(r.Timings, r.Queued, r.Load)
}
