package runner

// This file: beam search, as big_vision's captions are made (trainers/proj/paligemma/predict_fns.py, _beam_decode). Before it: the logits behind the
// prefix. After it: the answer that is the most probable of those found, steps and all.

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/pali-gguf/pali/paligemma"
)

// Branching is a decoder that can follow several answers to one prefix at once. Beam search needs one.
type BeamDecoder interface {
	Decoder
	// Branch makes answer i go on from what answer from[i] has been, for each i. After Prefill there is answer 0 alone.
	Branch(from []int) error
	// StepIn is Step for answer i.
	StepIn(i int, token int32) ([]float32, error)
}

// MostBeams is how many answers a beam search can follow.
const MaxBeams = 16

// beam is an answer under way. Its steps lie in a chain, which answers with one beginning share.
type beam struct {
	last   *link
	score  float64   // sum of the steps' log-probabilities
	logits []float32 // behind the last step
	norm   float64   // of the logits
}

type link struct {
	before *link
	step   Step
	logits []float32 // that gave the step, if they are to be kept
}

// candidateStep is a way for a beam to go on.
type candidateStep struct {
	beam  int
	token int32
	score float64
}

// search follows the n most probable answers at each step. Before each, all of them are ended for trial, and the best that ended so far is kept; then
// each goes on with its n+1 most probable tokens, of which the end is none, and the n best of all these live on. Scores are sums of log-probabilities;
// length counts for nothing else. The search ends when none that lives is as probable as the best that ended, or with MaxTokens.
func (r *Runner) search(ctx context.Context, q Request, logits []float32) (best beam, err error) {
	d, ok := r.Decoder.(BeamDecoder)
	if !ok {
		return beam{}, errors.New("runner: this decoder follows one answer only")
	}
	live := []beam{{logits: logits}}
	best.score = math.Inf(-1)
	for n := 1; ; n++ {
		for i := range live {
			if live[i].norm, err = logSum(live[i].logits); err != nil {
				return beam{}, err
			}
			if ended := live[i].score + live[i].logp(paligemma.EOS); best.last == nil || ended > best.score {
				best = beam{last: r.extend(live[i], paligemma.EOS, q), score: ended}
			}
		}
		next := expand(live, q.Beams)
		if n == q.MaxTokens || len(next) == 0 || next[0].score < best.score {
			return best, nil
		}
		if err := ctx.Err(); err != nil {
			return beam{}, err
		}
		if live, err = r.advance(d, live, next, q); err != nil {
			return beam{}, err
		}
	}
}

// logp is the log-probability of a token behind the beam.
func (b beam) logp(token int32) float64 { return float64(b.logits[token]) - b.norm }

// expand returns the n best ways to go on, the best first; of equal ones the earlier beam's first, and then the smaller token.
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

// largest returns the places of the n largest logits, the largest first, of equal ones the first.
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

// advance gives each of the next answers its logits.
func (r *Runner) advance(d BeamDecoder, live []beam, next []candidateStep, q Request) ([]beam, error) {
	from := make([]int, len(next))
	for i, c := range next {
		from[i] = c.beam
	}
	if err := d.Branch(from); err != nil {
		return nil, err
	}
	out := make([]beam, len(next))
	for i, c := range next {
		logits, err := d.StepIn(i, c.token)
		if err != nil {
			return nil, err
		}
		out[i] = beam{last: r.extend(live[c.beam], c.token, q), score: c.score, logits: logits}
	}
	return out, nil
}

// extend adds a token to a beam's chain.
func (r *Runner) extend(b beam, token int32, q Request) *link {
	l := &link{before: b.last, step: Step{Token: token, Logprob: b.logp(token), BinProb: near(b.logits, b.norm, token), Top: r.top(b.logits, b.norm, q.TopLogprobs)}}
	if q.Trace {
		l.logits = b.logits
	}
	return l
}

// searched answers by beam search: the steps come when it has ended.
func (r *Runner) searched(ctx context.Context, q Request, out *Result, logits []float32, each func(Step) error) error {
	best, err := r.search(ctx, q, logits)
	if err != nil {
		return err
	}
	var chain []*link
	for l := best.last; l != nil; l = l.before {
		chain = append(chain, l)
	}
	slices.Reverse(chain)
	text := r.Vocabulary.Decoder()
	for i, l := range chain {
		if q.Trace {
			out.Logits = append(out.Logits, l.logits)
		}
		out.add(l.step, text, i == len(chain)-1)
		if err := each(out.Steps[i]); err != nil {
			return err
		}
	}
	return nil
}
