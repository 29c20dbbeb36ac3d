package convert

// This file: mask checkpoints, whole and bad, on disks whole and bad. What the file's values decode
// to is tasks/masks' test.

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/tasks/masks"
	"github.com/pali-gguf/pali/tensor"
)

// maskArrays is a mask checkpoint with a code book of this width.
func maskArrays(width int) (all []tinymodel.Array) {
	for i, x := range masks.Tensors(width) {
		a := tinymodel.Array{Name: x.Name, DType: tensor.F32, Shape: x.Shape, Values: make([]float32, x.Len())}
		for j := range a.Values {
			a.Values[j] = float32(i) + float32(j%1000)/1024
		}
		if a.Name == masks.CodeBook {
			a.Name = maskBook
		}
		all = append(all, a)
	}
	// not needed
	return append(all, tinymodel.Array{Name: "encoder.0.bias", DType: tensor.F32, Shape: []int{1},
		Values: []float32{1}})
}

// editedMasks are the arrays of a mask checkpoint with one changed. The change may write to its
// array's values.
func editedMasks(name string, change func(*tinymodel.Array)) []tinymodel.Array {
	arrays := maskArrays(2)
	change(&arrays[slices.IndexFunc(arrays, func(a tinymodel.Array) bool { return a.Name == name })])
	return arrays
}

func TestMasks(t *testing.T) {
	arrays := maskArrays(3)
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16} {
		var files [2][]byte
		for i := range files {
			path, err := Masks(archive(t, arrays), MaskOptions{Name: "tiny", Type: typ, OutDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if files[i], err = os.ReadFile(path); err != nil || filepath.Base(path) != "masks-tiny.gguf" {
				t.Fatal(path, err)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%v: the same checkpoint makes two different files", typ)
		}
		f, err := gguf.Read(bytes.NewReader(files[0]), int64(len(files[0])))
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range f.Tensors {
			want := gguf.F32
			if strings.HasSuffix(x.Name, ".weight") {
				want = typ
			}
			if x.Type != want || !bytes.Equal(contents(t, f, x), narrowed(arrays[i].Values, want)) {
				t.Errorf("%v: %s: type %v, want %v, or other values", typ, x.Name, x.Type, want)
			}
		}
	}
}

func TestBadMasks(t *testing.T) {
	const first, last = "decoder.0.weight", "decoder.12.bias"
	set := func(v float32) func(*tinymodel.Array) {
		return func(a *tinymodel.Array) { a.Values[len(a.Values)-1] = v }
	}
	reshaped := func(shape ...int) func(*tinymodel.Array) {
		return func(a *tinymodel.Array) { a.Shape, a.Values = shape, make([]float32, product(shape)) }
	}
	for _, c := range []struct {
		name   string
		arrays []tinymodel.Array
		typ    gguf.Type
		want   string // "": converts

	}{
		{"NaN", editedMasks(first, set(float32(math.NaN()))), gguf.F32,
			"array decoder.0.weight: element 255 is NaN, which F32 cannot hold"},
		{"infinite", editedMasks(last, set(float32(math.Inf(-1)))), gguf.F16,
			"array decoder.12.bias: element 0 is -Inf, which F32 cannot hold"},
		{"beyond F16", editedMasks(first, set(65520)), gguf.F16, "element 255 is 65520, which F16 cannot hold"},
		{"beyond F16, kept F32", editedMasks(first, set(65520)), gguf.F32, ""},
		{"a bias stays F32", editedMasks(last, set(1e30)), gguf.F16, ""},
		{"a type of blocks", maskArrays(2), gguf.Q8_0, "want F32 or F16"},
		{"no code book", maskArrays(2)[1:], gguf.F32, "not a mask checkpoint"},
		{"a flat code book", editedMasks(maskBook, reshaped(256)), gguf.F32, "not a mask checkpoint"},
		{"a small code book", editedMasks(maskBook, reshaped(127, 2)), gguf.F32,
			"array _vq_vae._embedding: shape [127 2], want [128 2]"},
		{"no code", editedMasks(maskBook, reshaped(128, 0)), gguf.F32, "codebook.weight"},
		{"a wide code book", editedMasks(maskBook, reshaped(1, 4097)), gguf.F32,
			"cannot be read: codebook.weight: shape [128 4097], want [128, 1 to 4096]"},
		{"too wide for a file", editedMasks(maskBook, reshaped(0, math.MaxInt32)), gguf.F32, "codebook.weight"},
		{"another width", editedMasks(first, reshaped(128, 3, 1, 1)), gguf.F32,
			"array decoder.0.weight: shape [128 3 1 1], want [128 2 1 1]"},
		{"integers", editedMasks(last, func(a *tinymodel.Array) { a.DType = tensor.I32 }), gguf.F32, last},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := MaskOptions{Name: "tiny", Type: c.typ, OutDir: t.TempDir()}
			_, err := Masks(archive(t, c.arrays), o)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "convert: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			wantEmpty(t, o.OutDir)
		})
	}
	all := maskArrays(2)
	for i, a := range all[:len(all)-1] {
		_, err := Masks(archive(t, slices.Delete(slices.Clone(all), i, i+1)), MaskOptions{Name: "tiny", Type: gguf.F32,
			OutDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), a.Name) {
			t.Errorf("without %s: %v", a.Name, err)
		}
	}
	if _, err := Masks(archive(t, all), MaskOptions{Name: "a/b", Type: gguf.F32, OutDir: t.TempDir()}); err == nil {
		t.Error("the name a/b passes")
	}
}

