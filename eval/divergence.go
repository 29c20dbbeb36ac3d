package eval

// This file: how far a model's distribution of the next token is from another's.

import (
	"cmp"
	"errors"
	"math"

	"github.com/pali-gguf/pali/runner"
)

// Divergence is the Kullback-Leibler divergence of other's distribution from reference's, in nats:
// the sum over all tokens of p (log p - log q). equal tells whether both think the same token the
// most probable, the first of equal ones. Both are logits [V].
func Divergence(reference, other []float32) (nats float64, equal bool, err error) {
	if len(reference) != len(other) || len(reference) == 0 {
		return 0, false, errors.New("eval: the two models have not the same vocabulary")
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
		return 0, false, errors.New("eval: a model's weights give no numbers (NaN or infinity)")
	}
	greedy := runner.NewSampler(runner.Sampling{})
	return max(0, nats), greedy.Choose(reference) == greedy.Choose(other), nil // rounding can take a sum of nothing below 0
}
