package runner

// This file: beam search, as big_vision's captions are made
// (trainers/proj/paligemma/predict_fns.py, _beam_decode): from the logits that follow the prefix to
// the most probable answer found, with its steps.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pali-gguf/pali/paligemma"
)

// BeamDecoder is a decoder that can continue one prefix with several answers at once, the beams.
// After Prefill there is beam 0 alone. Search needs a BeamDecoder.
type BeamDecoder interface {
	Decoder
	// Reorder makes beam i a copy of what was beam parents[i], for each i.
	Reorder(parents []int) error
	// StepBatch appends tokens[i] to beam i, for each i, and returns the logits [V] that follow it
	// in row i.
	StepBatch(tokens []int32) ([][]float32, error)
}

// MaxBeams is the maximum number of beams of a search.
const MaxBeams = 16

// Search answers q with the most probable answer that a beam search finds; beams is its width, 2 to
// MaxBeams. q.Sampling and q.Constraint are ignored. r.Decoder must be a BeamDecoder.
func (r *Runner) Search(ctx context.Context, q Request, beams int) (*Result, error) {
	if beams < 2 || beams > MaxBeams {
		return nil, invalidValue("beams", beams, fmt.Sprintf("2 to %d", MaxBeams))
	}
	d, ok := r.Decoder.(BeamDecoder)
	if !ok {
		return nil, errors.New("runner: this decoder follows one answer only")
	}
	q.Sampling = Sampling{}
	s := search{r, d, q, beams}
	return r.run(ctx, q, q.MaxTokens*beams, func(out *Result, logits []float32) error {
		best, err := s.best(ctx, logits)
		if err == nil {
			s.report(out, best.last)
		}
		return err
	})
}

// search is a beam search under way.
type search struct {
	*Runner
	decoder BeamDecoder
	request Request
	width   int
}

// beam is an unfinished answer. Its steps are a linked list, which answers with a common beginning
// share.
type beam struct {
	last   *link
	score  float64   // sum of the steps' log-probabilities
	logits []float32 // [V], that follow the last step
	norm   float64   // their LogSumExp
}

type link struct {
	before *link
	step   Step
	logits []float32 // [V] that the step was chosen from, if they are kept
}

// candidateStep is a way to extend a beam.
type candidateStep struct {
	beam  int
	token int32
	score float64
}

// best runs the search from the logits [V] that follow the prefix. Each round first scores every
// beam as if it ended here, and keeps the best finished one; then each beam is extended by its
// width+1 most probable tokens other than the end, and the best of all these are the next beams.
// Scores are sums of log-probabilities; no length penalty applies. The search ends when every beam
// is less probable than the best finished one, or after MaxTokens.
func (s *search) best(ctx context.Context, logits []float32) (best beam, err error) {
	live := []beam{{logits: logits}}
	best.score = math.Inf(-1)
	for n := 1; ; n++ {
		for i := range live {
			if live[i].norm, err = LogSumExp(live[i].logits); err != nil {
				return beam{}, err
			}
			if ended := live[i].score + live[i].logp(paligemma.EOS); best.last == nil || ended > best.score {
				best = beam{last: s.extend(live[i], paligemma.EOS), score: ended}
			}
		}
		next := expand(live, s.width)
		if n == s.request.MaxTokens || len(next) == 0 || next[0].score < best.score {
			return best, nil
		}
		if err := ctx.Err(); err != nil {
			return beam{}, err
		}
		if live, err = s.advance(live, next); err != nil {
			return beam{}, err
		}
	}
}

// logp is the log-probability of a token after the beam.
func (b beam) logp(token int32) float64 { return float64(b.logits[token]) - b.norm }

// expand returns the n best extensions of the beams live, the best first; of equal ones the earlier
// beam's first, and then the smaller token.
func expand(live []beam, n int) []candidateStep {
	var all []candidateStep
	for i, b := range live {
		for _, token := range largest(b.logits, n+1) {
			if token != paligemma.EOS {
				all = append(all, candidateStep{i, token, b.score + b.logp(token)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidateStep) int { return cmp.Compare(b.score, a.score) })
	return all[:min(n, len(all))]
}

// largest returns the indices of the n largest logits, the largest first, of equal ones the first.
func largest(logits []float32, n int) []int32 {
	var best []int32
	for i, v := range logits {
		if len(best) == n && v <= logits[best[n-1]] {
			continue
		}
		at := len(best)
		for at > 0 && v > logits[best[at-1]] {
			at--
		}
		best = slices.Insert(best, at, int32(i))
		best = best[:min(len(best), n)]
	}
	return best
}

// advance returns the beams that extend those of live by the candidates next, with their logits.
func (s *search) advance(live []beam, next []candidateStep) ([]beam, error) {
	parents, tokens := make([]int, len(next)), make([]int32, len(next))
	for i, c := range next {
		parents[i], tokens[i] = c.beam, c.token
	}
	if err := s.decoder.Reorder(parents); err != nil {
		return nil, err
	}
	logits, err := s.decoder.StepBatch(tokens)
	if err != nil {
		return nil, err
	}
	out := make([]beam, len(next))
	for i, c := range next {
		out[i] = beam{last: s.extend(live[c.beam], c.token), score: c.score, logits: logits[i]}
	}
	return out, nil
}

// extend returns b's list of steps with token at its end.
func (s *search) extend(b beam, token int32) *link {
	l := &link{before: b.last, step: s.step(b.logits, b.norm, token, s.request.TopLogprobs)}
	if s.request.Trace {
		l.logits = b.logits
	}
	return l
}

// report writes the steps that end with last to the result, the first one first.
func (s *search) report(out *Result, last *link) {
	var chain []*link
	for l := last; l != nil; l = l.before {
		chain = append(chain, l)
	}
	slices.Reverse(chain)
	text := s.Vocabulary.Decoder()
	for i, l := range chain {
		if s.request.Trace {
			out.Logits = append(out.Logits, l.logits)
		}
		out.add(l.step, text, i == len(chain)-1)
	}
}
