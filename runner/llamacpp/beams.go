package llamacpp

// This file: several answers to one prefix. Before it: Prefill, whose rows all answers share. After it: runner's beam search.
//
// Each answer is a sequence of llama.cpp's KV cache. A cell of it can belong to several sequences, so that a branch copies no numbers. There are twice as
// many sequences as answers: new answers begin in those that the old ones do not use.

import "fmt"

// beams says where the answers are.
type beams struct {
	positions []int // of each answer's next token
	at        []int // the sequence of each answer
}

// sequences is how many the context must have.
func (m *Model) sequences() int {
	if m.options.Beams < 2 {
		return 1
	}
	return 2 * m.options.Beams
}

// Branch makes answer i go on from what answer from[i] has been, for each i. It implements runner.Branching.
func (m *Model) Branch(from []int) error {
	if len(from) > m.options.Beams {
		return fmt.Errorf("%d answers at once: the model was opened for %d", len(from), m.options.Beams)
	}
	used := make([]bool, m.sequences())
	for _, s := range m.beams.at {
		used[s] = true
	}
	var next beams
	sequence := 0
	for _, answer := range from {
		for used[sequence] {
			sequence++
		}
		m.context.Copy(m.beams.at[answer], sequence)
		next.positions, next.at = append(next.positions, m.beams.positions[answer]), append(next.at, sequence)
		sequence++
	}
	for _, s := range m.beams.at {
		m.context.Forget(s)
	}
	m.beams = next
	return nil
}

// StepIn is Step for answer i.
func (m *Model) StepIn(i int, token int32) ([]float32, error) {
	m.step.Tokens()[0] = token
	if err := m.decode(m.step, 1, m.beams.positions[i], m.beams.at[i]); err != nil {
		return nil, err
	}
	m.beams.positions[i]++
	return m.context.Logits(-1)
}
