package siglip

// This file: how long one image takes. The tiny checkpoint always; full-size files where
// PALI_BENCH_MMPROJ names them:
//
//	PALI_BENCH_MMPROJ=mmproj-3b-448-Q8_0.gguf,mmproj-3b-448-F16.gguf go test -run '^$' -bench Encode ./mmproj/siglip

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
)

func BenchmarkEncode(b *testing.B) {
	b.Run("tiny", func(b *testing.B) { benchmarkEncode(b, visionFile(b, "tiny-gemma.npz", gguf.F32)) })
	for _, path := range strings.FieldsFunc(os.Getenv("PALI_BENCH_MMPROJ"), func(r rune) bool { return r == ',' }) {
		b.Run(strings.TrimSuffix(filepath.Base(path), ".gguf"), func(b *testing.B) {
			f, err := gguf.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			benchmarkEncode(b, f)
		})
	}
}

func benchmarkEncode(b *testing.B, f *gguf.File) {
	threads, _ := strconv.Atoi(os.Getenv("PALI_BENCH_THREADS"))
	if threads == 0 {
		threads = runtime.NumCPU()
	}
	e := encoder(b, f, threads, false)
	c := e.config
	pixels := make([]float32, 3*c.ImageSize*c.ImageSize)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range pixels {
		pixels[i] = 2*r.Float32() - 1
	}
	for b.Loop() {
		if _, err := e.Encode(pixels); err != nil {
			b.Fatal(err)
		}
	}
	// Products with a weight matrix and the two of the attention, a multiplication and an addition
	// for each element.
	t, d := float64(c.Tokens()), float64(c.EmbeddingLength)
	work := 2 * t * (float64(c.BlockCount)*(4*d*d+2*d*float64(c.FeedForwardLength)+2*t*d) +
		d*float64(3*c.PatchSize*c.PatchSize+c.ProjectionDim))
	b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(float64(e.schedule.MemorySize())/(1<<20), "MiB-work")
}
