package llamacpp

// This file: several answers to one prefix, the beams of runner.BeamDecoder.
//
// Each beam is a sequence of llama.cpp's KV cache. A cell of it can belong to several sequences, so
// that Reorder copies no numbers. There are twice as many sequences as beams: new beams begin in
// those that the old ones do not use.

import "fmt"

// beams says where the beams are.
type beams struct {
	positions []int // of each beam's next token
	sequences []int // of each beam
}

// sequences is how many sequences the context must have.
func (m *Model) sequences() int {
	if m.options.Beams < 2 {
		return 1
	}
	return 2 * m.options.Beams
}

// Reorder makes beam i continue what beam parents[i] has been, for each i. It implements
// runner.BeamDecoder.
func (m *Model) Reorder(parents []int) error {
	if len(parents) > m.options.Beams {
		return fmt.Errorf("%d beams: the model was opened for %d", len(parents), m.options.Beams)
	}
	used := make([]bool, m.sequences())
	for _, s := range m.beams.sequences {
		used[s] = true
	}
	var next beams
	sequence := 0
	for _, parent := range parents {
		for used[sequence] {
			sequence++
		}
		m.context.Copy(m.beams.sequences[parent], sequence)
		next.positions = append(next.positions, m.beams.positions[parent])
		next.sequences = append(next.sequences, sequence)
		sequence++
	}
	for _, s := range m.beams.sequences {
		m.context.Forget(s)
	}
	m.beams = next
	return nil
}

// StepBatch adds tokens[i] to beam i and returns the logits [V] that follow each. It makes one
// decode for each beam: a product with several columns adds up in another order than one with a
// single column, and a beam's probabilities must not depend on how many others there are.
func (m *Model) StepBatch(tokens []int32) ([][]float32, error) {
	if len(tokens) != len(m.beams.sequences) {
		return nil, fmt.Errorf("%d tokens for %d beams", len(tokens), len(m.beams.sequences))
	}
	all := make([][]float32, len(tokens))
	for i, token := range tokens {
		m.step.Tokens()[0] = token
		err := m.decode(m.step, 1, m.beams.positions[i], m.beams.sequences[i])
		if err == nil {
			m.beams.positions[i]++
			all[i], err = m.context.Logits(-1)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
