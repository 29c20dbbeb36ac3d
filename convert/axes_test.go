package convert

// This file: every axis of every array with lengths that no checkpoint has. Nothing may panic,
// allocate for what is not there, or leave a file.

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tasks/masks"
	"github.com/pali-gguf/pali/tensor"
)

// laidOut reads a checkpoint of arrays and lays its files out, which may fail with a sentence.
func laidOut(t *testing.T, what string, arrays []tinymodel.Array) error {
	t.Helper()
	src := archive(t, arrays)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := readCheckpoint(src)
	if err == nil {
		_, err = newLayout(c, oneType(gguf.F16), oneType(gguf.Q8_0))
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%s: %d bytes allocated", what, used)
	}
	if err != nil && (!strings.HasPrefix(err.Error(), "convert: ") || len(err.Error()) > 4000) {
		t.Errorf("%s: %q", what, err)
	}
	return err
}

// resized returns arrays with another length of an axis of array i.
func resized(arrays []tinymodel.Array, i, axis, length int) {
	a := &arrays[i]
	a.Shape = slices.Clone(a.Shape)
	a.Shape[axis] = length
	a.Values = make([]float32, product(a.Shape))
}

// TestEveryAxis gives each axis of each array the lengths 0 and 1, alone and together with the same
// axis of all other arrays of its half.
func TestEveryAxis(t *testing.T) {
	for _, architecture := range families {
		for _, unstacked := range []bool{false, true} {
			all := smallest(architecture, unstacked)
			c, err := readCheckpoint(archive(t, all))
			if err != nil {
				t.Fatal(err)
			}
			for _, length := range []int{0, 1} {
				t.Run(fmt.Sprint(architecture, unstacked, length), func(t *testing.T) {
					eachAlone(t, all, length)
					eachTogether(t, c, all, length)
				})
			}
		}
	}
}

// free are the axes that no other array has and that may be 1: the image tokens, and the key/value
// heads.
var free = map[string]int{"img/pos_embedding": 1, "llm/layers/attn/kv_einsum/w": 2}

func eachAlone(t *testing.T, all []tinymodel.Array, length int) {
	for i := range all {
		for axis := range all[i].Shape {
			if all[i].Shape[axis] == length {
				continue
			}
			arrays := slices.Clone(all)
			resized(arrays, i, axis, length)
			what := fmt.Sprintf("%s with axis %d of %d", all[i].Name, axis, length)
			if err := laidOut(t, what, arrays); err == nil && !(length == 1 && free[all[i].Name] == axis) {
				t.Errorf("%s was accepted", what)
			}
		}
	}
}

