package runner_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// BenchmarkChoose is the choice of a token, free and under a grammar, over a vocabulary of
// PaliGemma's size: a detection with three labels. The step of a 3B, which comes before each
// choice, takes 45 ms and more on two cores.
func BenchmarkChoose(b *testing.B) {
	const size = 256_000 + paligemma.Locations + paligemma.SegmentCodes
	known := []string{"▁star", "▁red", "▁circle", "▁;", "▁st", "ar", "▁blue", "quare", "▁s", "ed", "circle"}
	texts := make([]string, size)
	for i := range texts {
		switch at := i - 256; {
		case at < 0:
			texts[i] = string(rune(i))
		case at < len(known):
			texts[i] = known[at]
		default:
			texts[i] = "w" + strconv.Itoa(i)
		}
	}
	v := runner.NewVocabulary(texts, slices.Repeat([]int32{1}, size))
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, size)
	for i := range logits {
		logits[i] = r.Float32()
	}
	labels := []string{"star", "red circle", "blue square"}
	b.Run("free", func(b *testing.B) {
		for s := runner.NewSampler(runner.Sampling{}); b.Loop(); {
			s.Choose(logits)
		}
	})
	b.Run("strict", func(b *testing.B) {
		c, err := tasks.NewGrammar(v, labels, false, 1000)
		if err != nil {
			b.Fatal(err)
		}
		var masked []float32
		for s := runner.NewSampler(runner.Sampling{}); b.Loop(); {
			masked = append(masked[:0], logits...)
			c.Mask(masked, 1000)
			c.Accept(s.Choose(masked))
		}
	})
	b.Run("begin", func(b *testing.B) { // once for each answer
		for b.Loop() {
			if _, err := tasks.NewGrammar(v, labels, false, 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
}
