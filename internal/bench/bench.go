// Package bench measures how fast a model is on this machine, and which share of the machine's
// limits it reaches.
//
//	rounds: image ──▶ siglip ──▶ prefill ──▶ decode, timed ──▶ Spread of each ──▶ share of a limit
//
// Before it: a loaded model. After it: a Report, printed by pali bench.
// This file: the rounds; roofline.go: the shares.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// Options say what a round does.
type Options struct {
	Image        string // path; "": pixels drawn at random
	Images       int    // all the same one, 1 or more
	PromptTokens int
	Tokens       int // of the answer, 2 or more
	Rounds       int // that count, after one to warm up
}

// Report is what was measured.
type Report struct {
	Image         *Spread `json:"picture,omitempty"` // one: decoded and resized, if it is a file
	Vision        Spread  `json:"siglip"`            // of one image
	Prefill       Spread  `json:"prefill"`
	Decode        Spread  `json:"decode"`
	Total         Spread  `json:"end_to_end"`
	Load          float64 `json:"load_ms"` // set by the caller, as Device, Threads, KV and PeakBytes
	Images        int     `json:"images"`
	PrefillTokens int     `json:"prefill_tokens"`
	DecodeTokens  int     `json:"decode_tokens"`
	Device        string  `json:"device"` // "CPU", "CUDA0"
	Threads       int     `json:"threads"`
	KV            string  `json:"kv"`
	TextFile      File    `json:"text"`
	VisionFile    File    `json:"mmproj"`
	PeakBytes     int64   `json:"peak_resident_bytes,omitempty"`
	// EstimatedBytes is what package estimate says of a request like a round on the processor.
	EstimatedBytes int64   `json:"estimated_bytes"`
	Machine        Machine `json:"machine"` // zero if Device is not the processor
}

// Run measures model in rounds as o says. It ends early when ctx does.
func Run(ctx context.Context, model *runner.Runner, o Options) (*Report, error) {
	stop := context.AfterFunc(ctx, model.Decoder.Interrupt)
	defer stop()
	s := newSubject(model, o)
	if o.Image != "" {
		var err error // read once: it may be a stream
		if s.file, err = imageproc.ReadStream(ctx, o.Image, imageproc.DefaultLimits.Bytes); err != nil {
			return nil, err
		}
	}
	r := &Report{Images: o.Images, PrefillTokens: o.Images*model.Encoder.Config().Tokens() + o.PromptTokens,
		DecodeTokens: o.Tokens}
	var all [parts][]float64 // milliseconds
	for round := range o.Rounds + 1 {
		took, err := s.round()
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		if err != nil {
			return nil, err
		}
		for i := range all {
			if round > 0 {
				all[i] = append(all[i], float64(took[i])/1e6)
			}
		}
	}
	if o.Image != "" {
		p := spreadOf(all[imagePart], 1)
		r.Image = &p
	}
	r.Vision, r.Prefill = spreadOf(all[visionPart], 1), spreadOf(all[prefillPart], float64(r.PrefillTokens))
	r.Decode = spreadOf(all[decodePart], float64(o.Tokens-1)) // the prefill gives the first
	r.Total = spreadOf(all[totalPart], 1)
	return r, nil
}

// The parts of a round.
const (
	imagePart  = iota // reading and resizing one image
	visionPart        // one image
	prefillPart
	decodePart
	totalPart
	parts
)

// subject is what is measured.
type subject struct {
	Options
	model  *runner.Runner
	pixels []float32 // [3,S,S], drawn at random unless there is an image
	tokens []int32   // of the prompt
	file   []byte    // the image's; nil if there is none
}

func newSubject(model *runner.Runner, o Options) *subject {
	side := model.Encoder.Config().ImageSize
	s := &subject{Options: o, model: model, pixels: make([]float32, 3*side*side), tokens: make([]int32, o.PromptTokens)}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range s.pixels {
		s.pixels[i] = 2*random.Float32() - 1
	}
	words := model.Vocabulary.Len() - paligemma.Locations - paligemma.SegmentCodes
	for i := range s.tokens {
		s.tokens[i] = int32(random.IntN(words))
	}
	return s
}

// round answers once, and times the parts.
func (s *subject) round() (took [parts]time.Duration, err error) {
	start := time.Now()
	lap := start
	end := func(part int) {
		now := time.Now()
		took[part] += now.Sub(lap)
		lap = now
	}
	var embeddings []float32 // [Images,T,E]
	for range s.Images {
		if s.file != nil {
			p, err := imageproc.Decode(s.file, imageproc.DefaultLimits)
			if err != nil {
				return took, fmt.Errorf("%s: %w", s.Image, err)
			}
			s.pixels = imageproc.Preprocess(p, s.model.Encoder.Config().ImageSize, imageproc.Antialias)
		}
		end(imagePart)
		one, err := s.model.Encoder.Encode(s.pixels)
		if err != nil {
			return took, err
		}
		embeddings = append(embeddings, one...)
		end(visionPart)
	}
	logits, err := s.model.Decoder.Prefill(embeddings, s.tokens, s.Tokens)
	if err != nil {
		return took, err
	}
	end(prefillPart)
	greedy := runner.NewSampler(runner.Sampling{})
	for range s.Tokens - 1 {
		if logits, err = s.model.Decoder.Step(greedy.Choose(logits)); err != nil {
			return took, err
		}
	}
	end(decodePart)
	took[totalPart] = lap.Sub(start)
	took[imagePart] /= time.Duration(s.Images)
	took[visionPart] /= time.Duration(s.Images)
	return took, nil
}

// Spread is what the rounds took, in milliseconds, and how many images or tokens a second that
// makes.
type Spread struct {
	Median float64 `json:"median_ms"`
	Min    float64 `json:"min_ms"`
	Max    float64 `json:"max_ms"`
	Rate   float64 `json:"per_second"`
	Share  float64 `json:"share_of_limit,omitempty"`
	Limit  string  `json:"limit,omitempty"`
}

// spreadOf sorts times.
func spreadOf(times []float64, items float64) Spread {
	slices.Sort(times)
	n := len(times)
	median := (times[(n-1)/2] + times[n/2]) / 2
	return Spread{Median: median, Min: times[0], Max: times[n-1], Rate: items / median * 1000}
}

// setShare sets which share of a limit was reached: best is the seconds that a round would take at
// it, 0 if that is not known.
func (s *Spread) setShare(best float64, limit string) {
	if best > 0 {
		s.Share, s.Limit = best/(s.Median/1000), limit
	}
}
