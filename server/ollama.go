package server

// This file: Ollama's routes for answers (github.com/ollama/ollama, docs/api.md).

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// template is how a prompt reaches the model: as it is.
const template = "{{ .Prompt }}"

// ollamaRequest is what is read of a request on both routes, generate and chat.
type ollamaRequest struct {
	Model     string          `json:"model"`
	Prompt    string          `json:"prompt"` // of generate
	Images    json.RawMessage `json:"images"` // of generate, base64
	Image     json.RawMessage `json:"image"`  // nobody's, but what else could it be
	Messages  []wireMessage   `json:"messages"`
	Stream    *bool           `json:"stream"`
	Format    json.RawMessage `json:"format"`
	KeepAlive *keepAlive      `json:"keep_alive"`
	Options   ollamaOptions   `json:"options"`
	Logprobs  bool            `json:"logprobs"`
	TopLog    whole           `json:"top_logprobs"`
	Tools     json.RawMessage `json:"tools"`
}

// ollamaMessage is a message of an answer.
type ollamaMessage struct {
	Role      string         `json:"role"`
	Content   string         `json:"content"`
	ToolCalls []toolCallJSON `json:"tool_calls,omitempty"`
}

// ollamaOptions are the options that change an answer here.
type ollamaOptions struct {
	NumPredict  *whole   `json:"num_predict"`
	Temperature *float64 `json:"temperature"`
	TopK        *whole   `json:"top_k"`
	TopP        *float64 `json:"top_p"`
	MinP        *float64 `json:"min_p"`
	Seed        *whole   `json:"seed"`
}

// chat converts the request to the common form, or refuses it.
func (q *ollamaRequest) chat(r *http.Request, messages []message) (*chat, error) {
	o := q.Options
	c := &chat{model: q.Model, client: clientOf(r), messages: messages,
		settings: settings{o.NumPredict, o.Temperature, o.TopP, o.MinP, o.TopK, o.Seed, int(q.TopLog)}}
	if o.NumPredict != nil && *o.NumPredict <= 0 { // Ollama's words for no bound: 0, -1, -2
		c.settings.maxTokens = nil
	}
	var err error
	if c.form, err = ollamaForm(q.Format); err != nil {
		return nil, err
	}
	if isSet(q.Tools) {
		err = c.takeTool(q.Tools, "")
	}
	return c, err
}

// ollamaForm returns the form of an answer that a format asks for, nil for text.
func ollamaForm(format json.RawMessage) (*objectForm, error) {
	var word string
	if json.Unmarshal(format, &word) == nil && strings.HasPrefix(strings.TrimSpace(word), "{") {
		format = json.RawMessage(word) // a schema as a text
	}
	switch {
	case !isSet(format):
		return nil, nil
	case word == "json":
		return anyForm, nil
	case jsonKind(format) != "object":
		return nil, invalid("format: want \"json\" or a JSON schema, found %s", echo(cmp.Or(word, string(format))))
	}
	return parseSchema("format", format, false)
}

func (s *Server) generate(w http.ResponseWriter, r *http.Request, q *ollamaRequest) error {
	if len(q.Messages) > 0 {
		return invalid("messages: this route takes a prompt and images: use /api/chat")
	}
	images, err := parseImages("images", q.Images)
	if err != nil {
		return err
	}
	image, err := parseImages("image", q.Image)
	if err != nil {
		return err
	}
	images = append(images, image...)
	if q.Prompt == "" && len(images) == 0 {
		return s.preload(w, r, q, false)
	}
	m := message{role: "user", texts: []string{trimLines(q.Prompt)}, images: images}
	return s.ollamaAnswer(w, r, q, []message{m}, false)
}

// trimLines returns a prompt without the line breaks around it.
func trimLines(prompt string) string { return strings.Trim(prompt, "\r\n") }

func (s *Server) ollamaChat(w http.ResponseWriter, r *http.Request, q *ollamaRequest) error {
	if q.Prompt != "" || isSet(q.Images) || isSet(q.Image) {
		return invalid("prompt and images: this route takes them in messages, the images in that of the user; " +
			"or use /api/generate")
	}
	if len(q.Messages) == 0 {
		return s.preload(w, r, q, true)
	}
	all, err := parseMessages("messages", q.Messages)
	if err != nil {
		return err
	}
	for _, m := range all {
		for i := range m.texts {
			m.texts[i] = trimLines(m.texts[i])
		}
	}
	return s.ollamaAnswer(w, r, q, all, true)
}

