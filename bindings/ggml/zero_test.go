package ggml

import "testing"

// ggml would take another number of threads for 0, and abort above its limit.
func TestSchedulerRefusesThreads(t *testing.T) {
	for _, threads := range []int{-1, 0, MaxThreads + 1} {
		if s, err := NewScheduler([]Device{Processor()}, 8, threads, Stop{}); err == nil {
			s.Free()
			t.Errorf("%d threads: no error", threads)
		}
	}
}

// The zero Stop is never raised, and a graph runs with it.
func TestZeroStop(t *testing.T) {
	var stop Stop
	stop.Raise()
	if stop.Raised() || stop.Polls() != 0 {
		t.Errorf("raised %v, %d polls", stop.Raised(), stop.Polls())
	}
	s, err := NewScheduler([]Device{Processor()}, 8, 1, stop)
	if err != nil {
		t.Fatal(err)
	}
	c := NewContext(8)
	defer func() { s.Free(); c.Free() }()
	x := c.New(F32, 4)
	x.SetInput()
	y := c.Add(x, x)
	y.SetOutput()
	g := c.NewGraph(8)
	g.Expand(y)
	if err := s.Alloc(g); err != nil {
		t.Fatal(err)
	}
	x.SetFloat32s([]float32{1, 2, 3, 4})
	if err := s.Compute(g); err != nil {
		t.Fatal(err)
	}
	if got := y.Float32s(); got[3] != 8 {
		t.Errorf("x + x = %v", got)
	}
	stop.Free()
}

func TestDequantizeErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   Type
		dst   int
		bytes int
	}{
		{"no such type", TypeCount, 32, 64},
		{"a number without a type", 4, 32, 64},
		{"half a block", 8 /* q8_0 */, 16, 64},
		{"too few bytes", 8, 32, 33},
		{"no conversion", 24 /* i8 */, 32, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Dequantize(c.typ, make([]float32, c.dst), make([]byte, c.bytes)); err == nil {
				t.Error("no error")
			}
		})
	}
	if err := Dequantize(8, nil, nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}
