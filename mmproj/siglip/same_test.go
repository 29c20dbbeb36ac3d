package siglip

// This file: two ways to the same image embeddings must agree: our kernels and ggml's operations,
// one thread and two, a padded MLP and its original.

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
)

// embeddings encodes an image of noise.
func embeddings(t testing.TB, f *gguf.File, o Options) []float32 {
	t.Helper()
	c, err := mmproj.Check(f)
	if err != nil {
		t.Fatal(err)
	}
	o.Stop = ggml.NewStop()
	defer o.Stop.Free()
	e, err := Load(f, c, o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pixels := make([]float32, 3*c.ImageSize*c.ImageSize)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range pixels {
		pixels[i] = 2*r.Float32() - 1
	}
	out, err := e.Encode(pixels)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Bounds by type: the operations of ggml round a product's other factor to 16-bit floats (F16,
// BF16) or 8-bit blocks.
func TestKernelsAgainstOperations(t *testing.T) {
	for _, c := range []struct {
		typ   gguf.Type
		bound float64
	}{
		{gguf.F32, 2e-6},
		{gguf.F16, 3e-3},
		{gguf.BF16, 2e-2},
		{gguf.Q8_0, 2e-2},
		{gguf.Q4_0, 2e-2},
	} {
		t.Run(fmt.Sprint(c.typ), func(t *testing.T) {
			for _, checkpoint := range []string{"tiny-gemma.npz", "tiny-gemma2.npz"} {
				f := visionFile(t, checkpoint, c.typ)
				want := embeddings(t, f, Options{Threads: 2, ggmlOnly: true})
				for threads := 1; threads <= 2; threads++ {
					compare(t, fmt.Sprintf("%v, %s, %d threads", c.typ, checkpoint, threads),
						embeddings(t, f, Options{Threads: threads}), want, c.bound)
				}
			}
		})
	}
}

// Zero-padded hidden units change nothing: gelu(0) is 0.
func TestPaddedMLP(t *testing.T) {
	checkpoints, err := filepath.Glob(filepath.Join(casesFolder, "tiny-*.npz"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range checkpoints {
		if strings.Count(filepath.Base(path), ".") > 1 {
			continue // a case, not a checkpoint
		}
		seen++
		f := visionFile(t, filepath.Base(path), gguf.F32)
		for _, more := range []int{1, 16, 31} {
			compare(t, fmt.Sprintf("%s, %d more", filepath.Base(path), more), embeddings(t, padMLP(t, f, more),
				Options{Threads: 2}), embeddings(t, f, Options{Threads: 2}), 1e-6)
		}
	}
	if seen != 3 {
		t.Errorf("%d checkpoints", seen)
	}
}

// padMLP gives every layer of an F32 file more hidden units, all zero.
func padMLP(t *testing.T, f *gguf.File, more int) *gguf.File {
	t.Helper()
	kvs, tensors := slices.Clone(f.KVs), slices.Clone(f.Tensors)
	for i, kv := range kvs {
		if kv.Key == mmproj.KeyFeedForwardLength {
			kvs[i].Value = kv.Value.(uint32) + uint32(more)
		}
	}
	wider := func(name string) (axis int, ok bool) { // where a tensor's shape has the hidden units
		switch {
		case strings.Contains(name, "ffn_up"):
			return 0, true
		case strings.HasSuffix(name, "ffn_down.weight"):
			return 1, true
		}
		return 0, false
	}
	for i := range tensors {
		if axis, ok := wider(tensors[i].Name); ok {
			tensors[i].Shape = slices.Clone(tensors[i].Shape)
			tensors[i].Shape[axis] += more
		}
	}
	l, err := gguf.NewLayout(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, l.Size)
	copy(out, l.Header)
	for i, x := range f.Tensors {
		data, err := io.ReadAll(f.Data(x))
		if err != nil {
			t.Fatal(err)
		}
		to := out[l.Tensors[i].Offset:]
		if axis, ok := wider(x.Name); ok && axis == 1 { // longer rows
			for r := range x.Shape[0] {
				copy(to[4*r*(x.Shape[1]+more):], data[4*r*x.Shape[1]:4*(r+1)*x.Shape[1]])
			}
		} else {
			copy(to, data)
		}
	}
	padded, err := gguf.Read(bytes.NewReader(out), l.Size)
	if err != nil {
		t.Fatal(err)
	}
	return padded
}
