package server

// This file: OpenAI's models and chat completions (platform.openai.com/docs/api-reference). Before it: guard.go. After it: chat.go.

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

func (s *Server) openai() []route {
	return []route{
		{"GET /v1/models", http.HandlerFunc(s.listModels)},
		{"GET /v1/models/{model...}", http.HandlerFunc(s.oneModel)},
		{"POST /v1/chat/completions", failing(s.chatCompletions)},
		{"POST /v1/responses", failing(s.responses)},
	}
}

// failing answers with the error that a route returns.
func failing(do func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			fail(w, err)
		}
	})
}

type modelJSON struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (m *Model) openai() modelJSON {
	return modelJSON{m.Name, "model", m.About.Modified.Unix(), "pali"}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	all := []modelJSON{}
	for _, m := range s.Models {
		all = append(all, m.openai())
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": all})
}

func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) {
	m, err := s.model(r.PathValue("model"))
	if err != nil || r.PathValue("model") == "" {
		fail(w, errNoModel)
		return
	}
	writeJSON(w, http.StatusOK, m.openai())
}

// chatRequest is what is looked at of a request. What the model cannot do is looked at to be refused.
type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	Seed                *int64          `json:"seed"`
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         *int            `json:"top_logprobs"`
	ResponseFormat      *responseFormat `json:"response_format"`
	Stream              bool            `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	N                *int            `json:"n"`
	Stop             json.RawMessage `json:"stop"`
	Tools            json.RawMessage `json:"tools"`
	Functions        json.RawMessage `json:"functions"`
	LogitBias        json.RawMessage `json:"logit_bias"`
	Audio            json.RawMessage `json:"audio"`
	PresencePenalty  float64         `json:"presence_penalty"`
	FrequencyPenalty float64         `json:"frequency_penalty"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema json.RawMessage `json:"schema"`
		Strict bool            `json:"strict"`
	} `json:"json_schema"`
}

// given tells whether a field that may have any form says something.
func given(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "[]", "{}", `""`:
		return false
	}
	return true
}

// refuse names the first thing that is asked for and cannot be had.
func (q *chatRequest) refuse() error {
	for _, c := range []struct {
		asked bool
		text  string
	}{
		{q.N != nil && *q.N != 1, "n: one answer is given to a request"},
		{given(q.Tools) || given(q.Functions), "tools: PaliGemma calls none"},
		{given(q.Stop), "stop: PaliGemma ends its answers itself"},
		{given(q.LogitBias), "logit_bias"},
		{given(q.Audio), "audio"},
		{q.PresencePenalty != 0 || q.FrequencyPenalty != 0, "presence_penalty and frequency_penalty"},
	} {
		if c.asked {
			return unsupported("not supported: %s", c.text)
		}
	}
	if q.TopLogprobs != nil && *q.TopLogprobs > 0 && !q.Logprobs {
		return invalid("top_logprobs: it wants logprobs to be true")
	}
	return nil
}

// form reads response_format.
func (f *responseFormat) form() (*objectForm, error) {
	if f == nil {
		return nil, nil
	}
	switch f.Type {
	case "", "text":
		return nil, nil
	case "json_object":
		return anyForm, nil
	case "json_schema":
		return parseSchema(f.JSONSchema.Schema, f.JSONSchema.Strict)
	}
	return nil, unsupported("response_format: want text, json_object or json_schema")
}

// chatMessage is a message: its content is a text, or a list of parts.
type chatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// contentPart is a part of a message, of chat completions and of responses.
type contentPart struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	ImageURL json.RawMessage `json:"image_url"` // {"url": ...}, or the text
}

// turnOf reads a message.
func turnOf(role string, content json.RawMessage) (turn, error) {
	t := turn{role: role}
	var text string
	if !given(content) {
		return t, nil
	}
	if json.Unmarshal(content, &text) == nil {
		t.texts = []string{text}
		return t, nil
	}
	var parts []contentPart
	if json.Unmarshal(content, &parts) != nil {
		return t, invalid("a message's content: want a text or a list of parts")
	}
	for _, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text":
			t.texts = append(t.texts, p.Text)
		case "image_url", "input_image":
			var url string
			var object struct{ URL string }
			if json.Unmarshal(p.ImageURL, &url) != nil && json.Unmarshal(p.ImageURL, &object) == nil {
				url = object.URL
			}
			if url == "" {
				return t, invalid("an image of a message: want image_url with a data URI")
			}
			t.pictures = append(t.pictures, url)
		default:
			return t, unsupported("a part of a message that is neither text nor an image")
		}
	}
	return t, nil
}

