package server

// This file: what OpenAI's and Ollama's routes have in common: a conversation becomes one prompt
// about images.
//
// PaliGemma was not trained to talk: it knows one prompt about images, and no roles. So:
//
//	the prompt      the text of the last message, which must be the user's, exactly as it is;
//	                several parts of text are joined by a space
//	the images      those of the last message that has any, the last one or an earlier one
//	other messages  are not seen by the model
//	system          messages and tools are refused: the model would ignore them

import (
	"context"
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/tasks"
)

// message is a message of a conversation.
type message struct {
	role   string
	texts  []string
	images []string // as the client gives them
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
	maxTokens         *int
	temperature, topP *float64
	minP              *float64
	topK              *int
	seed              *int64
	topLogprobs       int
}

// defaultTokens is the longest answer if a client names none, as on the command line.
const defaultTokens = 256

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
	q.MaxTokens, q.TopLogprobs = min(defaultTokens, s.MaxTokens), c.settings.topLogprobs
	c.settings.apply(&q.Request)
	if q.form = c.form; q.form == nil {
		return q, nil
	}
	return q, q.form.check(&q.Request, m.Masks != nil)
}

// lastMessage returns the prompt and the images of a conversation.
func lastMessage(all []message) (prompt string, images []string, err error) {
	if len(all) == 0 {
		return "", nil, invalid("no message")
	}
	for _, m := range all {
		switch m.role {
		case "user":
			if len(m.images) > 0 {
				images = m.images
			}
		case "assistant":
		case "system", "developer":
			if strings.Join(m.texts, "") != "" {
				return "", nil, unsupported("a %s message: PaliGemma takes none, it would be ignored; "+
					"put everything into the user's message", m.role)
			}
		default:
			return "", nil, unsupported("messages of this role: PaliGemma knows the user's and its own")
		}
	}
	last := all[len(all)-1]
	if last.role != "user" {
		return "", nil, invalid("the last message: want the user's")
	}
	return strings.Join(last.texts, " "), images, nil
}

func (x *settings) apply(q *engine.Request) {
	set(&q.MaxTokens, x.maxTokens)
	set(&q.Sampling.Temperature, x.temperature)
	set(&q.Sampling.TopP, x.topP)
	set(&q.Sampling.MinP, x.minP)
	set(&q.Sampling.TopK, x.topK)
	if x.seed != nil {
		q.Sampling.Seed = uint64(*x.seed)
	}
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
	text   string // what the client reads: the model's text, or JSON
	finish string // "stop", or "length"
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
	objects, _, err := tasks.Detections(got.Result, q.canvas(tasks.LocDivisor), q.model.Masks)
	if err != nil {
		return nil, err
	}
	if c.text, err = q.form.write(objects); err != nil {
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
