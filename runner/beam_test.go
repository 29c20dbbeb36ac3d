package runner

// This file: beam search against big_vision's own (testdata/reference/cases/beam.json, made by scripts/reference/beam.py).

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
)

// tabled is a model whose logits depend on the last token and the one before it. It follows several answers.
type tabled struct {
	*scripted
	table   [][][]float32 // by the token before, the last one and the next one
	answers [][]int32
}

func (m *tabled) Prefill(_ []float32, _ []int32, room int) ([]float32, error) {
	m.answers, m.room = [][]int32{{0, 0}}, room
	return m.table[0][0], nil
}

func (m *tabled) Branch(from []int) error {
	var next [][]int32
	for _, i := range from {
		next = append(next, slices.Clone(m.answers[i]))
	}
	m.answers = next
	return nil
}

func (m *tabled) StepIn(i int, token int32) ([]float32, error) {
	if m.hang != nil {
		m.hang()
	}
	a := append(m.answers[i], token)
	m.answers[i] = a
	return m.table[a[len(a)-2]][token], nil
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
		q := request(c.Most)
		q.Beams = c.Beams
		var streamed []int32
		out, err := (&Runner{m, m, pieces()}).Generate(context.Background(), q, func(s Step) error {
			streamed = append(streamed, s.Token)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for n, s := range out.Steps {
			sum += s.Logprob
			if got := float64(out.Logits[n][s.Token]); len(s.Top) != 2 || s.Top[0].Logprob < s.Logprob || math.IsNaN(got) {
				t.Errorf("case %d, step %d: %+v", i, n, s)
			}
		}
		if !slices.Equal(out.Tokens, c.Tokens) || !slices.Equal(streamed, c.Tokens) || math.Abs(sum-c.Score) > 1e-4 {
			t.Errorf("case %d, %d beams, %d tokens: have %v (%.5f), want %v (%.5f)", i, c.Beams, c.Most, out.Tokens, sum, c.Tokens, c.Score)
		}
		if m.room != c.Most*c.Beams {
			t.Errorf("room %d", m.room)
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
	q.Beams = 3
	ctx, cancel := context.WithCancel(context.Background())
	m.hang = cancel
	if _, err := (&Runner{m, m, pieces()}).Generate(ctx, q, func(Step) error { return nil }); !errors.Is(err, context.Canceled) || len(m.answers) != 3 || len(m.answers[0]) != 3 {
		t.Errorf("%v, %d answers", err, len(m.answers))
	}
	m.hang = nil
	table[0][0][3] = float32(math.NaN())
	if _, err := (&Runner{m, m, pieces()}).Generate(context.Background(), q, func(Step) error { return nil }); err == nil {
		t.Error("no error for a model that gives no numbers")
	}
	one := &scripted{t: t, answer: []int32{'x', 1}}
	if _, err := (&Runner{one, one, pieces()}).Generate(context.Background(), q, func(Step) error { return nil }); err == nil {
		t.Error("no error for a decoder that follows one answer")
	}
}
