package server

// This file: what OpenAI's and Ollama's routes have in common: a conversation becomes one prompt about images. Before it: openai*.go, ollama*.go.
// After it: ask.go.
//
// PaliGemma was not trained to talk: it knows one prompt about images, and no roles. So:
//
//	the prompt    is the text of the last message, which must be the user's, exactly as it is; several parts of text are joined by a blank
//	the images  are those of the last message that has any, the last one or an earlier one
//	other turns   are not seen by the model
//	system        messages and tools are refused: nothing would heed them

import (
	"context"
	"strings"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// turn is a message of a conversation.
type turn struct {
	role     string
	texts    []string
	pictures []string // as they are given
}

// chat is a request of OpenAI's or Ollama's in a form that both can be brought to.
type chat struct {
	model    string
	turns    []turn
	client   string
	settings settings
	form     *objectForm // nil: text
}

// settings are those that a client may leave out.
type settings struct {
	maxTokens         *int
	temperature, topP *float64
	minP              *float64
	topK              *int
	seed              *int64
	logprobs          int
}

// defaultTokens is the longest answer where a client names none, as of the commands.
const defaultTokens = 256

// conversation makes the question that a conversation asks.
func (s *Server) conversation(ctx context.Context, c *chat) (*question, error) {
	m, err := s.model(c.model)
	if err != nil {
		return nil, err
	}
	prompt, given, err := lastTurn(c.turns)
	if err != nil {
		return nil, err
	}
	q := &question{model: m, prompt: prompt, resize: imageproc.Antialias, maxTokens: min(defaultTokens, s.MaxTokens), client: c.client, top: c.settings.logprobs}
	for _, text := range given[:min(len(given), runner.MaxImages+1)] {
		p, err := s.picture(ctx, text)
		if err != nil {
			return nil, err
		}
		q.pictures = append(q.pictures, p)
	}
	c.settings.apply(q)
	if c.form == nil {
		return q, nil
	}
	return q, c.form.ask(q)
}

// lastTurn returns the prompt and the images of a conversation.
func lastTurn(turns []turn) (prompt string, pictures []string, err error) {
	if len(turns) == 0 {
		return "", nil, invalid("no message")
	}
	for _, t := range turns {
		switch t.role {
		case "user":
			if len(t.pictures) > 0 {
				pictures = t.pictures
			}
		case "assistant":
		case "system", "developer":
			if strings.Join(t.texts, "") != "" {
				return "", nil, unsupported("a %s message: PaliGemma takes none, it would be passed over; put all into the user's message", t.role)
			}
		default:
			return "", nil, unsupported("messages of this role: PaliGemma knows the user's and its own")
		}
	}
	last := turns[len(turns)-1]
	if last.role != "user" {
		return "", nil, invalid("the last message: want the user's")
	}
	return strings.Join(last.texts, " "), pictures, nil
}

func (x *settings) apply(q *question) {
	set(&q.maxTokens, x.maxTokens)
	set(&q.sampling.Temperature, x.temperature)
	set(&q.sampling.TopP, x.topP)
	set(&q.sampling.MinP, x.minP)
	set(&q.sampling.TopK, x.topK)
	if x.seed != nil {
		q.sampling.Seed = uint64(*x.seed)
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// completion is the answer to a conversation.
type completion struct {
	*reply
	text   string // what the client reads: the model's text, or JSON
	finish string // "stop", or "length"
}

// complete answers. each is called with every token as it comes, and once with all of an answer that is JSON.
func (s *Server) complete(ctx context.Context, q *question, form *objectForm, each func(text string, step *runner.Step) error) (*completion, error) {
	got, err := s.ask(ctx, q, func(step runner.Step) error {
		if form != nil {
			return nil
		}
		return each(step.Text, &step)
	})
	if err != nil {
		return nil, err
	}
	c := &completion{reply: got, text: got.Text, finish: "length"}
	if got.Tokens[len(got.Tokens)-1] == paligemma.EOS {
		c.finish = "stop"
	}
	if form == nil {
		return c, nil
	}
	p := q.pictures[0]
	objects, _, err := tasks.Detections(got.Result, tasks.Canvas{Width: p.width, Height: p.height, Divisor: tasks.LocDivisor}, q.model.Masks)
	if err != nil {
		return nil, err
	}
	if c.text, err = form.write(objects); err != nil {
		return nil, err
	}
	return c, each(c.text, nil)
}

// timings are those of the command's --json.
func (r *reply) timings() tasks.Timings {
	t := tasks.NewTimings(r.Timings, r.load)
	t.Queue = ms(r.queued)
	return t
}
