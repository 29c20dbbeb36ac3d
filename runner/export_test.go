package runner

// Within shows Sampler.within to the benchmark, which imports tasks and so cannot be in this
// package.
func Within(s *Sampler, logits []float32, c Constraint, left int) int32 {
	return s.within(logits, c, left)
}