func eachTogether(t *testing.T, c *checkpoint, all []tinymodel.Array, length int) {
	for _, h := range c.halves() {
		for letter := range h.sizes {
			arrays := slices.Clone(all)
			for _, a := range c.arrays {
				for axis, l := range a.axes() {
					if a.half == h && l == letter {
						i := slices.IndexFunc(arrays, func(b tinymodel.Array) bool { return b.Name == a.tensor.Name })
						resized(arrays, i, axis, length)
					}
				}
			}
			what := fmt.Sprintf("axis %s of all of %s with %d", letter, h.Root, length)
			err := laidOut(t, what, arrays)
			if length == 0 && (letter != "l" || h.unstacked == 0) && (err == nil ||
				!strings.Contains(err.Error(), fmt.Sprintf("axis %s (", letter))) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// TestZeroHeads is a whole conversion of a checkpoint of no key/value heads.
func TestZeroHeads(t *testing.T) {
	text, vision := tinymodel.Options{}.Sizes()
	text.HeadCountKV = 0
	got := fails(t, archive(t, tinymodel.Arrays(tinymodel.Options{Text: text, Vision: vision})), vocab(t),
		options(t, gguf.F32))
	const want = "convert: llm/layers/attn/kv_einsum/w: shape [3 2 0 96 16] with axis k (key/value heads) of 0: want " +
		"1 to"
	if !strings.HasPrefix(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}

// withShape packs arrays, of which number i says that it has the shape text.
func withShape(t *testing.T, arrays []tinymodel.Array, i int, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for k, a := range arrays {
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(a.Shape), "[]"), " ", ", ")
		if k == i {
			shape = text
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: zip.Store})
		if err == nil {
			_, err = w.Write(badfiles.NPY(fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }\n",
				shape),
				4*len(a.Values)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// smallest returns the arrays of a checkpoint of some kilobytes.
func smallest(architecture string, unstacked bool) []tinymodel.Array {
	return tinymodel.Arrays(tinymodel.Options{Unstacked: unstacked,
		Text: paligemma.TextConfig{Architecture: architecture, EmbeddingLength: 3, BlockCount: 2,
			FeedForwardLength: 5, HeadCount: 4, HeadCountKV: 2, KeyLength: 2, VocabSize: 7},
		Vision: paligemma.VisionConfig{ImageSize: 4, PatchSize: 2, EmbeddingLength: 6, FeedForwardLength: 5,
			BlockCount: 1, HeadCount: 3, ProjectionDim: 3}})
}

// impossible are lengths of an axis that a header can say.
var impossible = []string{"-1", "2147483648", "4294967297", "9223372036854775807", "9223372036854775808", "1e9",
	"2.0", "None", "0x10", "(2, 2)"}

// TestImpossibleAxes has headers with lengths of which there are no bytes, or that are no lengths.
func TestImpossibleAxes(t *testing.T) {
	all := smallest(paligemma.Gemma, false)
	for i, a := range all {
		for axis := range a.Shape {
			for _, length := range impossible {
				dims := strings.Fields(strings.Trim(fmt.Sprint(a.Shape), "[]"))
				dims[axis] = length
				for _, text := range []string{strings.Join(dims, ", "), strings.Repeat(length+", ", len(dims))} {
					data := withShape(t, all, i, strings.TrimSuffix(text, ", "))
					_, err := npz.NewArchive(bytes.NewReader(data), int64(len(data)))
					if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), a.Name) {
						t.Errorf("%s with shape %s: %v", a.Name, text, err)
					}
				}
			}
		}
	}
}

// Nothing beside no bytes: a shape with a zero and a huge axis is a valid array of no elements.
func TestZeroTimesHuge(t *testing.T) {
	all := smallest(paligemma.Gemma, false)
	for i, a := range all {
		if len(a.Shape) < 2 {
			continue
		}
		for axis := range a.Shape {
			arrays := slices.Clone(all)
			arrays[i].Values = nil
			dims := slices.Repeat([]string{"0"}, len(a.Shape))
			dims[axis] = "100000000000"
			data := withShape(t, arrays, i, strings.Join(dims, ", "))
			archive, err := npz.NewArchive(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readCheckpoint(archive); err == nil {
				t.Errorf("%s with shape %v was accepted", a.Name, dims)
			}
		}
	}
}

// TestEveryMaskAxis gives each axis of each array of a mask checkpoint the lengths 0 and 1.
func TestEveryMaskAxis(t *testing.T) {
	var all []tinymodel.Array
	for _, want := range masks.Tensors(4) {
		name := want.Name
		if name == masks.CodeBook {
			name = maskBook
		}
		shape := slices.Clone(want.Shape)
		all = append(all, tinymodel.Array{Name: name, DType: tensor.F32, Shape: shape,
			Values: make([]float32, product(shape))})
	}
	folder := t.TempDir()
	if _, err := Masks(archive(t, all), MaskOptions{Name: "good", OutDir: folder}); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		for axis := range all[i].Shape {
			for _, length := range []int{0, 1} {
				if all[i].Shape[axis] == length {
					continue
				}
				arrays := slices.Clone(all)
				resized(arrays, i, axis, length)
				_, err := Masks(archive(t, arrays), MaskOptions{Name: "bad", OutDir: folder})
				if err == nil || !strings.HasPrefix(err.Error(), "convert: ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s with axis %d of %d: %v", all[i].Name, axis, length, err)
				}
			}
		}
	}
	if found, _ := filepath.Glob(filepath.Join(folder, "*bad*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// TestFolderAround takes a checkpoint that was packed with folders around it.
func TestFolderAround(t *testing.T) {
	for _, c := range []struct{ folder, prefix string }{
		{"paligemma-3b-mix-224/", "params/"}, {"a/b c/", "params/"}, {"x/", ""}, {"x/", "opt/target/"}, {"params/", ""},
		{"opt/", "params/"},
	} {
		for _, unstacked := range []bool{false, true} {
			t.Run(fmt.Sprint(c.folder, c.prefix, unstacked), func(t *testing.T) {
				o := tinymodel.Options{Prefix: c.prefix, Unstacked: unstacked}
				want := mustRun(t, archive(t, tinymodel.Arrays(o)), options(t, gguf.F32))
				arrays := tinymodel.Arrays(o)
				for i := range arrays {
					arrays[i].Name = c.folder + arrays[i].Name
				}
				have := mustRun(t, archive(t, arrays), options(t, gguf.F32))
				for i, pair := range [][2]string{{want.TextPath, have.TextPath}, {want.VisionPath, have.VisionPath}} {
					a, errA := os.ReadFile(pair[0])
					b, errB := os.ReadFile(pair[1])
					if errA != nil || errB != nil || !bytes.Equal(a, b) {
						t.Errorf("file %d differs: %v %v", i, errA, errB)
					}
				}
			})
		}
	}
	arrays := tinymodel.Arrays(tinymodel.Options{Prefix: "a/params/"})
	arrays[2].Name = "b/" + strings.TrimPrefix(arrays[2].Name, "a/")
	if _, err := readCheckpoint(archive(t, arrays)); err == nil {
		t.Error("arrays of two folders were accepted")
	}
}

// TestFolder writes to folders of every kind, and says what is in the way of one.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("there"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "there", "nowhere": "gone", "tofile": "file"} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	src := archive(t, tinymodel.Arrays(tinymodel.Options{}))
	for _, c := range []struct{ path, want string }{
		{at("new") + "/", ""}, {at("50% a b/c"), ""}, {at("there") + "//", ""}, {at("link"), ""},
		{at("link") + "/below/", ""},
		{at("file"), "no folder " + at("file") + " to write to: " + at("file") + " is a file"},
		{at("file/below"), "no folder " + at("file/below") + " to write to: " + at("file") + " is a file"},
		{at("tofile"), at("tofile") + " is a file"},
		{"~/models", "~/models is a path of which the shell did not replace the ~: write $HOME/models"},
		{"s3://bucket/models", "convert: no folder s3://bucket/models to write to: it is an address"},
		{at("nowhere"), at("nowhere") + " is a link to gone, which is not there"},
	} {
		t.Run(c.path, func(t *testing.T) {
			o := options(t, gguf.F32)
			o.OutDir, o.Force = c.path, true
			_, err := Run(context.Background(), src, vocab(t), o)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
}
