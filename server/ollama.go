package server

// This file: Ollama's routes (github.com/ollama/ollama, docs/api.md).

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/pali-gguf/pali/runner"
)

// notImplemented refuses the routes of what Pali does not do.
func notImplemented(http.ResponseWriter, *http.Request) error {
	return unsupported(
		"Pali serves the models it was started with, and answers about images: this route is not supported")
}

// ollamaRoot answers with what programs expect that look for Ollama.
func ollamaRoot(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("Ollama is running"))
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.Version})
}

// tagJSON is a model in a list.
type tagJSON struct {
	Name     string      `json:"name"`
	Model    string      `json:"model"`
	Modified *time.Time  `json:"modified_at,omitempty"`
	Size     int64       `json:"size"`
	Details  detailsJSON `json:"details"`
	Expires  *time.Time  `json:"expires_at,omitempty"`
}

type detailsJSON struct {
	Parent       string   `json:"parent_model"`
	Format       string   `json:"format"`
	Family       string   `json:"family"`
	Families     []string `json:"families"`
	Parameters   string   `json:"parameter_size"`
	Quantization string   `json:"quantization_level"`
}

func (m *Model) details() detailsJSON {
	a := m.Info.Architecture
	return detailsJSON{"", "gguf", a, []string{a, "clip"}, m.Info.Size, m.Info.Type}
}

