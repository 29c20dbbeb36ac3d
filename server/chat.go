package server

// This file: what OpenAI's and Ollama's routes have in common: a conversation becomes one prompt
// about images.
//
// PaliGemma was not trained to talk: it knows one prompt about images, and no roles. So:
//
//	the prompt      the text of the last message, which must be the user's, exactly as it is;
//	                several parts of text are joined by a space; on Ollama's routes line breaks
//	                around it are dropped: LangChain puts one before, a shell's pipe one after
//	the images      those of the last message that has any, the last one or an earlier one
//	other messages  are not seen by the model
//	system          messages and tools are refused: the model would ignore them

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// message is a message of a conversation.
type message struct {
	role   string
	texts  []string
	images []imageText
}

// chat is a request of OpenAI's or Ollama's in a common form.
type chat struct {
	model    string
	messages []message
	client   string
	settings settings
	form     *objectForm // nil: the answer is text
}

// settings are those that a client may leave out.
type settings struct {
	maxTokens         *whole // -1: as many as may be asked for
	temperature, topP *float64
	minP              *float64
	topK              *whole
	seed              *whole
	topLogprobs       int
}

// conversation makes the request of a conversation.
func (s *Server) conversation(ctx context.Context, c *chat) (*request, error) {
	m, err := s.model(c.model)
	if err != nil {
		return nil, err
	}
	prompt, images, err := lastMessage(c.messages)
	if err != nil {
		return nil, err
	}
	q := newRequest(m, c.client, prompt)
	if q.Images, err = s.images.readAll(ctx, images); err != nil {
		return nil, err
	}
	if n := c.settings.topLogprobs; n < 0 || n > runner.MaxTopLogprobs {
		return nil, invalid("top_logprobs %d: want 0 to %d", n, runner.MaxTopLogprobs)
	}
	q.MaxTokens, q.TopLogprobs = s.longest(q), c.settings.topLogprobs
	c.settings.apply(&q.Request)
	if q.form = c.form; q.form == nil {
		return q, nil
	}
	return q, q.form.check(&q.Request, m.Masks != nil)
}

// longest returns the longest answer to q in tokens: what may be asked for, and fits into the
// model's positions. A prompt has at most as many tokens as bytes.
func (s *Server) longest(q *request) int {
	if q.model.Info.MaxContext == 0 {
		return s.MaxTokens
	}
	prefix := len(q.Images)*q.model.Vision.Tokens() + len(q.Prompt) + 2
	return max(1, min(s.MaxTokens, q.model.Info.MaxContext-prefix))
}

// wireMessage is a message as clients send it: its content is a text, or a list of parts (OpenAI's);
// images are beside it (Ollama's).
type wireMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
	Images  json.RawMessage `json:"images"`
	Image   json.RawMessage `json:"image"` // nobody's, but what else could it be
}

// contentPart is a part of a message. Its image is an address, or an object that holds one: OpenAI's
// clients call it image_url, Anthropic's source, those of tools data.
type contentPart struct {
	Type     string          `json:"type"`
	Text     *string         `json:"text"`
	ImageURL json.RawMessage `json:"image_url"`
	Image    json.RawMessage `json:"image"`
	URL      json.RawMessage `json:"url"`
	Source   json.RawMessage `json:"source"`
	Data     json.RawMessage `json:"data"`
}

// kind returns the part's type. One that names none is what it holds.
func (p *contentPart) kind() string {
	switch {
	case p.Type != "":
		return p.Type
	case p.Text != nil:
		return "text"
	case isSet(p.ImageURL):
		return "image_url"
	}
	return ""
}

// image returns the image's address or base64, "" if there is none.
func (p *contentPart) image() string {
	for _, raw := range []json.RawMessage{p.ImageURL, p.Image, p.URL, p.Source, p.Data} {
		if text := address(raw); text != "" {
			return text
		}
	}
	return ""
}

