package server

// This file: OpenAI's responses, in the part that fits: one answer, which is not stored.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

type responsesRequest struct {
	Model           string          `json:"model"`
	Input           json.RawMessage `json:"input"` // a text, or a list of messages
	MaxOutputTokens *whole          `json:"max_output_tokens"`
	Temperature     *float64        `json:"temperature"`
	TopP            *float64        `json:"top_p"`
	Seed            *whole          `json:"seed"` // not OpenAI's: as on its other route
	TopLogprobs     *whole          `json:"top_logprobs"`
	Include         list            `json:"include"`
	Stream          bool            `json:"stream"`
	Text            struct {
		Format *responseFormat `json:"format"`
	} `json:"text"`
	Metadata json.RawMessage `json:"metadata"`
}

type responseFormat struct {
	Type string `json:"type"`
	schemaRef
}

// chat converts the request to the common form, or refuses it.
func (q *responsesRequest) chat(r *http.Request) (*chat, error) {
	c := &chat{model: q.Model, client: clientOf(r), settings: settings{
		temperature: q.Temperature, topP: q.TopP, seed: q.Seed}}
	err := c.settings.limit("max_output_tokens", q.MaxOutputTokens)
	if err != nil {
		return nil, err
	}
	if q.TopLogprobs != nil {
		c.settings.topLogprobs = int(*q.TopLogprobs)
	}
	if c.messages, err = q.messages(); err != nil {
		return nil, err
	}
	if f := q.Text.Format; f != nil {
		c.form, err = formOf("text.format", f.Type, "text.format.schema", f.schemaRef)
	}
	return c, err
}