func (s *Server) tags(w http.ResponseWriter, _ *http.Request) {
	all := []tagJSON{}
	for _, m := range s.Models {
		all = append(all, tagJSON{Name: m.Name, Model: m.Name, Modified: &m.Info.Modified, Size: m.Info.Bytes,
			Details: m.details()})
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": all})
}

// farFuture is when a worker expires that stays for ever.
const farFuture = 100 * 365 * 24 * time.Hour

func (s *Server) ps(w http.ResponseWriter, _ *http.Request) {
	all, loaded := []tagJSON{}, s.engine.Loaded()
	for _, m := range s.Models {
		expires, ok := loaded[&m.Model]
		if !ok {
			continue
		}
		if expires.IsZero() {
			expires = time.Now().Add(farFuture)
		}
		all = append(all, tagJSON{Name: m.Name, Model: m.Name, Size: m.Memory, Details: m.details(), Expires: &expires})
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": all})
}

// showRequest has the name of a model in one of two fields.
type showRequest struct{ Model, Name string }

func (s *Server) show(w http.ResponseWriter, _ *http.Request, q *showRequest) error {
	if q.Model == "" {
		q.Model = q.Name
	}
	m, err := s.namedModel(q.Model)
	if err != nil {
		return err
	}
	a := m.Info
	writeJSON(w, http.StatusOK, map[string]any{
		"modelfile": "", "parameters": "", "template": "{{ .Prompt }}", "modified_at": a.Modified,
		"details":      m.details(),
		"capabilities": []string{"completion", "vision"},
		"model_info": map[string]any{
			"general.architecture":               a.Architecture,
			"general.parameter_count":            a.Parameters,
			a.Architecture + ".block_count":      a.Layers,
			a.Architecture + ".embedding_length": a.Width,
			"clip.vision.image_size":             m.Vision.ImageSize,
		},
	})
	return nil
}

// ollamaRequest is what is read of a request on both routes, generate and chat.
type ollamaRequest struct {
	Model     string          `json:"model"`
	Prompt    string          `json:"prompt"` // of generate
	Images    []string        `json:"images"` // of generate, base64
	Messages  []ollamaMessage `json:"messages"`
	Stream    *bool           `json:"stream"`
	Format    json.RawMessage `json:"format"`
	KeepAlive *keepAlive      `json:"keep_alive"`
	Options   ollamaOptions   `json:"options"`
	Logprobs  bool            `json:"logprobs"`
	TopLog    int             `json:"top_logprobs"`

	System   string          `json:"system"`
	Template string          `json:"template"`
	Suffix   string          `json:"suffix"`
	Context  json.RawMessage `json:"context"`
	Tools    json.RawMessage `json:"tools"`
	Think    json.RawMessage `json:"think"`
}

type ollamaMessage struct {
	Role    string   `json:"role"`
	Content string   `json:"content"`
	Images  []string `json:"images,omitempty"`
}

// ollamaOptions are the options that change an answer here; num_ctx and the like are ignored.
type ollamaOptions struct {
	NumPredict       *int            `json:"num_predict"`
	Temperature      *float64        `json:"temperature"`
	TopK             *int            `json:"top_k"`
	TopP             *float64        `json:"top_p"`
	MinP             *float64        `json:"min_p"`
	Seed             *int64          `json:"seed"`
	Stop             json.RawMessage `json:"stop"`
	RepeatPenalty    *float64        `json:"repeat_penalty"`
	PresencePenalty  float64         `json:"presence_penalty"`
	FrequencyPenalty float64         `json:"frequency_penalty"`
}

// keepAlive is a duration as Ollama's clients write it: "5m", or a number of seconds; negative: for
// ever.
type keepAlive time.Duration

func (k *keepAlive) UnmarshalJSON(b []byte) error {
	var seconds float64
	var text string
	if json.Unmarshal(b, &seconds) == nil {
		*k = keepAlive(max(min(seconds, 1e9), -1) * float64(time.Second))
		return nil
	}
	if json.Unmarshal(b, &text) != nil {
		return invalid("keep_alive: want a duration")
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return invalid("keep_alive: want a duration, as 5m")
	}
	*k = keepAlive(d)
	return nil
}

// chat converts the request to the common form, or refuses it.
func (q *ollamaRequest) chat(r *http.Request, messages []message) (*chat, error) {
	o := q.Options
	penalty := o.RepeatPenalty != nil && *o.RepeatPenalty != 1 || o.PresencePenalty != 0 || o.FrequencyPenalty != 0
	err := refuse(
		refusal{q.System != "",
			"system: PaliGemma takes no system message, it would be ignored; put everything into the prompt"},
		refusal{q.Template != "" || q.Suffix != "" || isSet(q.Context), "template, suffix and context"},
		refusal{isSet(q.Tools), "tools: PaliGemma calls none"},
		refusal{isSet(q.Think) && string(q.Think) != "false", "think: PaliGemma answers at once"},
		refusal{isSet(o.Stop), "stop: PaliGemma ends its answers itself"},
		refusal{penalty, "penalties"},
	)
	if err != nil {
		return nil, err
	}
	c := &chat{model: q.Model, client: clientOf(r), messages: messages,
		settings: settings{o.NumPredict, o.Temperature, o.TopP, o.MinP, o.TopK, o.Seed, q.TopLog}}
	if o.NumPredict != nil && *o.NumPredict < 0 { // Ollama's word for no bound
		c.settings.maxTokens = nil
	}
	switch {
	case !isSet(q.Format):
	case string(q.Format) == `"json"`:
		c.form = anyForm
	default:
		c.form, err = parseSchema(q.Format, false)
	}
	return c, err
}

func (s *Server) generate(w http.ResponseWriter, r *http.Request, q *ollamaRequest) error {
	if q.Prompt == "" && len(q.Images) == 0 {
		return s.preload(w, r, q, false)
	}
	return s.ollamaAnswer(w, r, q, []message{{role: "user", texts: []string{q.Prompt}, images: q.Images}}, false)
}

func (s *Server) ollamaChat(w http.ResponseWriter, r *http.Request, q *ollamaRequest) error {
	if len(q.Messages) == 0 {
		return s.preload(w, r, q, true)
	}
	var all []message
	for _, m := range q.Messages {
		all = append(all, message{strings.ToLower(m.Role), []string{m.Content}, m.Images})
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
	a := newOllama(m, chat, "")
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

// ollamaJSON is an answer, or a piece of one.
type ollamaJSON struct {
	Model    string         `json:"model"`
	Created  time.Time      `json:"created_at"`
	Message  *ollamaMessage `json:"message,omitempty"`  // of chat
	Response *string        `json:"response,omitempty"` // of generate
	Done     bool           `json:"done"`
	Reason   string         `json:"done_reason,omitempty"`
	Logprobs []logprobJSON  `json:"logprobs,omitempty"`

	Total        time.Duration `json:"total_duration,omitempty"` // nanoseconds, as all of these
	Load         time.Duration `json:"load_duration,omitempty"`
	PromptTokens int           `json:"prompt_eval_count,omitempty"`
	PromptTime   time.Duration `json:"prompt_eval_duration,omitempty"` // images and prompt
	Tokens       int           `json:"eval_count,omitempty"`
	Time         time.Duration `json:"eval_duration,omitempty"`
}

func newOllama(m *Model, chat bool, text string) ollamaJSON {
	a := ollamaJSON{Model: m.Name, Created: time.Now().UTC()}
	if chat {
		a.Message = &ollamaMessage{Role: "assistant", Content: text}
	} else {
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
		a := newOllama(x.model, chat, text)
		if q.Logprobs && step != nil {
			a.Logprobs = logprobsOf(*step)
		}
		return out.send(a)
	})
	if err != nil {
		return out.fail(err)
	}
	a := newOllama(x.model, chat, "")
	if !stream {
		a = newOllama(x.model, chat, got.text)
		if q.Logprobs {
			a.Logprobs = logprobsOf(got.Steps...)
		}
	}
	t := got.Timings
	a.Done, a.Reason, a.Total, a.Load = true, got.finish, time.Since(start), got.Load
	a.PromptTokens, a.PromptTime, a.Tokens, a.Time = t.PrefillTokens, t.Vision+t.Prefill, t.DecodeTokens, t.Decode
	if stream {
		return out.send(a)
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}
