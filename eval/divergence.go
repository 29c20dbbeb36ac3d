package eval

// This file: how far a model's distribution of the next token is from another's.

import (
	"errors"
	"math"
)

// Divergence is the Kullback-Leibler divergence of other's distribution from reference's, in nats:
// the sum over all tokens of p (log p - log q). equal tells whether both think the same token the
// most probable, the first of equal ones. Both are logits [V].
func Divergence(reference, other []float32) (nats float64, equal bool, err error) {
	if len(reference) != len(other) || len(reference) == 0 {
		return 0, false, errors.New("eval: the two models have not the same vocabulary")
	}
	first, sum := logSum(reference)
	second, sumOther := logSum(other)
	for i, v := range reference {
		log := float64(v) - sum
		if p := math.Exp(log); p != 0 {
			nats += p * (log - (float64(other[i]) - sumOther))
		}
	}
	if math.IsNaN(nats) || math.IsInf(nats, 0) {
		return 0, false, errors.New("eval: a model's weights give no numbers (NaN or infinity)")
	}
	return max(0, nats), first == second, nil // rounding can take a sum of nothing below 0
}

// logSum returns the place of the largest logit, and the logarithm of the sum of exp(logits).
func logSum(logits []float32) (largest int, log float64) {
	for i, v := range logits {
		if v > logits[largest] {
			largest = i
		}
	}
	most, sum := float64(logits[largest]), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - most)
	}
	return largest, most + math.Log(sum)
}
