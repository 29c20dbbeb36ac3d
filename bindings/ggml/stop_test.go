package ggml

import (
	"errors"
	"testing"
)

// A scheduler that polls counts the parts of a graph, on a device that has no abort callback too, and
// ends it; a graph that does not run in parts is not counted.
func TestPoll(t *testing.T) {
	const nodes = 200
	stop := NewStop()
	s, err := NewScheduler([]Device{Processor()}, 2*nodes, 1, Stop{}) // as on a GPU: nothing is polled
	if err != nil {
		t.Fatal(err)
	}
	c := NewContext(2 * nodes)
	defer func() { s.Free(); c.Free(); stop.Free() }()
	x := c.New(F32, 4)
	x.SetInput()
	y := x
	for range nodes {
		y = c.Add(y, x)
	}
	y.SetOutput()
	g := c.NewGraph(2 * nodes)
	g.Expand(y)
	s.Poll(stop)
	if err := s.Alloc(g); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		parts  bool
		raised bool
		polls  int
	}{
		{"whole", false, false, 0},
		{"in parts", true, false, nodes / 32},
		{"whole again", false, false, 0},
		{"stopped", true, true, 1},
		{"after that", true, false, nodes / 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop.RunInParts(c.parts)
			stop.Lower()
			if c.raised {
				stop.Raise()
			}
			before := stop.Polls()
			x.SetFloat32s([]float32{1, 2, 3, 4})
			err := s.Compute(g)
			if errors.Is(err, ErrStopped) != c.raised || !c.raised && err != nil {
				t.Fatal(err)
			}
			polls := stop.Polls() - before
			if c.raised {
				polls -= 1 // of Compute itself
			}
			if got := y.Float32s(); !c.raised && got[3] != 4*(nodes+1) {
				t.Errorf("%v", got)
			}
			if have := polls; have < c.polls || have > c.polls+2 {
				t.Errorf("%d polls, want %d", have, c.polls)
			}
		})
	}
}
