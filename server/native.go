package server

// This file: Pali's native routes, POST /v1/TASK.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/disintegration/imaging"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/draw"
)

// taskRequest is the body of POST /v1/TASK as JSON. A form has the same fields, and its files are
// the images.
type taskRequest struct {
	Model  string `json:"model"`
	Image  string `json:"image"` // a data URI, or base64
	Images list   `json:"images"`

	Lang     string `json:"lang"`     // caption, describe, ask
	Question string `json:"question"` // ask
	Things   list   `json:"things"`   // detect, segment
	Prompt   string `json:"prompt"`   // run

	MaxTokens   whole    `json:"max_tokens"`
	Temperature float64  `json:"temperature"`
	TopK        whole    `json:"top_k"`
	TopP        *float64 `json:"top_p"`
	MinP        float64  `json:"min_p"`
	Seed        *whole   `json:"seed"` // nil, or -1: another one each time
	Logprobs    whole    `json:"logprobs"`
	Resize      string   `json:"resize"`

	MinScore   float64 `json:"min_score"`   // detect, segment
	Free       *bool   `json:"free"`        // detect, segment: the answer may have any form
	Strict     *bool   `json:"strict"`      // detect, segment: the contrary of Free
	LocDivisor whole   `json:"loc_divisor"` // detect, segment

	// caption, describe, ask, ocr, run: a line of JSON for each piece of text, then the answer
	Stream bool `json:"stream"`

	files [][]byte // of a form
}

func (q *taskRequest) setDefaults() {
	q.Lang, q.MaxTokens, q.Resize, q.LocDivisor = "en", defaultTokens, string(imageproc.Antialias), tasks.LocDivisor
}

// takeForm implements formTaker.
func (q *taskRequest) takeForm(fields map[string][]string, files [][]byte) ([]byte, error) {
	q.files = files
	return formJSON(fields)
}

// textFields are the fields of a form that are texts; the others are JSON.
var textFields = map[string]bool{"model": true, "lang": true, "question": true, "prompt": true, "resize": true}

// freePrompt is the route whose prompt the client writes, and whose answer is text.
var freePrompt = tasks.Task{Name: "run"}

// nativeTasks are the native routes.
func nativeTasks() []tasks.Task { return append(slices.Clone(tasks.All), freePrompt) }

// prompt makes the prompt of a request to the route of a task.
func (q *taskRequest) prompt(t *tasks.Task) (tasks.Prompt, error) {
	if t.Name == freePrompt.Name {
		return tasks.Parse(q.Prompt), nil
	}
	return t.Prompt(q.Lang, q.Question, q.Things...)
}

// isStrict reports whether an answer about objects is constrained to their form, as it is by default.
func (q *taskRequest) isStrict() (bool, error) {
	switch {
	case q.Free != nil && q.Strict != nil && *q.Free == *q.Strict:
		return false, invalid("free and strict are both %v: want one of the two", *q.Free)
	case q.Free != nil:
		return !*q.Free, nil
	}
	return q.Strict == nil || *q.Strict, nil
}

// checkFields refuses fields that the route of t does nothing with.
func (q *taskRequest) checkFields(t *tasks.Task) error {
	for _, x := range []struct {
		field       string
		given, used bool
	}{
		{"lang", q.Lang != "en", t.Lang},
		{"question", q.Question != "", t.Question},
		{"things", len(q.Things) > 0, t.Labels},
		{"prompt", q.Prompt != "", t.Name == freePrompt.Name},
		{"min_score", q.MinScore != 0, t.Boxes},
		{"free", q.Free != nil, t.Boxes},
		{"strict", q.Strict != nil, t.Boxes},
		{"loc_divisor", q.LocDivisor != tasks.LocDivisor, t.Boxes},
	} {
		if x.given && !x.used {
			return invalid("%s does nothing on this route", x.field)
		}
	}
	return nil
}

// want is what a request wants of an answer to prompt.
func (q *taskRequest) want(prompt tasks.Prompt, x *engine.Request) tasks.Want {
	return tasks.Want{Prompt: prompt, MinScore: q.MinScore, MaxTokens: x.MaxTokens, Strict: x.Strict != nil,
		Masks: prompt.Masks()}
}

// task answers the route of a task.
func (s *Server) task(w http.ResponseWriter, r *http.Request, t *tasks.Task, q *taskRequest) error {
	if err := q.checkFields(t); err != nil {
		return err
	}
	prompt, err := q.prompt(t)
	if err != nil {
		return invalid("%s", err)
	}
	x, err := s.nativeRequest(r, t, q, prompt)
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
	out := newNDJSON(w, false)
	if q.Stream {
		x.Accepted = out.accept
	}
	got, err := s.engine.Generate(r.Context(), &x.Request, func(step runner.Step) error {
		if !q.Stream || step.Text == "" {
			return nil
		}
		return out.send(map[string]string{"text": step.Text})
	})
	if err != nil {
		return out.fail(err)
	}
	want := q.want(prompt, &x.Request)
	a := tasks.NewResponse(want, got.Result, got.Load)
	if x.TopLogprobs > 0 {
		a.Logprobs = tasks.Logprobs(got.Steps)
	}
	a.Timings, a.Seed = timingsOf(got), x.Sampling.Drawn()
	if t.Boxes {
		if err := a.AddDetections(got.Result, x.canvas(float64(q.LocDivisor)), want, x.model.Masks); err != nil {
			return err
		}
	}
	if asPNG {
		return s.sendPNG(w, r, x.Images[0], &a)
	}
	all := answerJSON{a, a.Lost.Sentences(tasks.OptionNames{MinScore: "min_score", MaxTokens: "max_tokens"})}
	if q.Stream {
		return out.send(all)
	}
	writeJSON(w, http.StatusOK, all)
	return nil
}