// parseMessages converts the messages of the field at to the common form.
func parseMessages(at string, wire []wireMessage) (all []message, err error) {
	for i, w := range wire {
		m, err := w.parse(fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// parse converts the message of the field at to the common form.
func (m *wireMessage) parse(at string) (message, error) {
	out := message{role: strings.ToLower(m.Role)}
	var text string
	var parts []json.RawMessage
	switch {
	case !isSet(m.Content):
	case json.Unmarshal(m.Content, &text) == nil:
		out.texts = []string{text}
	case jsonKind(m.Content) == "object": // a list of one
		parts = []json.RawMessage{m.Content}
	case json.Unmarshal(m.Content, &parts) != nil:
		return out, wrongKind(at+".content", "a text or a list of parts", m.Content)
	}
	for i, raw := range parts {
		if err := out.addPart(fmt.Sprintf("%s.content[%d]", at, i), raw); err != nil {
			return out, err
		}
	}
	images, err := parseImages(at+".images", m.Images)
	if err != nil {
		return out, err
	}
	image, err := parseImages(at+".image", m.Image)
	out.images = slices.Concat(out.images, images, image)
	return out, err
}

// parseImages reads the images of the field at: a list of texts, or one.
func parseImages(at string, raw json.RawMessage) (all []imageText, err error) {
	if !isSet(raw) {
		return nil, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []imageText{{at, text}}, nil
	}
	var texts []json.RawMessage
	if json.Unmarshal(raw, &texts) != nil {
		return nil, wrongKind(at, "a list of images in base64", raw)
	}
	for i, raw := range texts {
		field := fmt.Sprintf("%s[%d]", at, i)
		if text = address(raw); text == "" {
			return nil, wrongKind(field, "an image in base64", raw)
		}
		all = append(all, imageText{field, text})
	}
	return all, nil
}

// address returns the text of raw, or of its field url or data; "" if there is none.
func address(raw json.RawMessage) (text string) {
	var object struct{ URL, Data string }
	if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &object) == nil {
		text = cmp.Or(object.URL, object.Data)
	}
	return text
}

// addPart adds a part of the content to the message. at is the part's field.
func (m *message) addPart(at string, raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) == nil && jsonKind(raw) == "string" {
		m.texts = append(m.texts, text)
		return nil
	}
	var p contentPart
	if json.Unmarshal(raw, &p) != nil {
		return wrongKind(at, `a part, as {"type": "text", "text": ...}`, raw)
	}
	switch p.kind() {
	case "text", "input_text", "output_text":
		if p.Text != nil {
			m.texts = append(m.texts, *p.Text)
		}
	case "image_url", "input_image", "image":
		text := p.image()
		if text == "" {
			return invalid("%s: an image of a message: want image_url with a data URI, found %s", at,
				kindOf(p.ImageURL))
		}
		m.images = append(m.images, imageText{at + ".image_url", text})
	case "":
		return invalid("%s.type: missing: want text or image_url", at)
	default:
		return unsupported("%s: a part of type %s, which is neither text nor an image", at, echo(p.Type))
	}
	return nil
}

// lastMessage returns the prompt and the images of a conversation.
func lastMessage(all []message) (prompt string, images []imageText, err error) {
	if len(all) == 0 {
		return "", nil, invalid("messages: there is no message: want the user's, with a prompt and an image")
	}
	for _, m := range all {
		switch m.role {
		case "user":
			if len(m.images) > 0 {
				images = m.images
			}
		case "assistant":
		case "":
			return "", nil, invalid("messages: a message has no role: want \"role\": \"user\"")
		case "system", "developer":
			if strings.TrimSpace(strings.Join(m.texts, "")) != "" {
				return "", nil, unsupported("a %s message: PaliGemma takes none, it would be ignored; "+
					"put everything into the user's message", m.role)
			}
		default:
			return "", nil, unsupported("a message of the role %s: PaliGemma knows user and assistant", echo(m.role))
		}
	}
	last := all[len(all)-1]
	if last.role != "user" {
		return "", nil, invalid("the last message: want the user's, found one of the role %s", echo(last.role))
	}
	return strings.Join(last.texts, " "), images, nil
}

func (x *settings) apply(q *engine.Request) {
	if n := x.maxTokens; n != nil && *n >= 0 && int64(*n) < int64(q.MaxTokens) {
		q.MaxTokens = int(*n)
	}
	set(&q.Sampling.Temperature, x.temperature)
	set(&q.Sampling.TopP, x.topP)
	set(&q.Sampling.MinP, x.minP)
	if x.topK != nil && *x.topK != -1 { // -1: all, as 0
		q.Sampling.TopK = int(max(-2, min(*x.topK, 1<<31-1)))
	}
	q.Sampling.Seed = seed(x.seed)
}

// seed returns the seed of a request: where a client gives none, or -1, another one each time.
func seed(given *whole) uint64 {
	if given == nil {
		return runner.Seed(runner.RandomSeed)
	}
	return runner.Seed(int64(*given))
}

// set sets *to to *from, unless from is nil.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// completion is the answer to a conversation.
type completion struct {
	*engine.Reply
	text   string       // what the client reads: the model's text, or JSON
	finish string       // "stop", or "length"
	lost   tasks.Losses // of an answer that is JSON
}

// complete answers a conversation. It calls each with every token, or once with the whole of an
// answer that is JSON.
func (s *Server) complete(ctx context.Context, q *request,
	each func(text string, step *runner.Step) error) (*completion, error) {
	got, err := s.engine.Generate(ctx, &q.Request, func(step runner.Step) error {
		if q.form != nil {
			return nil
		}
		return each(step.Text, &step)
	})
	if err != nil {
		return nil, err
	}
	c := &completion{Reply: got, text: got.Text, finish: "length"}
	if engine.Ends(got.Steps[len(got.Steps)-1]) {
		c.finish = "stop"
	}
	if q.form == nil {
		return c, nil
	}
	want := q.form.want(&q.Request)
	a := tasks.NewResponse(want, got.Result, got.Load)
	if err := a.AddDetections(got.Result, q.canvas(tasks.LocDivisor), want, q.model.Masks); err != nil {
		return nil, err
	}
	taken := q.form.take(a.Objects)
	c.lost = a.Lost
	c.lost.NotTaken = len(a.Objects) - len(taken)
	if c.text, err = q.form.write(taken); err != nil {
		return nil, err
	}
	return c, each(c.text, nil)
}

// logprobJSON is a token with its log-probability, in OpenAI's form and Ollama's.
type logprobJSON struct {
	Token   string        `json:"token"`
	Logprob float64       `json:"logprob"`
	Bytes   []int         `json:"bytes"`
	Top     []logprobJSON `json:"top_logprobs"`
}

func newLogprob(text string, logprob float64) logprobJSON {
	l := logprobJSON{Token: text, Logprob: logprob, Bytes: []int{}, Top: []logprobJSON{}}
	for _, b := range []byte(text) {
		l.Bytes = append(l.Bytes, int(b))
	}
	return l
}

// logprobsOf lists tokens with their log-probabilities, except the one that ends the answer.
func logprobsOf(steps ...runner.Step) []logprobJSON {
	all := []logprobJSON{}
	for _, s := range steps {
		if engine.Ends(s) {
			continue
		}
		l := newLogprob(s.Text, s.Logprob)
		for _, a := range s.Top {
			l.Top = append(l.Top, newLogprob(a.Text, a.Logprob))
		}
		all = append(all, l)
	}
	return all
}
