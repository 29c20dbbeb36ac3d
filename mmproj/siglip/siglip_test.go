package siglip

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/quant"
)

const casesFolder = "../../testdata/reference/cases"

// visionFile converts a checkpoint of the references and opens its mmproj file.
func visionFile(t testing.TB, checkpoint string, vision gguf.Type) *gguf.File {
	t.Helper()
	src, err := npz.Open(filepath.Join(casesFolder, checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	vocabulary, err := sentencepiece.Open(filepath.Join(casesFolder, "tokenizer.model"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := convert.Run(context.Background(), src, vocabulary, convert.Options{Name: "test", Text: plan(t, gguf.F16),
		Vision: plan(t, vision), OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(r.VisionPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func plan(t testing.TB, typ gguf.Type) *quant.Plan {
	t.Helper()
	p, err := quant.NewPlan(typ.String(), true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoder(t testing.TB, f *gguf.File, threads int, watch bool) *Encoder {
	t.Helper()
	c, err := mmproj.Check(f)
	if err != nil {
		t.Fatal(err)
	}
	stop := ggml.NewStop()
	t.Cleanup(stop.Free)
	e, err := load(f, c, Options{Threads: threads, Stop: stop}, watch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func array(t testing.TB, a *npz.Archive, name string) []float32 {
	t.Helper()
	x, ok := a.Tensor(name)
	if !ok {
		t.Fatalf("the reference has no %s", name)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every stage of the network against big_vision's, so that the first wrong layer is named.
func TestStages(t *testing.T) {
	for _, out := range []string{"tiny-gemma.a", "tiny-gemma.b", "tiny-gemma.c", "tiny-gemma2.a", "tiny-28b.a"} {
		t.Run(out, func(t *testing.T) {
			e := encoder(t, visionFile(t, strings.Split(out, ".")[0]+".npz", gguf.F32), 2, true)
			want, err := npz.Open(filepath.Join(casesFolder, out+".npz"))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			pixels := array(t, want, "pixels")
			side := e.config.ImageSize
			for i := range len(pixels) / (3 * side * side) {
				got, err := e.Encode(pixels[i*3*side*side : (i+1)*3*side*side])
				if err != nil {
					t.Fatal(err)
				}
				stages := []string{"with_posemb"}
				for b := range e.config.BlockCount {
					stages = append(stages, fmt.Sprintf("block%02d", b))
				}
				for _, s := range append(stages, "encoded") {
					have := e.stages[s].Float32s()
					compare(t, fmt.Sprintf("image %d, %s", i, s), have,
						array(t, want, s)[i*len(have):(i+1)*len(have)], 1e-4)
				}
				compare(t, fmt.Sprintf("image %d, image_embeddings", i), got,
					array(t, want, "image_embeddings")[i*len(got):(i+1)*len(got)], 1e-4)
			}
		})
	}
}

func compare(t *testing.T, name string, got, want []float32, bound float64) {
	t.Helper()
	var most, scale float64
	for i := range got {
		most = max(most, math.Abs(float64(got[i])-float64(want[i])))
		scale = max(scale, math.Abs(float64(want[i])))
	}
	t.Logf("%-30s %.1e of the largest", name, most/scale)
	if !(most <= bound*scale) {
		t.Fatalf("%s: largest difference %.2e of the largest value, bound %.0e\nhave %v\nwant %v", name, most/scale,
			bound, got[:5], want[:5])
	}
}

func TestEncodeErrors(t *testing.T) {
	e := encoder(t, visionFile(t, "tiny-gemma.npz", gguf.F32), 1, false)
	if _, err := e.Encode(make([]float32, 5)); err == nil {
		t.Error("5 pixel values pass")
	}
	pixels := make([]float32, 3*e.config.ImageSize*e.config.ImageSize)
	pixels[7] = float32(math.NaN())
	if _, err := e.Encode(pixels); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("NaN: %v", err)
	}
	e.Close()
	e.Close()
}

// The zero Options encodes on the processor, as any number of threads does.
func TestZeroOptions(t *testing.T) {
	f := visionFile(t, "tiny-gemma.npz", gguf.F32)
	c, err := mmproj.Check(f)
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]float32, 3*c.ImageSize*c.ImageSize)
	for i := range pixels {
		pixels[i] = float32(i%7)/7 - 0.5
	}
	var all [2][]float32
	for i, o := range []Options{{}, {Threads: 1}} {
		e, err := Load(f, c, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if all[i], err = e.Encode(pixels); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "zero options", all[0], all[1], 1e-6)
}
