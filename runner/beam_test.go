package runner

// This file: beam search against big_vision's own (testdata/reference/cases/beam.json, made by
// scripts/reference/beam.py).

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
)

// tabled is a model whose logits depend on the last token and the one before it. It is a
// BeamDecoder.
type tabled struct {
	*scripted
	table   [][][]float32 // by the token before, the last one and the next one
	answers [][]int32
}

func (m *tabled) Prefill(_ []float32, _ []int32, maxNewTokens int) ([]float32, error) {
	m.answers, m.maxNewTokens = [][]int32{{0, 0}}, maxNewTokens
	return m.table[0][0], nil
}

func (m *tabled) Reorder(parents []int) error {
	var next [][]int32
	for _, i := range parents {
		next = append(next, slices.Clone(m.answers[i]))
	}
	m.answers = next
	return nil
}

func (m *tabled) StepBatch(tokens []int32) (logits [][]float32, err error) {
	if m.hang != nil {
		m.hang()
	}
	if len(tokens) != len(m.answers) {
		m.t.Errorf("%d tokens for %d beams", len(tokens), len(m.answers))
	}
	for i, token := range tokens {
		m.answers[i] = append(m.answers[i], token)
		logits = append(logits, m.table[m.answers[i][len(m.answers[i])-2]][token])
	}
	return logits, nil
}

func TestBeams(t *testing.T) {
	b, err := os.ReadFile("../testdata/reference/cases/beam.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Tables [][][][]float32
		Cases  []struct {
			Table, Beams, Most int
			Tokens             []int32
			Score              float64
		}
	}
	if err := json.Unmarshal(b, &reference); err != nil || len(reference.Cases) < 80 {
		t.Fatalf("%d cases, %v", len(reference.Cases), err)
	}
	for i, c := range reference.Cases {
		m := &tabled{scripted: &scripted{t: t}, table: reference.Tables[c.Table]}
		out, err := (&Runner{m, m, pieces()}).Search(context.Background(), request(c.Most), c.Beams)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for n, s := range out.Steps {
			sum += s.Logprob
			if got := float64(out.Logits[n][s.Token]); len(s.Top) != 2 || s.Top[0].Logprob < s.Logprob ||
				math.IsNaN(got) {
				t.Errorf("case %d, step %d: %+v", i, n, s)
			}
		}
		if !slices.Equal(out.Tokens, c.Tokens) || math.Abs(sum-c.Score) > 1e-4 {
			t.Errorf("case %d, %d beams, %d tokens: have %v (%.5f), want %v (%.5f)",
				i, c.Beams, c.Most, out.Tokens, sum, c.Tokens, c.Score)
		}
		if m.maxNewTokens != c.Most*c.Beams {
			t.Errorf("case %d: room for %d tokens", i, m.maxNewTokens)
		}
	}
}

func TestBeamsStop(t *testing.T) {
	table := make([][][]float32, 8)
	for i := range table {
		table[i] = make([][]float32, 8)
		for j := range table[i] {
			table[i][j] = make([]float32, 8)
			table[i][j][1] = -50 // it hardly ends
		}
	}
	m := &tabled{scripted: &scripted{t: t}, table: table}
	q := request(1000)
	ctx, cancel := context.WithCancel(context.Background())
	m.hang = cancel
	if _, err := (&Runner{m, m, pieces()}).Search(ctx, q, 3); !errors.Is(err, context.Canceled) ||
		len(m.answers) != 3 || len(m.answers[0]) != 3 {
		t.Errorf("%v, %d answers", err, len(m.answers))
	}
	m.hang = nil
	table[0][0][3] = float32(math.NaN())
	if _, err := (&Runner{m, m, pieces()}).Search(context.Background(), q, 3); err == nil {
		t.Error("no error for a model that gives no numbers")
	}
	one := &scripted{t: t, answer: []int32{'x', 1}}
	if _, err := (&Runner{one, one, pieces()}).Search(context.Background(), q, 3); err == nil {
		t.Error("no error for a decoder that follows one answer")
	}
	for _, beams := range []int{1, MaxBeams + 1} {
		if _, err := (&Runner{m, m, pieces()}).Search(context.Background(), q, beams); err == nil {
			t.Errorf("no error for %d beams", beams)
		}
	}
}
