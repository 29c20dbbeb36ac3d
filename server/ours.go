package server

// This file: Pali's own routes, POST /v1/TASK. Before it: guard.go. After it: ask.go, and package tasks, which the command line writes its answers with.

import (
	"bytes"
	"encoding/json"
	"image/png"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/draw"
)

// taskRequest is the body of POST /v1/TASK, as JSON; a form has the same fields, and its files are the images.
type taskRequest struct {
	Model  string   `json:"model"`
	Image  string   `json:"image"` // a data URI, or base64
	Images []string `json:"images"`

	Lang     string   `json:"lang"`     // caption, describe, ask
	Question string   `json:"question"` // ask
	Things   []string `json:"things"`   // detect, segment
	Prompt   string   `json:"prompt"`   // run

	MaxTokens   int      `json:"max_tokens"`
	Temperature float64  `json:"temperature"`
	TopK        int      `json:"top_k"`
	TopP        *float64 `json:"top_p"`
	MinP        float64  `json:"min_p"`
	Seed        uint64   `json:"seed"`
	Logprobs    int      `json:"logprobs"`
	Resize      string   `json:"resize"`

	MinScore   float64 `json:"min_score"`   // detect, segment
	Strict     bool    `json:"strict"`      // detect, segment
	LocDivisor int     `json:"loc_divisor"` // detect, segment

	Stream bool `json:"stream"` // caption, describe, ask, ocr, run: a line of JSON for each piece of text, then the answer
}

// texts are the fields of a form that are texts; the others are JSON.
var texts = map[string]bool{"model": true, "lang": true, "question": true, "prompt": true, "resize": true}

// freePrompt is the route whose prompt the client writes, and whose answer is text.
var freePrompt = tasks.Task{Name: "run"}

func (s *Server) ours() (all []route) {
	for _, t := range append(slices.Clone(tasks.All), freePrompt) {
		all = append(all, route{"POST /v1/" + t.Name, failing(func(w http.ResponseWriter, r *http.Request) error { return s.task(w, r, &t) })})
	}
	return all
}

// prompt makes the prompt of a request to the route of a task.
func (q *taskRequest) prompt(t *tasks.Task) (tasks.Prompt, error) {
	if t.Name == freePrompt.Name {
		return tasks.Parse(q.Prompt), nil
	}
	return t.Prompt(q.Lang, q.Question, q.Things...)
}

