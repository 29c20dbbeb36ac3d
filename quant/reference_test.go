package quant

// This file: blocks and recipes against those of llama.cpp's own library
// (scripts/reference/blocks.py made the files in testdata).

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/tensor"
)

// referenceRows are the rows of scripts/reference/blocks.py, and a weight for each column.
func referenceRows() (x []float32, cols int, weights []float32) {
	const rows = 64
	cols = 1024
	state := uint64(1)
	draw := func() int {
		state = state*6364136223846793005 + 1442695040888963407
		return int(state >> 40)
	}
	for i := range rows * cols {
		v := float32(draw()+draw()+draw()+draw()-1<<25) * 0x1p-30
		if i >= rows/2*cols {
			v = tensor.FromF16(tensor.ToF16(v))
		}
		x = append(x, v)
	}
	for range cols {
		weights = append(weights, float32(draw())*0x1p-24)
	}
	return x, cols, weights
}

// The blocks of every type are those of llama.cpp's library, to the bit, without weights and with
// them.
func TestLikeLlamaCpp(t *testing.T) {
	x, cols, weights := referenceRows()
	have := ""
	for _, typ := range matrixTypes {
		if !typ.Blocked() {
			continue
		}
		out := make([]byte, typ.RowBytes(len(x)))
		for _, w := range []struct {
			kind    string
			weights []float32
		}{{"plain", nil}, {"weighted", weights}} {
			if overflow, err := Encode(typ, out, x, cols, w.weights); overflow >= 0 || err != nil {
				t.Fatal(overflow, err)
			}
			have += fmt.Sprintf("%v %s %x\n", typ, w.kind, sha256.Sum256(out))
		}
	}
	want, err := os.ReadFile("testdata/blocks.txt")
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("other blocks than llama.cpp's (a build with -ffp-contract=off, as make has it, gives the "+
			"same):\nhave\n%s\nwant\n%s", have, want)
	}
}

// The recipes give every matrix of a layer the type that llama.cpp gives it, in both architectures;
// the token table is our own decision.
func TestTypesLikeLlamaCpp(t *testing.T) {
	for _, m := range models[1:] {
		text, err := os.ReadFile("testdata/types-" + m.text.Architecture + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		names := strings.Fields(lines[0])[1:]
		if len(names) != 13 || len(lines) != 1+1+7*m.text.BlockCount {
			t.Fatalf("%s: %d lines of %d types", m.text.Architecture, len(lines), len(names))
		}
		for c, name := range names {
			all := gemma.Tensors(m.text)
			plan(t, name, false).Choose(all)
			for _, line := range lines[1:] {
				want := strings.Fields(line)
				i := slices.IndexFunc(all, func(x gguf.Tensor) bool { return x.Name == want[0] })
				if want[0] != gemma.TokenEmbd && all[i].Type.String() != want[c+1] {
					t.Errorf("%s: %s is %v, llama.cpp's %s", name, want[0], all[i].Type, want[c+1])
				}
			}
		}
	}
}
