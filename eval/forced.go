package eval

// This file: two decoders that are given the same tokens.

import "github.com/pali-gguf/pali/runner"

// teacherForced is the reference's decoder with another that is given the same tokens at each step.
// It takes the divergence of their distributions.
type teacherForced struct {
	runner.Decoder
	other      runner.Decoder
	embeddings []float32 // of the other's encoder
	seen       Divergences
}

// Prefill lets both read the prefix.
func (f *teacherForced) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	reference, err := f.Decoder.Prefill(embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Prefill(f.embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	return reference, f.take(reference, other)
}

// Step gives both the reference's token.
func (f *teacherForced) Step(token int32) ([]float32, error) {
	reference, err := f.Decoder.Step(token)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Step(token)
	if err != nil {
		return nil, err
	}
	return reference, f.take(reference, other)
}

func (f *teacherForced) take(reference, other []float32) error {
	nats, equal, err := Divergence(reference, other)
	f.seen.KL = append(f.seen.KL, nats)
	if equal {
		f.seen.Top++
	}
	return err
}

// Interrupt ends the running calls of both.
func (f *teacherForced) Interrupt() {
	f.Decoder.Interrupt()
	f.other.Interrupt()
}

// Resume undoes Interrupt.
func (f *teacherForced) Resume() {
	f.Decoder.Resume()
	f.other.Resume()
}