// The mask file made with a pair is the one that is made alone, and there are three files or none.
func TestMasksWithAPair(t *testing.T) {
	alone, err := Masks(archive(t, maskArrays(2)), MaskOptions{Name: "tiny", Type: gguf.F16, OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	withPair := func(o Options, arrays []tinymodel.Array) (*Result, error) {
		o.Masks, o.MaskType, o.Threads = archive(t, arrays), gguf.F16, 1
		return tiny(t, o)
	}
	o := options(t, gguf.F32)
	disk := &faultfs.Disk{}
	o.fs = disk
	r, err := withPair(o, maskArrays(2))
	if err != nil || r.MaskPath != filepath.Join(o.OutDir, "masks-tiny.gguf") || fileHash(t, r.MaskPath) != fileHash(t,
		alone) {
		t.Fatalf("%+v, %v", r, err)
	}
	if pair := mustRun(t, archive(t, tinymodel.Arrays(tinymodel.Options{})), options(t, gguf.F32)); hashes(t,
		r) != hashes(t, pair.Result) || pair.MaskPath != "" {
		t.Error("with masks the pair has other bytes")
	}
	o = options(t, gguf.F32)
	if _, err := withPair(o, maskArrays(2)[1:]); err == nil {
		t.Error("bad masks pass")
	}
	wantEmpty(t, o.OutDir)
	const points = 20
	for i := range int64(points) {
		o := options(t, gguf.F32)
		o.fs = faultfs.Full(1 + i*disk.Count()/points)
		if _, err := withPair(o, maskArrays(2)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("point %d: %v", i, err)
		}
		wantEmpty(t, o.OutDir)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o = options(t, gguf.F32)
	o.Masks, o.MaskType = archive(t, maskArrays(2)), gguf.F16
	if _, err := Run(ctx, archive(t, tinymodel.Arrays(tinymodel.Options{})), vocab(t), o); !errors.Is(err,
		context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	wantEmpty(t, o.OutDir)
}

// A disk that is full from some operation on: an error that says so, and nothing left.
func TestMasksDiskFull(t *testing.T) {
	disk := &faultfs.Disk{}
	convert := func(fs *faultfs.Disk) (dir string, err error) {
		dir = t.TempDir()
		_, err = Masks(archive(t, maskArrays(2)), MaskOptions{Name: "tiny", Type: gguf.F16, OutDir: dir, fs: fs})
		return dir, err
	}
	if _, err := convert(disk); err != nil {
		t.Fatal(err)
	}
	for at := range disk.Count() {
		dir, err := convert(faultfs.Full(at + 1))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("operation %d of %d: %v", at+1, disk.Count(), err)
		}
		wantEmpty(t, dir)
	}
}
