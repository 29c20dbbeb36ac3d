package llamacpp

// This file: how many tokens a second the demo's decoder takes in and gives. For full-size files
// there is pali bench.

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pali-gguf/pali/gguf"
)

func BenchmarkPrefill(b *testing.B) {
	m, rows, prompt := benchSubject(b)
	for b.Loop() {
		if _, err := m.Prefill(rows, prompt, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*(m.Config().Tokens()+len(prompt)))/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkStep(b *testing.B) {
	const room = 64
	m, rows, prompt := benchSubject(b)
	for n := 0; b.Loop(); n++ {
		if n%room == 0 {
			b.StopTimer()
			if _, err := m.Prefill(rows, prompt, room); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if _, err := m.Step(int32(n % 100)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// benchSubject opens the demo and makes a prefix: an image's embeddings and a prompt.
func benchSubject(b *testing.B) (m *Model, rows []float32, prompt []int32) {
	text, vision := converted(b, filepath.Join(demoFolder, "demo.npz"), filepath.Join(demoFolder, "tokenizer.model"),
		gguf.F32, gguf.F32)
	m = opened(b, text, vision, runtime.GOMAXPROCS(0), gguf.F16)
	c := m.Config()
	rows, err := m.Encode(make([]float32, 3*c.ImageSize*c.ImageSize))
	if err != nil {
		b.Fatal(err)
	}
	return m, rows, []int32{2, 10, 11, 12, 13, 14, 15, 16}
}
