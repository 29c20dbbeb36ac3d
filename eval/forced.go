package eval

// This file: two decoders that are given the same tokens.

import "github.com/pali-gguf/pali/runner"

// teacherForced is the reference's decoder, with another decoder that gets the same tokens at each
// step (teacher forcing). It records the divergence of their distributions.
type teacherForced struct {
	runner.Decoder
	other      runner.Decoder
	embeddings []float32 // from the encoder of other
	seen       Divergences
}

// Prefill gives both decoders tokens, and each its own image embeddings, and returns the
// reference's logits.
func (f *teacherForced) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	reference, err := f.Decoder.Prefill(embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Prefill(f.embeddings, tokens, maxNewTokens)
	if err != nil {
		return nil, err
	}
	return reference, f.record(reference, other)
}

// Step gives both decoders token and returns the reference's logits.
func (f *teacherForced) Step(token int32) ([]float32, error) {
	reference, err := f.Decoder.Step(token)
	if err != nil {
		return nil, err
	}
	other, err := f.other.Step(token)
	if err != nil {
		return nil, err
	}
	return reference, f.record(reference, other)
}

// record adds the divergence of the logits other from the logits reference.
func (f *teacherForced) record(reference, other []float32) error {
	nats, equal, err := Divergence(reference, other)
	f.seen.KL = append(f.seen.KL, nats)
	if equal {
		f.seen.Top++
	}
	return err
}

// Interrupt ends the running calls of both decoders.
func (f *teacherForced) Interrupt() {
	f.Decoder.Interrupt()
	f.other.Interrupt()
}

// Resume undoes Interrupt.
func (f *teacherForced) Resume() {
	f.Decoder.Resume()
	f.other.Resume()
}