// answerJSON is the answer of a native route.
type answerJSON struct {
	tasks.Response
	Warnings []string `json:"warnings,omitempty"` // what was lost, in sentences
}

// nativeRequest makes the request to the engine.
func (s *Server) nativeRequest(r *http.Request, t *tasks.Task, q *taskRequest, prompt tasks.Prompt) (*request, error) {
	m, err := s.model(q.Model)
	if err != nil {
		return nil, err
	}
	x := newRequest(m, clientOf(r), prompt.Text)
	if x.Resize, err = imageproc.ParseResize(q.Resize); err != nil {
		return nil, invalid("resize: want one of %v", imageproc.Resizes)
	}
	x.MaxTokens, x.TopLogprobs = int(q.MaxTokens), int(q.Logprobs)
	x.Sampling = runner.Sampling{Temperature: q.Temperature, TopK: int(q.TopK), MinP: q.MinP, Seed: seed(q.Seed)}
	set(&x.Sampling.TopP, q.TopP)
	for _, data := range q.files {
		x.Images = append(x.Images, &engine.Image{Data: data})
	}
	named, err := s.images.readAll(r.Context(), q.imageTexts())
	if err != nil {
		return nil, err
	}
	x.Images = append(x.Images, named...)
	switch {
	case t.Boxes && len(x.Images) > 1:
		return nil, invalid("%d images: objects are found in one", len(x.Images))
	case q.LocDivisor != 1023 && q.LocDivisor != 1024:
		return nil, invalid("loc_divisor %d: want 1023 or 1024", q.LocDivisor)
	case !(q.MinScore >= 0 && q.MinScore <= 1):
		return nil, invalid("min_score %v: want 0 to 1", q.MinScore)
	}
	strict, err := q.isStrict()
	if err != nil || !strict || !t.Boxes {
		return x, err
	}
	x.Strict = &engine.Strict{Labels: prompt.Labels, Masks: t.Masks}
	if err := tasks.CheckTokens(prompt.Labels, t.Masks, x.MaxTokens); err != nil {
		return nil, invalid(`%s: allow more with max_tokens, or any form with "free": true`, err)
	}
	return x, nil
}

// imageTexts returns the images of the request that are not files of a form.
func (q *taskRequest) imageTexts() (all []imageText) {
	if q.Image != "" {
		all = append(all, imageText{"image", q.Image})
	}
	for i, text := range q.Images {
		all = append(all, imageText{fmt.Sprintf("images[%d]", i), text})
	}
	return all
}

// formJSON returns the JSON body that says the same as the fields of a form.
func formJSON(fields map[string][]string) ([]byte, error) {
	all := map[string]any{}
	for name, values := range fields {
		switch {
		case name == "things":
			all[name] = values
		case len(values) > 1:
			return nil, invalid("%s: the form has this field twice", shorten(name, maxEcho))
		case textFields[name]:
			all[name] = values[0]
		case json.Valid([]byte(values[0])):
			all[name] = json.RawMessage(values[0])
		default:
			return nil, invalid("%s: want a number, or true or false, found %s", shorten(name, maxEcho), echo(values[0]))
		}
	}
	return json.Marshal(all)
}

// wantsPNG reports whether r wants the image with its objects: Accept has image/png before
// application/json.
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

// maxLostHeader bounds a header that says what was lost, in bytes: the labels of free answers are long
// now and then.
const maxLostHeader = 2000

// lostHeader returns what was lost as a header.
func lostHeader(lost tasks.Losses) string {
	text := inASCII(encodeJSON(lost))
	if len(text) <= maxLostHeader {
		return text
	}
	n := 0
	for _, count := range lost.Unasked {
		n += count
	}
	lost.Unasked = map[string]int{"...": n}
	return inASCII(encodeJSON(lost))
}

// sendPNG answers with the image, the objects of a drawn on it. What was lost is in a header, as JSON.
func (s *Server) sendPNG(w http.ResponseWriter, r *http.Request, img *engine.Image, a *tasks.Response) error {
	decoded, release, err := s.engine.Decode(r.Context(), img.Data)
	if err != nil {
		return err
	}
	defer release()
	var b bytes.Buffer
	if err := imaging.Encode(&b, draw.Objects(decoded.Pix, decoded.Width, decoded.Height, a.Objects),
		imaging.PNG); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	if !a.Lost.IsZero() {
		w.Header().Set("Pali-Lost", lostHeader(a.Lost))
	}
	w.Write(b.Bytes())
	return nil
}