// preload loads a model for a request that asks nothing, or unloads it if keep_alive is 0.
func (s *Server) preload(w http.ResponseWriter, r *http.Request, q *ollamaRequest, chat bool) error {
	m, err := s.namedModel(q.Model)
	if err != nil {
		return err
	}
	keepAlive := s.KeepAlive
	if q.KeepAlive != nil {
		keepAlive = time.Duration(*q.KeepAlive)
	}
	a := newOllama(m, chat, "", "")
	a.Done, a.Reason = true, "load"
	if keepAlive == 0 {
		a.Reason = "unload"
		s.engine.Unload(&m.Model)
	} else if err := s.engine.Load(r.Context(), &m.Model, keepAlive); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

// ollamaJSON is a piece of an answer.
type ollamaJSON struct {
	Model    string         `json:"model"`
	Created  time.Time      `json:"created_at"`
	Message  *ollamaMessage `json:"message,omitempty"`  // of chat
	Response *string        `json:"response,omitempty"` // of generate
	Done     bool           `json:"done"`
	Reason   string         `json:"done_reason,omitempty"`
	Logprobs []logprobJSON  `json:"logprobs,omitempty"`
}

// ollamaEnd is the last piece of an answer, or the whole.
type ollamaEnd struct {
	ollamaJSON
	Seed         *uint64       `json:"seed,omitempty"` // where tokens were drawn
	Lost         tasks.Losses  `json:"lost,omitzero"`  // of an answer that is JSON
	Total        time.Duration `json:"total_duration"` // nanoseconds, as all of these
	Load         time.Duration `json:"load_duration"`
	PromptTokens int           `json:"prompt_eval_count"`
	PromptTime   time.Duration `json:"prompt_eval_duration"` // images and prompt
	Tokens       int           `json:"eval_count"`
	Time         time.Duration `json:"eval_duration"`
}

// newOllama returns an answer, or a piece of one. Where tool is not "", text is the arguments of a
// call of that function.
func newOllama(m *Model, chat bool, text, tool string) ollamaJSON {
	a := ollamaJSON{Model: m.Name, Created: time.Now().UTC()}
	switch {
	case chat && tool != "" && text != "":
		call := toolCallJSON{Function: calledJSON{tool, json.RawMessage(text)}}
		a.Message = &ollamaMessage{Role: "assistant", ToolCalls: []toolCallJSON{call}}
	case chat:
		a.Message = &ollamaMessage{Role: "assistant", Content: text}
	default:
		a.Response = &text
	}
	return a
}

// ollamaAnswer answers messages on either route, as a stream unless the client wants none.
func (s *Server) ollamaAnswer(w http.ResponseWriter, r *http.Request, q *ollamaRequest, all []message,
	chat bool) error {
	start := time.Now()
	c, err := q.chat(r, all)
	if err != nil {
		return err
	}
	x, err := s.conversation(r.Context(), c)
	if err != nil {
		return err
	}
	x.KeepAlive = (*time.Duration)(q.KeepAlive)
	out := newNDJSON(w, true)
	stream := q.Stream == nil || *q.Stream
	if stream {
		x.Accepted = out.accept
	}
	got, err := s.complete(r.Context(), x, func(text string, step *runner.Step) error {
		if !stream || text == "" {
			return nil
		}
		a := newOllama(x.model, chat, text, x.tool())
		if q.Logprobs && step != nil {
			a.Logprobs = logprobsOf(*step)
		}
		return out.send(a)
	})
	if err != nil {
		return out.fail(err)
	}
	t := got.Timings
	a := ollamaEnd{newOllama(x.model, chat, "", ""), x.Sampling.Drawn(), got.lost, time.Since(start), got.Load,
		t.PrefillTokens, t.Vision + t.Prefill, t.DecodeTokens, t.Decode}
	if !stream {
		a.ollamaJSON = newOllama(x.model, chat, got.text, x.tool())
		if q.Logprobs {
			a.Logprobs = logprobsOf(got.Steps...)
		}
	}
	a.Done, a.Reason = true, got.finish
	if stream {
		return out.send(a)
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}
