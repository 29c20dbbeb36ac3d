package llamacpp

// This file: the zero Options.

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
)

// A model opened with the zero Options encodes, prefills and steps, with the numbers of one opened
// with what pali run chooses.
func TestZeroOptions(t *testing.T) {
	text, vision := tinyPair(t, gguf.F32)
	zero, err := Open(text, vision, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(zero.Close)
	if o := zero.options; o.Threads < 1 || o.KV != gguf.F16 || o.Device != "auto" {
		t.Errorf("%d threads, KV cache of %v, device %q", o.Threads, o.KV, o.Device)
	}
	if first := zero.Runner(); first == nil || zero.Runner() != first {
		t.Error("Runner makes another one at each call")
	}
	chosen := opened(t, text, vision, 1, gguf.F16)
	pixels := make([]float32, 3*zero.Config().ImageSize*zero.Config().ImageSize)
	var logits [2][]float32
	for i, m := range []*Model{zero, chosen} {
		rows, err := m.Encode(pixels)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Prefill(rows, []int32{2, 10, 11, 12}, 2); err != nil {
			t.Fatal(err)
		}
		if logits[i], err = m.Step(13); err != nil {
			t.Fatal(err)
		}
	}
	if d, scale := difference(logits[0], logits[1]); testDevice() == "cpu" && !(d <= 1e-3*scale) || math.IsNaN(d) {
		t.Errorf("logits differ by %.1e, the largest is %.1e", d, scale)
	}
}

// tinyPair converts the smallest reference checkpoint.
func tinyPair(t *testing.T, typ gguf.Type) (text, vision string) {
	t.Helper()
	checkpoint, tokenizer := filepath.Join(casesFolder, "tiny-gemma.npz"), filepath.Join(casesFolder, "tokenizer.model")
	return converted(t, checkpoint, tokenizer, typ, typ)
}

func TestOptionsRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		options    Options
	}{
		{"a cache of blocks of four bits", `no KV cache of type "q4_0"`, Options{KV: "q4_0"}},
		{"a device that there is not", "no abacus device", Options{Device: "abacus"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, vision := tinyPair(t, gguf.F16)
			m, err := Open(text, vision, c.options)
			if err == nil {
				m.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
