package runner

// This file: from logits [V] to a token, and to probabilities.

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pali-gguf/pali/paligemma"
)

// Sampling says how a token is chosen. Its zero value is greedy: the largest logit, the first of
// equal ones. Otherwise logits are divided by Temperature, then cut by TopK, TopP and MinP in this
// order, and a token is drawn from the rest.
type Sampling struct {
	Temperature float64 // 0: greedy
	TopK        int     // keep the k largest; 0: all
	// TopP keeps the most probable until their sum reaches p, and those equal to the last
	// (big_vision's nucleus); 0 or 1: all.
	TopP float64
	MinP float64 // keep those at least this share of the most probable; 0: all
	Seed uint64
}

// Sampler draws the tokens of one answer.
type Sampler struct {
	Sampling
	random *rand.Rand
	masked []float32 // logits under a constraint
}

// NewSampler starts a stream of draws by s: the same seed gives the same draws.
func NewSampler(s Sampling) *Sampler {
	return &Sampler{Sampling: s, random: rand.New(rand.NewPCG(s.Seed, 0))}
}

// DrawSeed returns a seed that is another one each time, below 2^31: every client can hold it.
func DrawSeed() uint64 { return rand.Uint64N(1 << 31) }

// Choose draws a token. logits must hold at least one finite number and no NaN.
func (s *Sampler) Choose(logits []float32) int32 {
	if s.Temperature == 0 {
		return argmax(logits)
	}
	all := s.candidates(logits)
	sum := 0.0
	for _, c := range all {
		sum += c.p
	}
	at := s.random.Float64() * sum
	for _, c := range all {
		if at -= c.p; at < 0 {
			return c.token
		}
	}
	return all[len(all)-1].token
}

// within chooses a token that the constraint allows; nil allows all. left is how many tokens may
// still come, this one included. logits are not changed.
func (s *Sampler) within(logits []float32, c Constraint, left int) int32 {
	if c == nil {
		return s.Choose(logits)
	}
	s.masked = append(s.masked[:0], logits...)
	c.Mask(s.masked, left)
	token := s.Choose(s.masked)
	c.Accept(token)
	return token
}

type candidate struct {
	token int32
	p     float64 // not normalised after the cuts
}

// candidates returns the tokens that the cuts leave, the most probable first, equal ones by number.
func (s *Sampler) candidates(logits []float32) []candidate {
	all := make([]candidate, len(logits))
	largest, sum := float64(logits[argmax(logits)]), 0.0
	for i, v := range logits {
		p := math.Exp((float64(v) - largest) / s.Temperature)
		all[i] = candidate{int32(i), p}
		sum += p
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.p, a.p) })
	// a constraint gives what may not come a probability of 0
	all = all[:slices.IndexFunc(append(all, candidate{}), func(c candidate) bool { return c.p == 0 })]
	if s.TopK > 0 && s.TopK < len(all) {
		all = all[:s.TopK]
		sum = 0
		for _, c := range all {
			sum += c.p
		}
	}
	if s.TopP > 0 && s.TopP < 1 {
		all = nucleus(all, s.TopP*sum)
	}
	for len(all) > 1 && all[len(all)-1].p < s.MinP*all[0].p {
		all = all[:len(all)-1]
	}
	return all
}

// nucleus keeps the first candidates until their sum reaches want, and all that equal the last of
// them (big_vision trainers/proj/paligemma/predict_fns.py, _nucleus_sampling).
func nucleus(all []candidate, want float64) []candidate {
	sum, n := 0.0, 0
	for n < len(all)-1 && sum+all[n].p < want {
		sum += all[n].p
		n++
	}
	last := all[n].p
	for n++; n < len(all) && all[n].p == last; n++ {
	}
	return all[:n]
}

// argmax returns the position of the largest, the first of equal ones.
func argmax(v []float32) int32 {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return int32(best)
}

// LogSumExp returns the logarithm of the sum of exp(logits), or an error where a logit is NaN or
// plus infinity.
func LogSumExp(logits []float32) (float64, error) {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 1) {
			return 0, errors.New("runner: the model's weights give no numbers (NaN or infinity)")
		}
		largest = max(largest, float64(v))
	}
	for _, v := range logits {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum), nil
}

// NearBins is the distance in bins up to which a location counts as the same: 8 of 1,023 are 0.8 %
// of a side. Of 0, 2, 4, 8, 16 and 32 it ranks the demo's boxes best.
const NearBins = 8

// binProb is a token's Step.BinProb: the sum of the probabilities of the locations around it.
func binProb(logits []float32, norm float64, token int32) (sum float64) {
	at, ok := paligemma.Location(token, len(logits))
	if !ok {
		return 0
	}
	for i := max(-NearBins, -at); i <= min(NearBins, paligemma.Locations-1-at); i++ {
		sum += math.Exp(float64(logits[int(token)+i]) - norm)
	}
	return sum
}

// Alternative is a token that could have been chosen, with its probability.
type Alternative struct {
	Token   int32
	Text    string
	Logprob float64
}

// top returns the n most probable tokens, equal ones by number. norm is the logits' LogSumExp.
func (r *Runner) top(logits []float32, norm float64, n int) []Alternative {
	var best []Alternative
	for i, v := range logits {
		p := float64(v) - norm
		if n = min(n, len(logits)); n == 0 || len(best) == n && p <= best[n-1].Logprob {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, p, func(a Alternative, p float64) int {
			if a.Logprob >= p {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, Alternative{Token: int32(i), Logprob: p})
		best = best[:min(len(best), n)]
	}
	for i := range best {
		best[i].Text = r.Vocabulary.Text(best[i].Token)
	}
	return best
}
