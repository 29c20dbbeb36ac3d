// Package answer writes what the model answered as Pali gives it: the same JSON on the command line and over HTTP, objects with pixels, scores and
// masks, and the image with these drawn on it.
//
// Before it: runner.Result, and the image's size. After it: cmd/pali and server. This file: the JSON of a task's answer; object.go: the objects in it.
package answer

import (
	"fmt"
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Answer is what a task prints with --json.
type Answer struct {
	Image    string    `json:"image,omitempty"`
	Images   []string  `json:"images,omitempty"` // where there are several
	Frames   []int     `json:"frames,omitempty"` // of an animated image, from 0
	Prompt   string    `json:"prompt"`
	Text     string    `json:"text"` // as the model gave it
	Tokens   []int32   `json:"tokens"`
	Objects  []Object  `json:"objects,omitzero"`
	Unparsed []string  `json:"unparsed,omitzero"`
	Tiles    []Tile    `json:"tiles,omitempty"` // where the image was asked about in parts; then the text is their texts put together
	Logprobs []Logprob `json:"logprobs,omitempty"`
	Timings  Timings   `json:"timings"`
}

// Logprob is a token with its log-probability, and the most probable at its place.
type Logprob struct {
	Token   int32     `json:"token"`
	Text    string    `json:"text"`
	Logprob float64   `json:"logprob"`
	Top     []Logprob `json:"top,omitempty"`
}

// Timings says how long each part took, in milliseconds.
type Timings struct {
	Queue         float64 `json:"queue_ms,omitempty"` // of a server: until it was this request's turn
	Load          float64 `json:"load_ms"`
	Vision        float64 `json:"vision_ms"`
	Prefill       float64 `json:"prefill_ms"`
	Decode        float64 `json:"decode_ms"`
	PrefillTokens int     `json:"prefill_tokens"`
	DecodeTokens  int     `json:"decode_tokens"`
}

// Of tells an answer without its objects. load is how long the request waited for the model.
func Of(q runner.Request, r *runner.Result, load time.Duration) Answer {
	a := Answer{Prompt: q.Prompt, Text: r.Text, Tokens: r.Tokens, Timings: TimingsOf(r.Timings, load)}
	if q.TopLogprobs > 0 {
		a.Logprobs = Logprobs(r.Steps)
	}
	return a
}

// TimingsOf writes times in milliseconds.
func TimingsOf(t runner.Timings, load time.Duration) Timings {
	return Timings{Load: ms(load), Vision: ms(t.Vision), Prefill: ms(t.Prefill), Decode: ms(t.Decode), PrefillTokens: t.PrefillTokens, DecodeTokens: t.DecodeTokens}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Logprobs lists an answer's tokens with their probabilities.
func Logprobs(steps []runner.Step) (all []Logprob) {
	for _, s := range steps {
		l := Logprob{Token: s.Token, Text: s.Text, Logprob: s.Logprob}
		for _, t := range s.Top {
			l.Top = append(l.Top, Logprob{Token: t.Token, Text: t.Text, Logprob: t.Logprob})
		}
		all = append(all, l)
	}
	return all
}

// Find puts the objects into an answer that have this score at least, and what of the text is none. decoder may be nil: then there are no masks.
func (a *Answer) Find(r *runner.Result, in Frame, minScore float64, decoder *masks.Decoder) error {
	all, unparsed, err := Objects(r, in, decoder)
	if err != nil {
		return err
	}
	a.Objects, a.Unparsed = []Object{}, append([]string{}, unparsed...)
	for _, o := range all {
		if o.Score.Score >= minScore {
			a.Objects = append(a.Objects, o)
		}
	}
	return nil
}

// Strict makes the constraint that gives the answer to a prompt "detect THING ; THING" its form. It fails where an answer of so many tokens cannot hold
// one object.
func Strict(v *runner.Vocabulary, things string, masks bool, maxTokens int) (*tasks.Grammar, error) {
	s, err := tasks.NewGrammar(tasks.SplitLabels(things), masks, v.Len(), v.Bytes)
	if err != nil {
		return nil, err
	}
	if maxTokens < s.MaxTokens() {
		return nil, fmt.Errorf("at most %d tokens: an object may take %d in the strict form", maxTokens, s.MaxTokens())
	}
	return s, nil
}
