package convert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/tensor"
)

// What Read gives is what Run stores as F32, whatever the layout and the number of threads.
func TestReadGivesWhatRunStores(t *testing.T) {
	for _, family := range families {
		for _, unstacked := range []bool{false, true} {
			arrays := tinymodel.Arrays(tinymodel.Options{Architecture: family, Prefix: "params/", Unstacked: unstacked,
				DType: tensor.BF16})
			f := mustRun(t, archive(t, arrays), options(t, gguf.F32))
			for _, test := range []struct {
				vision bool
				file   *gguf.File
			}{
				{false, f.text},
				{true, f.vision},
			} {
				t.Run(fmt.Sprint(test.vision), func(t *testing.T) {
					c, err := ReadCheckpoint(archive(t, arrays), test.vision)
					if err != nil {
						t.Fatal(err)
					}
					have := readAll(t, c, 3)
					if list := c.Tensors(); len(list) != len(test.file.Tensors) || len(have) != len(list) {
						t.Fatalf("%s: %d tensors listed, %d read, the file has %d", family, len(list), len(have),
							len(test.file.Tensors))
					}
					for i, x := range c.Tensors() {
						want := make([]float32, test.file.Tensors[i].Len())
						tensor.ToFloat32(want, contents(t, test.file, test.file.Tensors[i]), tensor.F32)
						if x.Name != test.file.Tensors[i].Name || x.DType != tensor.BF16 ||
							!slices.Equal(x.Shape, test.file.Tensors[i].Shape) || !slices.Equal(have[x.Name], want) {
							t.Errorf("%s: %s %v %v: not what the file has", family, x.Name, x.DType, x.Shape)
						}
					}
				})
			}
		}
	}
}

// readAll puts the rows of each tensor in their place.
func readAll(t *testing.T, c *Checkpoint, threads int) map[string][]float32 {
	t.Helper()
	var mutex sync.Mutex
	have, cols := map[string][]float32{}, map[string]int{}
	for _, x := range c.Tensors() {
		have[x.Name], cols[x.Name] = make([]float32, x.Len()), x.Shape[len(x.Shape)-1]
	}
	do := func(r RowRange) error {
		mutex.Lock()
		defer mutex.Unlock()
		copy(have[r.Tensor][r.First*cols[r.Tensor]:], r.Values)
		return nil
	}
	err := c.Read(context.Background(), threads, func() func(RowRange) error { return do }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

func TestReadFails(t *testing.T) {
	arrays := tinymodel.Arrays(tinymodel.Options{Prefix: "params/"})
	if _, err := ReadCheckpoint(archive(t, arrays[1:]), false); err == nil || !strings.Contains(err.Error(),
		"missing") {
		t.Errorf("an array is missing: %v", err)
	}
	c, err := ReadCheckpoint(archive(t, arrays), true)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := c.Read(context.Background(), 2,
		func() func(RowRange) error { return func(RowRange) error { return broken } }, nil); !errors.Is(err, broken) {
		t.Errorf("an error from do: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Read(ctx, 2, func() func(RowRange) error { return func(RowRange) error { return nil } },
		nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
