package main

// This file: pali bench: how fast a model is here, beside what this machine can do. Before it: model.go. After it: benchreport.go, which prints it.

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/runner/llamacpp"
)

type benchFlags struct {
	modelFlags
	prompt, images, tokens, rounds int
	picture                        string
	asJSON                         bool
}

func newBench() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench -m MODEL",
		Short: "Measures how fast a model is here, beside what this machine can do",
		Long: `Measures a model on this machine: loading, the vision encoder (SigLIP), the prefix (prefill), the answer (decode), and the three together,
on a picture and tokens that are drawn at random. With -i the picture is that file, and reading and resizing it is measured too. One round warms
up, the others count. Beside the times stands what the machine can do at most with as many threads, measured in the same run, and the share of it
that is reached:

  decode    every weight of the text file is read once for each token: bytes a second, of those that memory gives
  prefill   two operations for each weight of the layers and each position, those of the products only: of the processor's rate for the weights' type
  siglip    the same, with the products of attention

Block types (q8_0, q4_0, ...) are compared with the rate of int8 products, f16 and f32 with that of f32, bf16 with its own where there is one.`,
		Example: `  pali bench -m models
  pali bench -m models --prompt-tokens 32 --max-tokens 64 -r 10 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.modelFlags.add(fs)
	fs.IntVar(&f.prompt, "prompt-tokens", 8, "tokens of the prompt, BOS and separator among them")
	fs.StringVarP(&f.picture, "image", "i", "", "picture file (default: one drawn at random)")
	fs.IntVar(&f.images, "images", 1, "pictures, all the same one")
	fs.IntVar(&f.tokens, "max-tokens", 24, "tokens of the answer")
	fs.IntVarP(&f.rounds, "rounds", "r", 5, "rounds that count")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *benchFlags) check() error {
	for _, v := range []struct {
		flag              string
		have, least, most int
	}{{"--prompt-tokens", f.prompt, 2, maxPrompt}, {"--images", f.images, 1, maxPictures}, {"--max-tokens", f.tokens, 2, 1 << 16}, {"--rounds", f.rounds, 1, 1000}} {
		if v.have < v.least || v.have > v.most {
			return usagef("%s %d: want %d to %d", v.flag, v.have, v.least, v.most)
		}
	}
	return nil
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	start := time.Now()
	model, err := f.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer model.Close()
	load := time.Since(start)
	r, err := f.measure(cmd.Context(), model)
	if err != nil {
		return err
	}
	r.Load = ms(load)
	text, vision, err := findPair(f.model, f.mmproj)
	if err != nil {
		return err
	}
	r.PeakBytes = peakMemory() // before the limits, which need memory of their own
	limits, err := kernels.MeasureLimits(f.threads)
	if err != nil {
		return err
	}
	if err := r.addFiles(text, vision, limits); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	return r.print(cmd.OutOrStdout())
}

// measure runs the rounds.
func (f *benchFlags) measure(ctx context.Context, model *llamacpp.Model) (*benchReport, error) {
	stop := context.AfterFunc(ctx, model.Interrupt)
	defer stop()
	b := f.newSubject(model)
	r := &benchReport{Images: f.images, PrefillTokens: f.images*model.Config().Tokens() + f.prompt, DecodeTokens: f.tokens, Threads: f.threads, KV: f.kv}
	var all [parts][]float64 // milliseconds
	for round := range f.rounds + 1 {
		took, err := b.round()
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
	if f.picture != "" {
		p := spreadOf(all[picturePart], 1)
		r.Picture = &p
	}
	r.Vision, r.Prefill = spreadOf(all[visionPart], 1), spreadOf(all[prefillPart], float64(r.PrefillTokens))
	r.Decode = spreadOf(all[decodePart], float64(f.tokens-1)) // the prefill gives the first
	r.Total = spreadOf(all[totalPart], 1)
	return r, nil
}

// The parts of a round.
const (
	picturePart = iota // reading and resizing one picture
	visionPart         // one picture
	prefillPart
	decodePart
	totalPart
	parts
)

// benchSubject is what is measured.
type benchSubject struct {
	*benchFlags
	model  *llamacpp.Model
	pixels []float32 // drawn at random, unless there is a picture
	tokens []int32   // of the prompt
}

func (f *benchFlags) newSubject(model *llamacpp.Model) *benchSubject {
	b := &benchSubject{f, model, make([]float32, 3*model.Config().ImageSize*model.Config().ImageSize), make([]int32, f.prompt)}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b.pixels {
		b.pixels[i] = 2*random.Float32() - 1
	}
	words := model.Runner().Vocabulary.Len() - pali.Locations - pali.SegmentCodes
	for i := range b.tokens {
		b.tokens[i] = int32(random.IntN(words))
	}
	return b
}

// round answers once, and times the parts.
func (b *benchSubject) round() (took [parts]time.Duration, err error) {
	start := time.Now()
	lap := start
	end := func(part int) {
		now := time.Now()
		took[part] += now.Sub(lap)
		lap = now
	}
	var rows []float32
	for range b.images {
		if b.picture != "" {
			p, err := mmproj.OpenPicture(b.picture, mmproj.DefaultLimits)
			if err != nil {
				return took, err
			}
			b.pixels = mmproj.Preprocess(p, b.model.Config().ImageSize, mmproj.Antialias)
		}
		end(picturePart)
		one, err := b.model.Encode(b.pixels)
		if err != nil {
			return took, err
		}
		rows = append(rows, one...)
		end(visionPart)
	}
	logits, err := b.model.Prefill(rows, b.tokens, b.benchFlags.tokens)
	if err != nil {
		return took, err
	}
	end(prefillPart)
	greedy := runner.NewSampler(runner.Sampling{})
	for range b.benchFlags.tokens - 1 {
		if logits, err = b.model.Step(greedy.Choose(logits)); err != nil {
			return took, err
		}
	}
	end(decodePart)
	took[totalPart] = lap.Sub(start)
	took[picturePart] /= time.Duration(b.images)
	took[visionPart] /= time.Duration(b.images)
	return took, nil
}

// spread is what the rounds took, in milliseconds, and how many pictures or tokens that makes a second.
type spread struct {
	Median float64 `json:"median_ms"`
	Min    float64 `json:"min_ms"`
	Max    float64 `json:"max_ms"`
	Rate   float64 `json:"per_second"`
	Share  float64 `json:"share_of_limit,omitempty"`
	Limit  string  `json:"limit,omitempty"`
}

func spreadOf(times []float64, items float64) spread {
	slices.Sort(times)
	n := len(times)
	median := (times[(n-1)/2] + times[n/2]) / 2
	return spread{Median: median, Min: times[0], Max: times[n-1], Rate: items / median * 1000}
}

// share sets what part of a limit was reached: best is the seconds that a round would take at it, 0 if that is not known.
func (s *spread) share(best float64, limit string) {
	if best > 0 {
		s.Share, s.Limit = best/(s.Median/1000), limit
	}
}
