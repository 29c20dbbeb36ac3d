package tasks

// This file: a task's answer as Pali gives it: the same JSON on the command line and over HTTP.

import (
	"time"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks/masks"
)

// Response is the answer of a task as JSON.
type Response struct {
	Image    string      `json:"image,omitempty"`
	Images   []string    `json:"images,omitempty"` // where there are several
	Frames   []int       `json:"frames,omitempty"` // of an animated image, from 0
	Prompt   string      `json:"prompt"`
	Text     string      `json:"text"` // as the model gave it
	Tokens   []int32     `json:"tokens"`
	Objects  []Detection `json:"objects,omitzero"`
	Unparsed []string    `json:"unparsed,omitzero"`
	Lost     Losses      `json:"lost,omitzero"`
	Tiles    []Tile      `json:"tiles,omitempty"` // if the image was asked about in parts; then Text joins their texts
	Logprobs []Logprob   `json:"logprobs,omitempty"`
	Seed     *uint64     `json:"seed,omitempty"` // of a server's answer whose tokens were drawn
	Timings  Timings     `json:"timings"`
}

// Tile is a part of an image, and what the model answered about it.
type Tile struct {
	XYXY [4]int `json:"xyxy"` // x0, y0, x1, y1 in pixels of the image
	Text string `json:"text"` // as the model gave it
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

// NewResponse returns the response for the answer r, without objects and log-probabilities. load is
// how long the request waited for the model.
func NewResponse(w Want, r *runner.Result, load time.Duration) Response {
	a := Response{Prompt: w.Prompt.Text, Text: r.Text, Tokens: r.Tokens, Timings: NewTimings(r.Timings, 0, load)}
	a.Lost.CountCutOff(w, r)
	return a
}

// NewTimings returns the times of an answer in milliseconds. queued is how long the request waited
// in a server's queue, load how long it then waited for the model.
func NewTimings(t runner.Timings, queued, load time.Duration) Timings {
	return Timings{
		Queue: ms(queued), Load: ms(load), Vision: ms(t.Vision), Prefill: ms(t.Prefill), Decode: ms(t.Decode),
		PrefillTokens: t.PrefillTokens, DecodeTokens: t.DecodeTokens,
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Logprobs lists the tokens of an answer with their probabilities.
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

// AddDetections sets the objects of the answer r that are kept, the parts of it that are not
// objects, and what was lost of the objects. decoder may be nil: then objects get no masks.
func (a *Response) AddDetections(r *runner.Result, c Canvas, w Want, decoder *masks.Decoder) error {
	found, unparsed, err := Detections(r, c, decoder)
	if err != nil {
		return err
	}
	w.Decoder = decoder != nil
	a.Unparsed = append([]string{}, unparsed...)
	a.Lost.AddUnparsed(unparsed...)
	a.Objects = a.Lost.keepAll(w, found)
	return nil
}
