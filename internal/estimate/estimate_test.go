package estimate

import (
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/quant"
)

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text, label string
		side        int
	}{
		{"3b", "3B", 224},
		{"2-10b", "10B", 224},
		{"2-28b-224", "28B", 224},
		{"2-3b-896", "3B", 896},
		{" 2-3B-448 ", "3B", 448},
		{"3b-300", "", 0},
		{"4b", "", 0},
		{"4b-448", "", 0},
		{"", "", 0},
		{"3b-448-448", "", 0},
	} {
		t.Run(c.text, func(t *testing.T) {
			s, ok := ParseSize(c.text)
			if ok != (c.label != "") || ok && (s.SizeLabel != c.label || s.Side != c.side) {
				t.Errorf("%+v %v", s, ok)
			}
		})
	}
	if have, want := SizesText(), "3b, 2-3b, 2-10b, 2-28b, with -448 or -896"; have != want {
		t.Errorf("have %q, want %q", have, want)
	}
}

// The published sizes in 16 bits: their parameters, counted from the shapes of big_vision's models,
// and Gemma's vocabulary.
func TestOfSize(t *testing.T) {
	for _, c := range []struct {
		size       string
		parameters float64
	}{{"3b", 2_923_335_408}, {"3b-448", 2_924_220_144}, {"2-3b-896", 3_036_518_640}, {"2-10b", 9_662_409_456},
		{"2-28b-224", 27_650_192_112}} {
		t.Run(c.size, func(t *testing.T) {
			text, err := quant.NewPlan("bf16", false)
			if err != nil {
				t.Fatal(err)
			}
			vision, err := quant.NewPlan("bf16", true)
			if err != nil {
				t.Fatal(err)
			}
			size, ok := ParseSize(c.size)
			m, err := OfSize(size, Plans{text, vision})
			if got := float64(m.TextBytes + m.VisionBytes); err != nil || !ok || got < 2*c.parameters ||
				got > 2*c.parameters+20e6 {
				t.Errorf("%v bytes for %v parameters, %v", got, c.parameters, err)
			}
		})
	}
}

// The cache of the 3B: 18 layers, one head of 256, in 256s of positions.
func TestMemory(t *testing.T) {
	size, _ := ParseSize("3b")
	m := Model{Text: size.Text, TextBytes: 10, VisionBytes: 5}
	m.Vision.PatchSize, m.Vision.ImageSize = 14, 224
	one := m.OneImage(gguf.F16)
	if one.Positions != 576 || one.KV != 18432*768 || one.Total != 15+one.KV+one.Work {
		t.Errorf("%+v", one)
	}
	if one.OnDevice() <= one.Total {
		t.Errorf("%d on a GPU", one.OnDevice())
	}
	if two := m.Memory(gguf.F32, 576, 832); two.KV != 2*18432*1024 || two.Work <= one.Work {
		t.Errorf("%+v", two)
	}
}
