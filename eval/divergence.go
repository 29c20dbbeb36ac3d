package eval

// This file: how far a model's distribution of the next token is from another's.

import (
	"cmp"
	"errors"
	"math"

	"github.com/pali-gguf/pali/runner"
)

// Divergence returns the Kullback-Leibler divergence of the distribution of other (q) from that of
// reference (p), in nats: the sum over all tokens of p (log p - log q). equal reports whether both
// have the same most probable token, the first of several. Both arguments are logits [V]. It fails
// if their sizes differ or a logit is NaN or infinite.
func Divergence(reference, other []float32) (nats float64, equal bool, err error) {
	if len(reference) != len(other) || len(reference) == 0 {
		return 0, false, errors.New("eval: the two models do not have the same vocabulary")
	}
	sum, err := runner.LogSumExp(reference)
	sumOther, err2 := runner.LogSumExp(other)
	if err := cmp.Or(err, err2); err != nil {
		return 0, false, err
	}
	for i, v := range reference {
		log := float64(v) - sum
		if p := math.Exp(log); p != 0 {
			nats += p * (log - (float64(other[i]) - sumOther))
		}
	}
	if math.IsNaN(nats) || math.IsInf(nats, 0) {
		return 0, false, errors.New("eval: a model's logits are not finite (NaN or infinity)")
	}
	greedy := runner.NewSampler(runner.Sampling{})
	// Rounding can make a divergence of 0 negative.
	return max(0, nats), greedy.Choose(reference) == greedy.Choose(other), nil
}