// messages reads the input.
func (q *responsesRequest) messages() ([]message, error) {
	var text string
	if json.Unmarshal(q.Input, &text) == nil && isSet(q.Input) {
		return []message{{role: "user", texts: []string{text}}}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(q.Input, &items); err == nil && len(items) == 0 && jsonKind(q.Input) == "array" {
		return nil, invalid("input: there is no message: want the user's, with a prompt and an image")
	} else if err != nil || !isSet(q.Input) {
		return nil, wrongKind("input", "a text or a list of messages", q.Input)
	}
	var wire []wireMessage
	for i, raw := range items {
		var item struct {
			Type string `json:"type"`
			wireMessage
		}
		if json.Unmarshal(raw, &item) != nil {
			return nil, wrongKind(fmt.Sprintf("input[%d]", i), "a message", raw)
		}
		if item.Type != "" && item.Type != "message" {
			return nil, unsupported("input[%d]: an item of type %s, which is not a message", i, echo(item.Type))
		}
		wire = append(wire, item.wireMessage)
	}
	return parseMessages("input", wire)
}

func (s *Server) responses(w http.ResponseWriter, r *http.Request, q *responsesRequest) error {
	c, err := q.chat(r)
	if err != nil {
		return err
	}
	x, err := s.conversation(r.Context(), c)
	if err != nil {
		return err
	}
	out := &responseWriter{events: newEvents(w), request: q, message: newID("msg_"), response: newResponse(x, q)}
	if q.Stream {
		x.Accepted = out.accepted
	}
	got, err := s.complete(r.Context(), x, out.piece)
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
	Seed       *uint64         `json:"seed,omitempty"` // where tokens were drawn
	Lost       tasks.Losses    `json:"lost,omitzero"`  // of an answer that is JSON
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
	Type        string        `json:"type"`
	Text        string        `json:"text"`
	Annotations []string      `json:"annotations"`
	Logprobs    []logprobJSON `json:"logprobs"`
}

type responseUsage struct {
	Input        int            `json:"input_tokens"`
	InputDetails map[string]int `json:"input_tokens_details"`
	Output       int            `json:"output_tokens"`
	OutDetails   map[string]int `json:"output_tokens_details"`
	Total        int            `json:"total_tokens"`
}

func newResponse(x *request, q *responsesRequest) responseJSON {
	r := responseJSON{ID: newID("resp_"), Object: "response", Created: time.Now().Unix(), Status: "in_progress",
		Model: x.model.Name, Output: []outputJSON{}, MaxTokens: x.MaxTokens, Temp: x.Sampling.Temperature, TopP: 1,
		ToolChoice: "none", Tools: []string{}, Truncation: "disabled", Metadata: json.RawMessage(`{}`),
		Seed: x.Sampling.Drawn(),
		Text: map[string]any{"format": map[string]string{"type": "text"}}}
	if q.Text.Format != nil {
		r.Text = q.Text
	}
	if x.Sampling.TopP > 0 {
		r.TopP = x.Sampling.TopP
	}
	if isSet(q.Metadata) {
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

// event is an event without its number.
type event struct {
	name   string
	fields map[string]any
}

// sendAll sends events: each has its name and its number in its fields too.
func (o *responseWriter) sendAll(all ...event) error {
	for _, e := range all {
		e.fields["type"], e.fields["sequence_number"] = e.name, o.number
		o.number++
		if err := o.send(e.name, e.fields); err != nil {
			return err
		}
	}
	return nil
}

// part adds to fields the place of the response's only part: in its only message.
func (o *responseWriter) part(fields map[string]any) map[string]any {
	fields["item_id"], fields["output_index"], fields["content_index"] = o.message, 0, 0
	return fields
}

// accepted sends the header and what comes before the text.
func (o *responseWriter) accepted() {
	o.accept()
	o.begin() // an error: the client went away
}

// begin sends what comes before the text.
func (o *responseWriter) begin() error {
	if o.number > 0 {
		return nil
	}
	empty := partJSON{Type: "output_text", Annotations: []string{}, Logprobs: []logprobJSON{}}
	item := outputJSON{"message", o.message, "in_progress", "assistant", []partJSON{}}
	return o.sendAll(
		event{"response.created", map[string]any{"response": o.response}},
		event{"response.in_progress", map[string]any{"response": o.response}},
		event{"response.output_item.added", map[string]any{"output_index": 0, "item": item}},
		event{"response.content_part.added", o.part(map[string]any{"part": empty})},
	)
}

// piece sends a part of the text, if the response is a stream.
func (o *responseWriter) piece(text string, step *runner.Step) error {
	if !o.request.Stream || text == "" {
		return nil
	}
	if err := o.begin(); err != nil {
		return err
	}
	fields := o.part(map[string]any{"delta": text, "logprobs": o.logprobs(step)})
	return o.sendAll(event{"response.output_text.delta", fields})
}

// logprobs returns the log-probabilities of steps, none unless the client asked for them. A nil
// step is skipped.
func (o *responseWriter) logprobs(steps ...*runner.Step) []logprobJSON {
	all := []logprobJSON{}
	for _, s := range steps {
		if s != nil && slices.Contains(o.request.Include, "message.output_text.logprobs") {
			all = append(all, logprobsOf(*s)...)
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
	t := timingsOf(got.Reply)
	part := partJSON{"output_text", got.text, []string{}, []logprobJSON{}}
	for i := range got.Steps {
		part.Logprobs = append(part.Logprobs, o.logprobs(&got.Steps[i])...)
	}
	r := &o.response
	r.Status, r.Timings, r.Lost = "completed", &t, got.lost
	if got.finish == "length" {
		r.Status, r.Incomplete = "incomplete", &incompleteJSON{"max_output_tokens"}
	}
	item := outputJSON{"message", o.message, r.Status, "assistant", []partJSON{part}}
	r.Output = []outputJSON{item}
	r.Usage = &responseUsage{
		Input: t.PrefillTokens, InputDetails: map[string]int{"cached_tokens": 0},
		Output: t.DecodeTokens, OutDetails: map[string]int{"reasoning_tokens": 0},
		Total: t.PrefillTokens + t.DecodeTokens,
	}
	if !o.request.Stream {
		writeJSON(o.w, http.StatusOK, r)
		return nil
	}
	return o.sendAll(
		event{"response.output_text.done", o.part(map[string]any{"text": got.text, "logprobs": part.Logprobs})},
		event{"response.content_part.done", o.part(map[string]any{"part": part})},
		event{"response.output_item.done", map[string]any{"output_index": 0, "item": item}},
		event{"response." + r.Status, map[string]any{"response": r}},
	)
}

// fail ends the events with an error. If the status was not sent it returns err.
func (o *responseWriter) fail(err error) error {
	if !o.begun {
		return err
	}
	f := asFailure(err)
	fields := map[string]any{"code": f.code, "message": f.text, "param": nil}
	o.sendAll(event{"error", fields}) // an error: the client went away
	return nil
}
