package server

// This file: OpenAI's responses, in the part that fits: one answer, kept nowhere. Before it: openai.go. After it: chat.go.

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

type responsesRequest struct {
	Model           string          `json:"model"`
	Input           json.RawMessage `json:"input"` // a text, or a list of messages
	MaxOutputTokens *int            `json:"max_output_tokens"`
	Temperature     *float64        `json:"temperature"`
	TopP            *float64        `json:"top_p"`
	TopLogprobs     *int            `json:"top_logprobs"`
	Include         []string        `json:"include"`
	Stream          bool            `json:"stream"`
	Text            struct {
		Format *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
			Strict bool            `json:"strict"`
		} `json:"format"`
	} `json:"text"`
	Metadata json.RawMessage `json:"metadata"`

	Instructions json.RawMessage `json:"instructions"`
	Previous     json.RawMessage `json:"previous_response_id"`
	Conversation json.RawMessage `json:"conversation"`
	Prompt       json.RawMessage `json:"prompt"`
	Tools        json.RawMessage `json:"tools"`
	Background   bool            `json:"background"`
}

func (q *responsesRequest) refuse() error {
	for _, c := range []struct {
		asked bool
		text  string
	}{
		{given(q.Instructions), "instructions: PaliGemma takes none, they would be passed over; put all into the input"},
		{given(q.Previous) || given(q.Conversation), "previous_response_id and conversation: answers are kept nowhere; send the messages again"},
		{given(q.Prompt), "prompt: templates are kept nowhere"},
		{given(q.Tools), "tools: PaliGemma calls none"},
		{q.Background, "background: answers are kept nowhere"},
	} {
		if c.asked {
			return unsupported("not supported: %s", c.text)
		}
	}
	return nil
}

