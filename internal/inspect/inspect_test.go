package inspect

// This file: small files, opened, listed and compared. What the commands print of it is cmd/pali's
// test.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/tensor"
)

// array32 is an array of 32-bit floats.
type array32 struct {
	name   string
	shape  []int
	values []float32
}

func raw(values []float32) []byte {
	b := make([]byte, 4*len(values))
	tensor.FromFloat32(b, values, tensor.F32)
	return b
}

// writeGGUF writes a file of these arrays and returns its path.
func writeGGUF(t *testing.T, arrays ...array32) string {
	t.Helper()
	var tensors []gguf.Tensor
	for _, a := range arrays {
		tensors = append(tensors, gguf.Tensor{Name: a.name, Shape: a.shape})
	}
	l, err := gguf.NewLayout([]gguf.KV{{Key: "general.name", Value: "x"}}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, l.Size)
	copy(b, l.Header)
	for i, a := range arrays {
		copy(b[l.Tensors[i].Offset:], raw(a.values))
	}
	return write(t, "x.gguf", b)
}

// writeNPZ writes an archive of these arrays and returns its path.
func writeNPZ(t *testing.T, arrays ...array32) string {
	t.Helper()
	var b bytes.Buffer
	w := npz.NewWriter(&b)
	for _, a := range arrays {
		if err := w.AddFloat32s(a.name, a.shape, a.values); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, "x.npz", b.Bytes())
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, paths ...string) *Listing {
	t.Helper()
	l, err := Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// An archive and a GGUF file of the same arrays hold the same, and read to the end.
func TestListing(t *testing.T) {
	arrays := []array32{{"a", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}}, {"b", []int{4}, []float32{7, 8, 9, 10}}}
	for _, c := range []struct{ name, path, kind string }{
		{"GGUF", writeGGUF(t, arrays...), "gguf"},
		{"NPZ", writeNPZ(t, arrays...), "npz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, c.path)
			if l.Kind != c.kind || len(l.Tensors) != 2 || !slices.Equal(l.Tensors[0].Shape, []int{2, 3}) ||
				l.Tensors[1].Bytes != 16 {
				t.Errorf("%+v", l)
			}
			if x := l.Contents(); x.Elements != 10 || len(x.Types) != 1 || x.Types[0] != (TypeTotal{"F32", 2, 10, 40}) {
				t.Errorf("%+v", x)
			}
			var have bytes.Buffer
			var last, all int64
			err := l.Read(context.Background(), func(int) io.Writer { return &have }, func(done, total int64) {
				last,
					all = done, total
			})
			want := append(raw(arrays[0].values), raw(arrays[1].values)...)
			if err := errors.Join(err, l.Unchanged()); err != nil || !bytes.Equal(have.Bytes(), want) || last != 40 ||
				all != 40 {
				t.Errorf("%v: %d bytes, %d of %d", err, have.Len(), last, all)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	good := writeGGUF(t, array32{"a", []int{1}, []float32{1}})
	for _, c := range []struct {
		name  string
		paths []string
		want  string
	}{
		{"nothing", []string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		{"a folder", []string{t.TempDir()}, "is a folder: want a GGUF file"},
		{"a device", []string{os.DevNull}, "not a regular file"},
		{"words", []string{write(t, "x", []byte("words"))}, "is a text file: want the checkpoint"},
		{"words called GGUF", []string{write(t, "x.gguf", []byte("words"))}, "is a text file: want a GGUF file"},
		{"two files", []string{good, good}, "2 files: " + ErrSeveral.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(c.paths...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v, want %s", err, c.want)
			}
		})
	}
}

// The worst comes first; padding, other shapes and what only one side has are told apart, for each
// pair of kinds.
func TestCompare(t *testing.T) {
	const up = "v.blk.0.ffn_up.bias"
	left := []array32{{"same", []int{2}, []float32{1, 2}}, {"near", []int{2, 2}, []float32{1, 2, 3, 4}},
		{up, []int{2}, []float32{1, 1}},
		{"shape", []int{3}, []float32{1, 2, 3}}, {"left", []int{1}, []float32{0}}}
	right := []array32{{"right", []int{1}, []float32{0}}, {"shape", []int{1}, []float32{1}},
		{up, []int{32}, append([]float32{1, 3}, make([]float32, 30)...)},
		{"near", []int{2, 2}, []float32{1, 2, 3, 5}}, {"same", []int{2}, []float32{1, 2}}}
	for _, c := range []struct{ name, a, b string }{
		{"GGUF", writeGGUF(t, left...), writeGGUF(t, right...)},
		{"other order", writeGGUF(t, left...), writeGGUF(t, right[4], right[3], right[2], right[1], right[0])},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Compare(context.Background(), open(t, c.a), open(t, c.b), 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Tensors) != 3 || d.Tensors[0].Name != up || !slices.Equal(d.Tensors[0].Padded, []int{32}) ||
				d.Tensors[0].MaxAbs != 2 ||
				d.Tensors[1].Name != "near" || d.Tensors[1].Unequal != 1 || d.Tensors[2].Unequal != 0 ||
				d.All.Unequal != 2 {
				t.Errorf("%+v", d.Tensors)
			}
			if len(d.Skipped) != 1 || d.Skipped[0] != (Skipped{"shape", "shapes [3] and [1]"}) ||
				!slices.Equal(d.A.Only, []string{"left"}) ||
				!slices.Equal(d.B.Only, []string{"right"}) {
				t.Errorf("%+v, %+v, %+v", d.Skipped, d.A, d.B)
			}
		})
	}
	t.Run("archives", func(t *testing.T) {
		d, err := Compare(context.Background(), open(t, writeNPZ(t, left[:2]...)), open(t, writeNPZ(t, right[3:]...)),
			1, nil)
		if err != nil || len(d.Tensors) != 2 || d.Tensors[0].Name != "near" || d.Tensors[0].MaxAbs != 1 ||
			d.Tensors[1].Unequal != 0 {
			t.Errorf("%v: %+v", err, d)
		}
	})
	t.Run("nothing in common", func(t *testing.T) {
		_, err := Compare(context.Background(), open(t, writeGGUF(t, left[4])), open(t, writeGGUF(t, right[0])), 1, nil)
		if err == nil || !strings.Contains(err.Error(), "cannot be compared: no tensor has the same name in both") {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Compare(ctx, open(t, writeGGUF(t, left...)), open(t, writeGGUF(t, right...)), 1,
			nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
