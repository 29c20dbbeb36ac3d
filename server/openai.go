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

// chatRequest is what is read of a request. What the model cannot do is read to be refused.
type chatRequest struct {
	Model               string        `json:"model"`
	Messages            []chatMessage `json:"messages"`
	MaxTokens           *int          `json:"max_tokens"`
	MaxCompletionTokens *int          `json:"max_completion_tokens"`
	Temperature         *float64      `json:"temperature"`
	TopP                *float64      `json:"top_p"`
	Seed                *int64        `json:"seed"`
	Logprobs            bool          `json:"logprobs"`
	TopLogprobs         *int          `json:"top_logprobs"`
	ResponseFormat      *chatFormat   `json:"response_format"`
	Stream              bool          `json:"stream"`
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
	err := refuse(
		refusal{q.N != nil && *q.N != 1, "n: one answer is given to a request"},
		refusal{isSet(q.Tools) || isSet(q.Functions), "tools: PaliGemma calls none"},
		refusal{isSet(q.Stop), "stop: PaliGemma ends its answers itself"},
		refusal{isSet(q.LogitBias), "logit_bias"},
		refusal{isSet(q.Audio), "audio"},
		refusal{q.PresencePenalty != 0 || q.FrequencyPenalty != 0, "presence_penalty and frequency_penalty"},
	)
	if err != nil {
		return nil, err
	}
	if q.TopLogprobs != nil && *q.TopLogprobs > 0 && !q.Logprobs {
		return nil, invalid("top_logprobs requires logprobs: true")
	}
	c := &chat{model: q.Model, client: clientOf(r), settings: settings{
		maxTokens: q.MaxTokens, temperature: q.Temperature, topP: q.TopP, seed: q.Seed}}
	if q.MaxCompletionTokens != nil {
		c.settings.maxTokens = q.MaxCompletionTokens
	}
	set(&c.settings.topLogprobs, q.TopLogprobs)
	for _, m := range q.Messages {
		parsed, err := m.parse()
		if err != nil {
			return nil, err
		}
		c.messages = append(c.messages, parsed)
	}
	if f := q.ResponseFormat; f != nil {
		c.form, err = formOf(f.Type, f.JSONSchema)
	}
	return c, err
}

// formOf returns the form of an answer that a format asks for, nil for text.
func formOf(format string, schema schemaRef) (*objectForm, error) {
	switch format {
	case "", "text":
		return nil, nil
	case "json_object":
		return anyForm, nil
	case "json_schema":
		return parseSchema(schema.Schema, schema.Strict)
	}
	return nil, unsupported("response_format: want text, json_object or json_schema")
}

// chatMessage is a message: its content is a text, or a list of parts.
type chatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// contentPart is a part of a message of chat completions or of responses.
type contentPart struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	ImageURL json.RawMessage `json:"image_url"` // {"url": ...}, or the text
}

// parse converts a message to the common form.
func (m *chatMessage) parse() (message, error) {
	out := message{role: m.Role}
	var text string
	if !isSet(m.Content) {
		return out, nil
	}
	if json.Unmarshal(m.Content, &text) == nil {
		out.texts = []string{text}
		return out, nil
	}
	var parts []contentPart
	if json.Unmarshal(m.Content, &parts) != nil {
		return out, invalid("a message's content: want a text or a list of parts")
	}
	for _, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text":
			out.texts = append(out.texts, p.Text)
		case "image_url", "input_image":
			var url string
			var object struct{ URL string }
			if json.Unmarshal(p.ImageURL, &url) != nil && json.Unmarshal(p.ImageURL, &object) == nil {
				url = object.URL
			}
			if url == "" {
				return out, invalid("an image of a message: want image_url with a data URI")
			}
			out.images = append(out.images, url)
		default:
			return out, unsupported("a part of a message that is neither text nor an image")
		}
	}
	return out, nil
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
		request: q}
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
	if !o.roleSent {
		o.roleSent, c.Delta.Role = true, "assistant"
	}
	if o.request.Logprobs && step != nil {
		c.Logprobs = &logprobsJSON{Content: logprobsOf(*step)}
	}
	return o.send("", o.whole("chat.completion.chunk", c))
}

// end sends what is left.
func (o *chatWriter) end(got *completion) error {
	t := timingsOf(got.Reply)
	usage := &usageJSON{t.PrefillTokens, t.DecodeTokens, t.PrefillTokens + t.DecodeTokens}
	if !o.request.Stream {
		c := choiceJSON{Message: &messageJSON{Role: "assistant", Content: got.text}, Finish: &got.finish}
		if o.request.Logprobs {
			c.Logprobs = &logprobsJSON{Content: logprobsOf(got.Steps...)}
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