// turns reads the input.
func (q *responsesRequest) turns() ([]turn, error) {
	var text string
	if json.Unmarshal(q.Input, &text) == nil {
		return []turn{{role: "user", texts: []string{text}}}, nil
	}
	var items []struct {
		Type string `json:"type"`
		chatMessage
	}
	if json.Unmarshal(q.Input, &items) != nil {
		return nil, invalid("input: want a text or a list of messages")
	}
	var all []turn
	for _, i := range items {
		if i.Type != "" && i.Type != "message" {
			return nil, unsupported("an item of the input that is no message")
		}
		t, err := turnOf(i.Role, i.Content)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (q *responsesRequest) form() (*objectForm, error) {
	if q.Text.Format == nil {
		return nil, nil
	}
	f := &responseFormat{Type: q.Text.Format.Type}
	f.JSONSchema.Schema, f.JSONSchema.Strict = q.Text.Format.Schema, q.Text.Format.Strict
	return f.form()
}

func (s *Server) responses(w http.ResponseWriter, r *http.Request) error {
	var q responsesRequest
	done, err := s.readJSON(w, r, &q, false)
	if err != nil {
		return err
	}
	defer done()
	if err := q.refuse(); err != nil {
		return err
	}
	c := &chat{model: q.Model, client: clientOf(r), settings: settings{maxTokens: q.MaxOutputTokens, temperature: q.Temperature, topP: q.TopP}}
	if q.TopLogprobs != nil {
		c.settings.logprobs = *q.TopLogprobs
	}
	if c.turns, err = q.turns(); err != nil {
		return err
	}
	if c.form, err = q.form(); err != nil {
		return err
	}
	x, err := s.conversation(r.Context(), c)
	if err != nil {
		return err
	}
	out := &responseWriter{events: events{w: w}, request: &q, message: newID("msg_"), response: newResponse(x, &q)}
	got, err := s.complete(r.Context(), x, c.form, out.piece)
	if err != nil {
		return out.fail(err)
	}
	return out.end(got)
}

// responseJSON is a response.
type responseJSON struct {
	ID         string          `json:"id"`
	Object     string          `json:"object"`
	Created    int64           `json:"created_at"`
	Status     string          `json:"status"`
	Error      *string         `json:"error"`
	Incomplete *incompleteJSON `json:"incomplete_details"`
	Instr      *string         `json:"instructions"`
	Model      string          `json:"model"`
	Output     []outputJSON    `json:"output"`
	MaxTokens  int             `json:"max_output_tokens"`
	Temp       float64         `json:"temperature"`
	TopP       float64         `json:"top_p"`
	Parallel   bool            `json:"parallel_tool_calls"`
	ToolChoice string          `json:"tool_choice"`
	Tools      []string        `json:"tools"`
	Previous   *string         `json:"previous_response_id"`
	Store      bool            `json:"store"`
	Text       any             `json:"text"`
	Truncation string          `json:"truncation"`
	Usage      *responseUsage  `json:"usage"`
	Metadata   json.RawMessage `json:"metadata"`
	Timings    *tasks.Timings  `json:"timings,omitempty"`
}

type incompleteJSON struct {
	Reason string `json:"reason"`
}

type outputJSON struct {
	Type    string     `json:"type"`
	ID      string     `json:"id"`
	Status  string     `json:"status"`
	Role    string     `json:"role"`
	Content []partJSON `json:"content"`
}

type partJSON struct {
	Type        string      `json:"type"`
	Text        string      `json:"text"`
	Annotations []string    `json:"annotations"`
	Logprobs    []tokenJSON `json:"logprobs"`
}

type responseUsage struct {
	Input        int            `json:"input_tokens"`
	InputDetails map[string]int `json:"input_tokens_details"`
	Output       int            `json:"output_tokens"`
	OutDetails   map[string]int `json:"output_tokens_details"`
	Total        int            `json:"total_tokens"`
}

func newResponse(x *question, q *responsesRequest) responseJSON {
	r := responseJSON{ID: newID("resp_"), Object: "response", Created: time.Now().Unix(), Status: "in_progress", Model: x.model.Name, Output: []outputJSON{},
		MaxTokens: x.maxTokens, Temp: x.sampling.Temperature, TopP: 1, ToolChoice: "none", Tools: []string{}, Truncation: "disabled", Metadata: json.RawMessage(`{}`),
		Text: map[string]any{"format": map[string]string{"type": "text"}}}
	if q.Text.Format != nil {
		r.Text = q.Text
	}
	if x.sampling.TopP > 0 {
		r.TopP = x.sampling.TopP
	}
	if given(q.Metadata) {
		r.Metadata = q.Metadata
	}
	return r
}

// responseWriter writes a response, whole or as its events.
type responseWriter struct {
	events
	request  *responsesRequest
	response responseJSON
	message  string // its id
	number   int    // of the next event
}

// event sends an event: its name is in it too.
func (o *responseWriter) event(name string, fields map[string]any) error {
	fields["type"], fields["sequence_number"] = name, o.number
	o.number++
	return o.send(name, fields)
}

// part is a place in the response: its only part of its only message.
func (o *responseWriter) part(more map[string]any) map[string]any {
	more["item_id"], more["output_index"], more["content_index"] = o.message, 0, 0
	return more
}

// begin sends what comes before the text.
func (o *responseWriter) begin() error {
	if o.number > 0 {
		return nil
	}
	empty := partJSON{Type: "output_text", Annotations: []string{}, Logprobs: []tokenJSON{}}
	for _, e := range []struct {
		name   string
		fields map[string]any
	}{
		{"response.created", map[string]any{"response": o.response}},
		{"response.in_progress", map[string]any{"response": o.response}},
		{"response.output_item.added", map[string]any{"output_index": 0, "item": outputJSON{"message", o.message, "in_progress", "assistant", []partJSON{}}}},
		{"response.content_part.added", o.part(map[string]any{"part": empty})},
	} {
		if err := o.event(e.name, e.fields); err != nil {
			return err
		}
	}
	return nil
}

func (o *responseWriter) piece(text string, step *runner.Step) error {
	if !o.request.Stream || text == "" {
		return nil
	}
	if err := o.begin(); err != nil {
		return err
	}
	return o.event("response.output_text.delta", o.part(map[string]any{"delta": text, "logprobs": o.logprobs(step)}))
}

func (o *responseWriter) logprobs(steps ...*runner.Step) []tokenJSON {
	all := []tokenJSON{}
	for _, s := range steps {
		if s != nil && slices.Contains(o.request.Include, "message.output_text.logprobs") {
			all = append(all, logprobsOf([]runner.Step{*s})...)
		}
	}
	return all
}

// end completes the response and sends what is left.
func (o *responseWriter) end(got *completion) error {
	if o.request.Stream {
		if err := o.begin(); err != nil { // an empty answer
			return err
		}
	}
	t := got.timings()
	part := partJSON{"output_text", got.text, []string{}, []tokenJSON{}}
	for i := range got.Steps {
		part.Logprobs = append(part.Logprobs, o.logprobs(&got.Steps[i])...)
	}
	r := &o.response
	r.Status, r.Timings = "completed", &t
	if got.finish == "length" {
		r.Status, r.Incomplete = "incomplete", &incompleteJSON{"max_output_tokens"}
	}
	item := outputJSON{"message", o.message, r.Status, "assistant", []partJSON{part}}
	r.Output = []outputJSON{item}
	r.Usage = &responseUsage{t.PrefillTokens, map[string]int{"cached_tokens": 0}, t.DecodeTokens, map[string]int{"reasoning_tokens": 0}, t.PrefillTokens + t.DecodeTokens}
	if !o.request.Stream {
		writeJSON(o.w, http.StatusOK, r)
		return nil
	}
	for _, e := range []struct {
		name   string
		fields map[string]any
	}{
		{"response.output_text.done", o.part(map[string]any{"text": got.text, "logprobs": part.Logprobs})},
		{"response.content_part.done", o.part(map[string]any{"part": part})},
		{"response.output_item.done", map[string]any{"output_index": 0, "item": item}},
		{"response." + r.Status, map[string]any{"response": r}},
	} {
		if err := o.event(e.name, e.fields); err != nil {
			return err
		}
	}
	return nil
}

// fail ends the events with an error. Where none was sent it returns it.
func (o *responseWriter) fail(err error) error {
	if o.number == 0 {
		return err
	}
	f := asFailure(err)
	o.event("error", map[string]any{"code": f.code, "message": f.text, "param": nil}) // an error: the client went away
	return nil
}
