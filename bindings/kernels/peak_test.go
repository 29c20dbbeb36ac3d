package kernels

import (
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
)

// No machine that this is built for reads less than 100 MB a second, or computes faster than a
// thousand times what one does today.
func TestLimitsArePlausible(t *testing.T) {
	l, err := MeasureLimits(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f GB/s; %.0f GOP/s int8, %.0f GFLOP/s bf16, %.0f GFLOP/s f32", l.Read/1e9, l.Int8/1e9, l.BF16/1e9,
		l.F32/1e9)
	if l.Read < 1e8 || l.Read > 1e13 {
		t.Errorf("reads %.3g bytes/s", l.Read)
	}
	for _, c := range []struct {
		name string
		rate float64
	}{{"int8", l.Int8}, {"bf16", l.BF16}, {"f32", l.F32}} {
		if c.rate != 0 && (c.rate < 1e8 || c.rate > 1e15) {
			t.Errorf("%s: %.3g operations/s", c.name, c.rate)
		}
	}
}

func TestLimitsRefuseThreads(t *testing.T) {
	for _, threads := range []int{-1, 0, ggml.MaxThreads + 1} {
		if _, err := MeasureLimits(threads); err == nil {
			t.Errorf("%d threads: no error", threads)
		}
	}
}
