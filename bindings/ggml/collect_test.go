package ggml

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// collected runs a graph of two products: with a weight [3,2], and of two results.
func collected(t *testing.T, c *Collector, input []float32, runs int) {
	t.Helper()
	weights, graph := NewContext(1), NewContext(16)
	defer weights.Free()
	defer graph.Free()
	w := weights.New(F32, 3, 2).SetName("w")
	memory, err := weights.Alloc(Processor().BufferType())
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Free()
	w.SetFloat32s([]float32{1, 0, 0, 0, 1, 0})
	stop := NewStop()
	defer stop.Free()
	s, err := NewScheduler([]Device{Processor()}, 32, 1, stop)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Free()
	s.Watch(c)
	x := graph.New(F32, 3, 4).SetName("x")
	x.SetInput()
	y := graph.MulMat(w, x)                  // [2,4]
	sums := graph.MulMat(y, graph.Add(y, y)) // no weight in it
	g := graph.NewGraph(16)
	g.Expand(sums)
	if err := s.Alloc(g); err != nil {
		t.Fatal(err)
	}
	for range runs {
		x.SetFloat32s(input)
		if err := s.Compute(g); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCollector(t *testing.T) {
	c := NewCollector()
	defer c.Free()
	input := []float32{1, 2, 3, -1, 0, 5, 0, 0.5, 1, 2, 2, 2}
	collected(t, c, input, 2)
	c.Pause(true)
	collected(t, c, input, 1)
	c.Pause(false)
	have, err := c.Take()
	if err != nil {
		t.Fatal(err)
	}
	want := []SumSquares{{"w", 8, []float64{2 * (1 + 1 + 0 + 4), 2 * (4 + 0 + 0.25 + 4), 2 * (9 + 25 + 1 + 4)}}}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +have)\n%s", d)
	}
	if have, err := c.Take(); len(have) > 0 || err != nil {
		t.Errorf("after Take: %v, %v", have, err)
	}
	input[4] = float32(math.Inf(1))
	collected(t, c, input, 1)
	if _, err := c.Take(); err == nil || !strings.Contains(err.Error(), "w: column 1") {
		t.Errorf("infinity: %v", err)
	}
	collected(t, c, make([]float32, 12), 1)
	if have, err := c.Take(); err != nil || len(have) != 1 || have[0].Rows != 4 {
		t.Errorf("after an error: %v, %v", have, err)
	}
	c.Free()
	c.Free()
}
