package server

// This file: OpenAI's models and chat completions (platform.openai.com/docs/api-reference).

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

type modelJSON struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (m *Model) openai() modelJSON {
	return modelJSON{m.Name, "model", m.Info.Modified.Unix(), "pali"}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	all := []modelJSON{}
	for _, m := range s.Models {
		all = append(all, m.openai())
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": all})
}

func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) error {
	m, err := s.namedModel(r.PathValue("model"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, m.openai())
	return nil
}

// onlyChats refuses OpenAI's older protocol, which has no images.
func onlyChats(http.ResponseWriter, *http.Request) error {
	return unsupported("PaliGemma answers about images, which this route cannot carry: use /v1/chat/completions")
}

// chatRequest is what is read of a request.
type chatRequest struct {
	Model               string        `json:"model"`
	Messages            []wireMessage `json:"messages"`
	MaxTokens           *whole        `json:"max_tokens"`
	MaxCompletionTokens *whole        `json:"max_completion_tokens"`
	Temperature         *float64      `json:"temperature"`
	TopP                *float64      `json:"top_p"`
	TopK                *whole        `json:"top_k"` // not OpenAI's, nor is min_p: other servers take them
	MinP                *float64      `json:"min_p"`
	Seed                *whole        `json:"seed"`
	Logprobs            bool          `json:"logprobs"`
	TopLogprobs         *whole        `json:"top_logprobs"`
	ResponseFormat      *chatFormat   `json:"response_format"`
	Stream              bool          `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Tools      json.RawMessage `json:"tools"`
	ToolChoice json.RawMessage `json:"tool_choice"`
}

type chatFormat struct {
	Type       string    `json:"type"`
	JSONSchema schemaRef `json:"json_schema"`
}

// schemaRef is the schema of a format.
type schemaRef struct {
	Schema json.RawMessage `json:"schema"`
	Strict bool            `json:"strict"`
}

// isSet reports whether a field that may have any type was given a value that means something.
func isSet(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "[]", "{}", `""`:
		return false
	}
	return true
}

// chat converts the request to the common form, or refuses it.
func (q *chatRequest) chat(r *http.Request) (*chat, error) {
	if q.TopLogprobs != nil && *q.TopLogprobs > 0 && !q.Logprobs {
		return nil, invalid("top_logprobs requires logprobs: true")
	}
	c := &chat{model: q.Model, client: clientOf(r), settings: settings{temperature: q.Temperature, topP: q.TopP,
		topK: q.TopK, minP: q.MinP, seed: q.Seed}}
	if q.TopLogprobs != nil {
		c.settings.topLogprobs = int(*q.TopLogprobs)
	}
	for _, f := range []struct {
		name string
		n    *whole
	}{{"max_tokens", q.MaxTokens}, {"max_completion_tokens", q.MaxCompletionTokens}} {
		if err := c.settings.limit(f.name, f.n); err != nil {
			return nil, err
		}
	}
	var err error
	if c.messages, err = parseMessages("messages", q.Messages); err != nil {
		return nil, err
	}
	if f := q.ResponseFormat; f != nil {
		if c.form, err = formOf("response_format", f.Type, "response_format.json_schema.schema",
			f.JSONSchema); err != nil {
			return nil, err
		}
	}
	return c, q.takeTools(c)
}

// takeTools takes the function that tool_choice names, if tools are given and may be called.
func (q *chatRequest) takeTools(c *chat) error {
	if !isSet(q.Tools) || string(q.ToolChoice) == `"none"` {
		return nil
	}
	name, forced := toolName(q.ToolChoice)
	if !forced {
		return unsupported("not supported: tools: PaliGemma chooses none; name one in tool_choice, or leave them out")
	}
	return c.takeTool(q.Tools, name)
}

// limit sets the longest answer to n, a field of OpenAI's routes: nil for none given, -1 for no
// bound.
func (x *settings) limit(field string, n *whole) error {
	if n == nil {
		return nil
	}
	if *n < -1 || *n == 0 {
		return invalid("%s %d: want 1 or more, or -1 for as many tokens as the server allows", field, *n)
	}
	x.maxTokens = n
	return nil
}

// formOf returns the form of an answer that a format asks for, nil for text. field and schemaField
// are where the format and its schema are.
func formOf(field, format, schemaField string, schema schemaRef) (*objectForm, error) {
	switch format {
	case "", "text":
		return nil, nil
	case "json_object":
		return anyForm, nil
	case "json_schema":
		return parseSchema(schemaField, schema.Schema, schema.Strict)
	}
	return nil, unsupported("%s.type: want text, json_object or json_schema, found %s", field, echo(format))
}

func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request, q *chatRequest) error {
	c, err := q.chat(r)
	if err != nil {
		return err
	}
	x, err := s.conversation(r.Context(), c)
	if err != nil {
		return err
	}
	out := &chatWriter{events: newEvents(w), id: newID("chatcmpl-"), created: time.Now().Unix(), model: x.model.Name,
		request: q, tool: x.tool(), seed: x.Sampling.Drawn()}
	if q.Stream {
		x.Accepted = out.accept
	}
	got, err := s.complete(r.Context(), x, out.piece)
	if err != nil {
		return out.fail(err)
	}
	return out.end(got)
}

// newID returns a random name for an answer.
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
	roleSent  bool
	tool      string // the function whose arguments the answer is, or ""
	seed      *uint64
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
	Seed    *uint64        `json:"seed,omitempty"` // where tokens were drawn; of a stream's last choice
	Lost    tasks.Losses   `json:"lost,omitzero"`  // of an answer that is JSON; of a stream's last choice
}

type choiceJSON struct {
	Index    int           `json:"index"`
	Message  *messageJSON  `json:"message,omitempty"`
	Delta    *deltaJSON    `json:"delta,omitempty"`
	Logprobs *logprobsJSON `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

type messageJSON struct {
	Role      string         `json:"role"`
	Content   *string        `json:"content"` // nil: a function is called
	Refusal   *string        `json:"refusal"`
	ToolCalls []toolCallJSON `json:"tool_calls,omitempty"`
}

type deltaJSON struct {
	Role      string         `json:"role,omitempty"`
	Content   *string        `json:"content,omitempty"`
	ToolCalls []toolCallJSON `json:"tool_calls,omitempty"`
}

type usageJSON struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

type logprobsJSON struct {
	Content []logprobJSON `json:"content"`
	Refusal *string       `json:"refusal"`
}

// whole returns a completion, or a chunk of one, with these choices.
func (o *chatWriter) whole(object string, choices ...choiceJSON) chatJSON {
	return chatJSON{ID: o.id, Object: object, Created: o.created, Model: o.model,
		Choices: append([]choiceJSON{}, choices...)}
}

// piece sends a part of the answer, if it is a stream.
func (o *chatWriter) piece(text string, step *runner.Step) error {
	if !o.request.Stream || text == "" {
		return nil
	}
	c := choiceJSON{Delta: &deltaJSON{Content: &text}}
	if o.tool != "" {
		c.Delta = &deltaJSON{ToolCalls: o.call(text, new(int))}
	}
	if !o.roleSent {
		o.roleSent, c.Delta.Role = true, "assistant"
	}
	if o.request.Logprobs && step != nil {
		c.Logprobs = &logprobsJSON{Content: logprobsOf(*step)}
	}
	return o.send("", o.whole("chat.completion.chunk", c))
}

// call returns the call of the answer's function. index is 0 in a stream, otherwise nil.
func (o *chatWriter) call(arguments string, index *int) []toolCallJSON {
	return []toolCallJSON{{index, newID("call_"), "function", calledJSON{o.tool, arguments}}}
}

// end sends what is left.
func (o *chatWriter) end(got *completion) error {
	t := timingsOf(got.Reply)
	usage := &usageJSON{t.PrefillTokens, t.DecodeTokens, t.PrefillTokens + t.DecodeTokens}
	if o.tool != "" && got.finish == "stop" {
		got.finish = "tool_calls"
	}
	if !o.request.Stream {
		c := choiceJSON{Message: &messageJSON{Role: "assistant", Content: &got.text}, Finish: &got.finish}
		if o.tool != "" {
			c.Message.Content, c.Message.ToolCalls = nil, o.call(got.text, nil)
		}
		if o.request.Logprobs {
			c.Logprobs = &logprobsJSON{Content: logprobsOf(got.Steps...)}
		}
		all := o.whole("chat.completion", c)
		all.Usage, all.Timings, all.Seed, all.Lost = usage, &t, o.seed, got.lost
		writeJSON(o.w, http.StatusOK, all)
		return nil
	}
	last := o.whole("chat.completion.chunk", choiceJSON{Delta: &deltaJSON{}, Finish: &got.finish})
	last.Timings, last.Seed, last.Lost = &t, o.seed, got.lost
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
