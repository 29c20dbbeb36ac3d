package runner

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pali-gguf/pali/paligemma"
)

func tokens(all []candidate) []int32 {
	var out []int32
	for _, c := range all {
		out = append(out, c.token)
	}
	return out
}

// Probabilities 0.4, 0.3, 0.2, 0.1 in another order.
var four = []float32{float32(math.Log(0.2)), float32(math.Log(0.4)), float32(math.Log(0.1)), float32(math.Log(0.3))}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Sampling
		want []int32
	}{
		{"all", Sampling{Temperature: 1}, []int32{1, 3, 0, 2}},
		{"top k", Sampling{Temperature: 1, TopK: 2}, []int32{1, 3}},
		{"top k of too few", Sampling{Temperature: 1, TopK: 9}, []int32{1, 3, 0, 2}},
		{"nucleus", Sampling{Temperature: 1, TopP: 0.65}, []int32{1, 3}},
		{"nucleus, one", Sampling{Temperature: 1, TopP: 0.01}, []int32{1}},
		{"nucleus, whole", Sampling{Temperature: 1, TopP: 1}, []int32{1, 3, 0, 2}},
		{"after top k", Sampling{Temperature: 1, TopK: 2, TopP: 0.5}, []int32{1}}, // 0.4/0.7 reaches a half
		{"min p", Sampling{Temperature: 1, MinP: 0.4}, []int32{1, 3, 0}},
		{"cold nucleus", Sampling{Temperature: 0.1, TopP: 0.9}, []int32{1}}, // 0.4^10 / sum = 0.946
		{"cold nucleus, 2", Sampling{Temperature: 0.1, TopP: 0.96}, []int32{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, tokens(NewSampler(c.s).candidates(four))); d != "" {
				t.Errorf("%s (-want +got)\n%s", c.name, d)
			}
		})
	}
	if d := cmp.Diff([]int32{0, 1, 2}, tokens(NewSampler(Sampling{Temperature: 1, TopP: 0.3}).candidates([]float32{1, 1,
		1}))); d != "" {
		t.Errorf("equal ones stay together (-want +got)\n%s", d)
	}
}

func TestChoose(t *testing.T) {
	if got := NewSampler(Sampling{}).Choose([]float32{1, 3, 3, 2}); got != 1 {
		t.Errorf("greedy: %d, want the first of the largest, 1", got)
	}
	const n = 20000
	counts, again := [4]float64{}, NewSampler(Sampling{Temperature: 1, Seed: 7})
	s := NewSampler(Sampling{Temperature: 1, Seed: 7})
	for range n {
		got := s.Choose(four)
		if got != again.Choose(four) {
			t.Fatal("the same seed gives different draws")
		}
		counts[got]++
	}
	for token, want := range []float64{0.2, 0.4, 0.1, 0.3} {
		if sigma := math.Sqrt(want * (1 - want) / n); math.Abs(counts[token]/n-want) > 5*sigma {
			t.Errorf("token %d: %v of the draws, want %v", token, counts[token]/n, want)
		}
	}
}

func TestBinProb(t *testing.T) {
	logits := make([]float32, 100+paligemma.Locations+paligemma.SegmentCodes) // all as probable
	norm, err := LogSumExp(logits)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token int32
		bins  float64
	}{
		{99, 0},
		{100, 1 + NearBins},
		{100 + 500, 1 + 2*NearBins},
		{100 + 1020, 1 + NearBins + 3},
		{100 + 1024, 0},
	} {
		t.Run(fmt.Sprint(c.token), func(t *testing.T) {
			if got := binProb(logits, norm, c.token) * float64(len(logits)); math.Abs(got-c.bins) > 1e-9 {
				t.Errorf("token %d: %v bins, want %v", c.token, got, c.bins)
			}
		})
	}
}

// A given seed is the seed, -1 another one each time; only a drawn answer tells it.
func TestSeed(t *testing.T) {
	for _, given := range []int64{0, 1, 42, math.MaxInt64, -2} {
		if Seed(given) != uint64(given) {
			t.Errorf("%d becomes %d", given, Seed(given))
		}
	}
	seen := map[uint64]bool{}
	for range 8 {
		s := Seed(RandomSeed)
		if seen[s] || s >= 1<<31 {
			t.Errorf("%d drawn, of %v", s, seen)
		}
		seen[s] = true
	}
	if s := (Sampling{Seed: 7}).Drawn(); s != nil {
		t.Errorf("a greedy answer tells %d", *s)
	}
	if s := (Sampling{Seed: 7, Temperature: 0.1}).Drawn(); s == nil || *s != 7 {
		t.Errorf("a drawn answer tells %v", s)
	}
}
