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

// BenchmarkChoose is the choice of a token, free and with --strict, over a vocabulary of PaliGemma's size: a detection with three labels. The step of a
// 3B, which comes before each choice, takes 45 ms and more on two cores.
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
			runner.Within(s, logits, nil, 1000)
		}
	})
	b.Run("strict", func(b *testing.B) {
		c, err := tasks.NewGrammar(v, labels, false, 1000)
		if err != nil {
			b.Fatal(err)
		}
		for s := runner.NewSampler(runner.Sampling{}); b.Loop(); {
			runner.Within(s, logits, c, 1000)
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