func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) error {
	var q chatRequest
	done, err := s.readJSON(w, r, &q, false)
	if err != nil {
		return err
	}
	defer done()
	if err := q.refuse(); err != nil {
		return err
	}
	c := &chat{model: q.Model, client: clientOf(r), settings: settings{maxTokens: q.MaxTokens, temperature: q.Temperature, topP: q.TopP, seed: q.Seed}}
	if q.MaxCompletionTokens != nil {
		c.settings.maxTokens = q.MaxCompletionTokens
	}
	if q.TopLogprobs != nil {
		c.settings.logprobs = *q.TopLogprobs
	}
	for _, m := range q.Messages {
		t, err := turnOf(m.Role, m.Content)
		if err != nil {
			return err
		}
		c.turns = append(c.turns, t)
	}
	if c.form, err = q.ResponseFormat.form(); err != nil {
		return err
	}
	x, err := s.conversation(r.Context(), c)
	if err != nil {
		return err
	}
	out := &chatWriter{events: events{w: w}, id: newID("chatcmpl-"), created: time.Now().Unix(), model: x.model.Name, request: &q}
	got, err := s.complete(r.Context(), x, c.form, out.piece)
	if err != nil {
		return out.fail(err)
	}
	return out.end(got)
}

// newID makes a name for an answer.
func newID(prefix string) string {
	var b [12]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s%x", prefix, b)
}

// chatWriter writes an answer in OpenAI's form, whole or as a stream.
type chatWriter struct {
	events
	id, model string
	created   int64
	request   *chatRequest
	said      bool // the role
}

// chatJSON is a completion, or a chunk of one.
type chatJSON struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Model   string         `json:"model"`
	Choices []choiceJSON   `json:"choices"`
	Usage   *usageJSON     `json:"usage,omitempty"`
	Timings *tasks.Timings `json:"timings,omitempty"`
}

type choiceJSON struct {
	Index    int           `json:"index"`
	Message  *messageJSON  `json:"message,omitempty"`
	Delta    *deltaJSON    `json:"delta,omitempty"`
	Logprobs *logprobsJSON `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

type messageJSON struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

type deltaJSON struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type usageJSON struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

type logprobsJSON struct {
	Content []tokenJSON `json:"content"`
	Refusal *string     `json:"refusal"`
}

type tokenJSON struct {
	Token   string      `json:"token"`
	Logprob float64     `json:"logprob"`
	Bytes   []int       `json:"bytes"`
	Top     []tokenJSON `json:"top_logprobs"`
}

// logprobsOf lists tokens with their probabilities, but for the one that ends the answer.
func logprobsOf(steps []runner.Step) []tokenJSON {
	one := func(text string, logprob float64) tokenJSON {
		t := tokenJSON{Token: text, Logprob: logprob, Bytes: []int{}, Top: []tokenJSON{}}
		for _, b := range []byte(text) {
			t.Bytes = append(t.Bytes, int(b))
		}
		return t
	}
	all := []tokenJSON{}
	for _, s := range steps {
		if s.Token == paligemma.EOS {
			continue
		}
		t := one(s.Text, s.Logprob)
		for _, a := range s.Top {
			t.Top = append(t.Top, one(a.Text, a.Logprob))
		}
		all = append(all, t)
	}
	return all
}

func (o *chatWriter) whole(object string, choices ...choiceJSON) chatJSON {
	return chatJSON{ID: o.id, Object: object, Created: o.created, Model: o.model, Choices: append([]choiceJSON{}, choices...)}
}

// piece sends a part of the answer, if it is a stream.
func (o *chatWriter) piece(text string, step *runner.Step) error {
	if !o.request.Stream || text == "" {
		return nil
	}
	c := choiceJSON{Delta: &deltaJSON{Content: &text}}
	if !o.said {
		o.said, c.Delta.Role = true, "assistant"
	}
	if o.request.Logprobs && step != nil {
		c.Logprobs = &logprobsJSON{Content: logprobsOf([]runner.Step{*step})}
	}
	return o.send("", o.whole("chat.completion.chunk", c))
}

// end sends what is left.
func (o *chatWriter) end(got *completion) error {
	t := got.timings()
	usage := &usageJSON{t.PrefillTokens, t.DecodeTokens, t.PrefillTokens + t.DecodeTokens}
	if !o.request.Stream {
		c := choiceJSON{Message: &messageJSON{Role: "assistant", Content: got.text}, Finish: &got.finish}
		if o.request.Logprobs {
			c.Logprobs = &logprobsJSON{Content: logprobsOf(got.Steps)}
		}
		all := o.whole("chat.completion", c)
		all.Usage, all.Timings = usage, &t
		writeJSON(o.w, http.StatusOK, all)
		return nil
	}
	last := o.whole("chat.completion.chunk", choiceJSON{Delta: &deltaJSON{}, Finish: &got.finish})
	last.Timings = &t
	if err := o.send("", last); err != nil {
		return err
	}
	if o.request.StreamOptions.IncludeUsage {
		all := o.whole("chat.completion.chunk")
		all.Usage = usage
		if err := o.send("", all); err != nil {
			return err
		}
	}
	return o.done()
}