// task answers one of our routes.
func (s *Server) task(w http.ResponseWriter, r *http.Request, t *tasks.Task) error {
	q := taskRequest{Lang: "en", MaxTokens: 256, Resize: string(imageproc.Antialias), LocDivisor: tasks.LocDivisor}
	files, done, err := s.readTask(w, r, &q)
	if err != nil {
		return err
	}
	defer done()
	x, err := s.question(r, t, &q, files)
	if err != nil {
		return err
	}
	asPNG, err := wantsPNG(r, t)
	if err != nil {
		return err
	}
	if q.Stream && t.Boxes {
		return invalid("stream: objects come when the answer is complete")
	}
	out := &lines{w: w}
	got, err := s.ask(r.Context(), x, func(step runner.Step) error {
		if !q.Stream || step.Text == "" {
			return nil
		}
		return out.send(map[string]string{"text": step.Text})
	})
	if err != nil {
		return out.fail(err)
	}
	a := answerOf(x, got)
	if t.Boxes {
		p := x.pictures[0]
		if err := a.AddDetections(got.Result, tasks.Canvas{Width: p.width, Height: p.height, Divisor: float64(q.LocDivisor)}, q.MinScore, x.model.Masks); err != nil {
			return err
		}
	}
	switch {
	case asPNG:
		return s.sendPNG(w, r, x.pictures[0], a.Objects)
	case q.Stream:
		return out.send(a)
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

// answerOf is the answer as the command line's --json has it.
func answerOf(q *question, got *reply) tasks.Response {
	a := tasks.NewResponse(q.prompt, got.Result, got.load)
	if q.top > 0 {
		a.Logprobs = tasks.Logprobs(got.Steps)
	}
	a.Timings.Queue = ms(got.queued)
	return a
}

// readTask reads the body: JSON, or a form.
func (s *Server) readTask(w http.ResponseWriter, r *http.Request, q *taskRequest) (files [][]byte, done func(), err error) {
	media, parameters, err := contentType(r)
	if err != nil {
		return nil, nil, err
	}
	b, done, err := s.body(w, r)
	if err != nil {
		return nil, nil, err
	}
	if media == "multipart/form-data" {
		var fields map[string][]string
		if fields, files, err = readForm(b, parameters["boundary"]); err == nil {
			b, err = formJSON(fields)
		}
	}
	if err == nil {
		err = decodeJSON(b, q, true)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return files, done, nil
}

// formJSON writes the fields of a form as the JSON body that says the same.
func formJSON(fields map[string][]string) ([]byte, error) {
	all := map[string]any{}
	for name, values := range fields {
		switch {
		case name == "things":
			all[name] = values
		case len(values) > 1:
			return nil, invalid("the form has a field twice")
		case texts[name]:
			all[name] = values[0]
		case json.Valid([]byte(values[0])):
			all[name] = json.RawMessage(values[0])
		default:
			return nil, invalid("a field of the form is no number and no truth value")
		}
	}
	return json.Marshal(all)
}

// question makes the question of a request.
func (s *Server) question(r *http.Request, t *tasks.Task, q *taskRequest, files [][]byte) (*question, error) {
	m, err := s.model(q.Model)
	if err != nil {
		return nil, err
	}
	prompt, err := q.prompt(t)
	if err != nil {
		return nil, invalid("%s", err)
	}
	resize, err := imageproc.ParseResize(q.Resize)
	if err != nil {
		return nil, invalid("resize: want one of %v", imageproc.Resizes)
	}
	x := &question{model: m, prompt: prompt.Text, resize: resize, maxTokens: q.MaxTokens, top: q.Logprobs, client: clientOf(r),
		sampling: runner.Sampling{Temperature: q.Temperature, TopK: q.TopK, MinP: q.MinP, Seed: q.Seed}}
	if q.TopP != nil {
		x.sampling.TopP = *q.TopP
	}
	for _, data := range files {
		x.pictures = append(x.pictures, &picture{data: data})
	}
	if q.Image != "" {
		q.Images = append([]string{q.Image}, q.Images...)
	}
	for _, text := range q.Images[:min(len(q.Images), runner.MaxImages+1)] {
		p, err := s.picture(r.Context(), text)
		if err != nil {
			return nil, err
		}
		x.pictures = append(x.pictures, p)
	}
	switch {
	case t.Boxes && len(x.pictures) > 1:
		return nil, invalid("%d images: objects are found in one", len(x.pictures))
	case q.LocDivisor != 1023 && q.LocDivisor != 1024:
		return nil, invalid("loc_divisor %d: want 1023 or 1024", q.LocDivisor)
	case !(q.MinScore >= 0 && q.MinScore <= 1):
		return nil, invalid("min_score %v: want 0 to 1", q.MinScore)
	}
	if q.Strict && t.Boxes {
		x.strict = &worker.Strict{Labels: prompt.Labels, Masks: t.Masks}
	}
	return x, nil
}

// clientOf tells clients apart for the queue: by address and program.
func clientOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host + "\x00" + r.Header.Get("User-Agent") + "\x00" + r.Header.Get("Origin")
}

// wantsPNG tells whether the image with its objects is wanted: Accept names image/png before application/json.
func wantsPNG(r *http.Request, t *tasks.Task) (bool, error) {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case "image/png":
			if !t.Boxes {
				return false, failuref(http.StatusNotAcceptable, "accept", "the answer is text, not an image")
			}
			return true, nil
		case "application/json":
			return false, nil
		}
	}
	return false, nil
}

// sendPNG answers with the image, the objects drawn on it.
func (s *Server) sendPNG(w http.ResponseWriter, r *http.Request, p *picture, objects []tasks.Detection) error {
	decoded, err := s.decode(r.Context(), p.data)
	if err != nil {
		return err
	}
	defer func() { <-s.decoders }()
	var b bytes.Buffer
	if err := png.Encode(&b, draw.Objects(decoded.Pix, decoded.Width, decoded.Height, objects)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(b.Bytes())
	return nil
}

// lines is an answer of one JSON value a line.
type lines struct {
	w     http.ResponseWriter
	plain bool // an error is a text, as Ollama has it
	begun bool
}

func (l *lines) send(v any) error {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
	}
	if _, err := l.w.Write(encodeJSON(v)); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

// fail ends the lines with an error. Where none was sent it returns it.
func (l *lines) fail(err error) error {
	if !l.begun {
		return err
	}
	if f := asFailure(err); l.plain {
		l.send(f.plain()) // an error: the client went away
	} else {
		l.send(f.json())
	}
	return nil
}
