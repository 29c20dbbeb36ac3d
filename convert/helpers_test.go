package convert

// This file: what the other tests share: tiny checkpoints, conversions of them, and the files read
// back.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

var families = []string{paligemma.Gemma, paligemma.Gemma2}

func vocab(t testing.TB) *sentencepiece.Model {
	t.Helper()
	m, err := sentencepiece.Parse(tinymodel.Tokenizer())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// archive packs arrays and opens the result.
func archive(t testing.TB, arrays []tinymodel.Array) *npz.Archive {
	t.Helper()
	data, err := tinymodel.Pack(arrays, false)
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, data)
}

func opened(t testing.TB, data []byte) *npz.Archive {
	t.Helper()
	a, err := npz.NewArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openFile opens an archive and closes it at the test's end.
func openFile(t testing.TB, path string) *npz.Archive {
	t.Helper()
	a, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// options is a conversion to one type into a new folder.
func options(t testing.TB, typ gguf.Type) Options {
	return Options{Name: "tiny", Text: oneType(typ), Vision: oneType(typ), OutDir: t.TempDir()}
}

// oneType stores every matrix in one type, as package quant would without what it knows of types
// and tensors.
type oneType gguf.Type

func (p oneType) Name() string { return gguf.Type(p).String() }
func (p oneType) FileType() uint32 {
	return map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.BF16: 32, gguf.Q8_0: 7, gguf.Q4_0: 2}[gguf.Type(p)]
}
func (p oneType) Blocks() bool    { return gguf.Type(p).Blocked() }
func (p oneType) Keys() []gguf.KV { return nil }
func (p oneType) Choose(tensors []gguf.Tensor) error {
	for i := range tensors {
		if t := &tensors[i]; len(t.Shape) == 2 && t.Name != mmproj.PositionEmbd {
			t.Type = gguf.Type(p)
		}
	}
	return nil
}

// holds says below which magnitude a value must be.
var holds = map[gguf.Type]float64{gguf.F32: math.Inf(1), gguf.F16: 65520, gguf.BF16: 0x1.ffp127, gguf.Q8_0: 1000,
	gguf.Q4_0: 1000}

func (p oneType) Encode(t gguf.Tensor, dst []byte, src []float32) (overflow int, err error) {
	cols := t.Shape[len(t.Shape)-1]
	if len(src)%cols != 0 || int64(len(dst)) != t.Type.RowBytes(cols)*int64(len(src)/cols) {
		return -1, fmt.Errorf("%d bytes for %d values in rows of %d", len(dst), len(src), cols)
	}
	for i, v := range src {
		if !(math.Abs(float64(v)) < holds[t.Type]) {
			return i, nil
		}
	}
	if t.Type.Blocked() {
		roundedBlocks(t.Type, dst, src)
	} else {
		copy(dst, narrowed(src, t.Type))
	}
	return -1, nil
}

// files are the two files of a conversion, opened.
type files struct {
	*Result
	text, vision *gguf.File
}

// mustRun converts and opens both files.
func mustRun(t testing.TB, a Source, o Options) files {
	t.Helper()
	r, err := Run(context.Background(), a, vocab(t), o)
	if err != nil {
		t.Fatal(err)
	}
	f := files{Result: r}
	for _, x := range []struct {
		path string
		to   **gguf.File
	}{{r.TextPath, &f.text}, {r.VisionPath, &f.vision}} {
		file, err := gguf.Open(x.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		*x.to = file
	}
	return f
}

// fails converts and returns the error's text; it checks that nothing is left in the folder.
func fails(t testing.TB, a Source, v *sentencepiece.Model, o Options) string {
	t.Helper()
	r, err := Run(context.Background(), a, v, o)
	if err == nil {
		t.Fatalf("converted to %s, want an error", r.TextPath)
	}
	wantEmpty(t, o.OutDir)
	return err.Error()
}

func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s was left", e.Name())
	}
}

// contents returns a tensor's bytes.
func contents(t testing.TB, f *gguf.File, x gguf.Tensor) []byte {
	t.Helper()
	b, err := io.ReadAll(f.Data(x))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hashes returns the SHA-256 of both files.
func hashes(t testing.TB, r *Result) [2]string {
	t.Helper()
	return [2]string{fileHash(t, r.TextPath), fileHash(t, r.VisionPath)}
}

func fileHash(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// roundedBlocks stands in for ggml. It is NOT a ggml format: a Q8_0 "block" holds round(16 x) for
// each value after two bytes of 1, a Q4_0 "block" 18 times the same mark. It has the formats'
// sizes, so that rows, padding and offsets can be checked.
func roundedBlocks(t gguf.Type, dst []byte, src []float32) {
	if t == gguf.Q4_0 {
		for i := range dst {
			dst[i] = q4Mark
		}
		return
	}
	for i, v := range src {
		if i%32 == 0 {
			dst[0], dst[1] = 1, 1
			dst = dst[2:]
		}
		dst[0] = rounded(v)
		dst = dst[1:]
	}
}

const q4Mark = 0x84

func rounded(v float32) byte { return byte(int8(max(-127, min(127, 16*v)))) }

// golden compares got with a file of testdata, or rewrites it: go test ./convert -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if os.Getenv("CI") != "" {
			t.Fatal("-update is refused where CI is set")
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("%s:%d:\nhave %s\nwant %s", path, i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Errorf("%s: have %d lines, want %d", path, len(g), len(w))
	}
}

// narrowed returns the bytes of values in an unblocked type.
func narrowed(values []float32, typ gguf.Type) []byte {
	d := map[gguf.Type]tensor.DType{gguf.F32: tensor.F32, gguf.F16: tensor.F16, gguf.BF16: tensor.BF16}[typ]
	b := make([]byte, len(values)*d.Size())
	tensor.FromFloat32(b, values, d)
	return b
}

// edited returns the arrays of o with one changed. The change may write to its array's values.
func edited(o tinymodel.Options, name string, change func(*tinymodel.Array)) []tinymodel.Array {
	arrays := tinymodel.Arrays(o)
	i := slices.IndexFunc(arrays, func(a tinymodel.Array) bool { return a.Name == name })
	if i < 0 {
		panic("no array " + name)
	}
	change(&arrays[i])
	return arrays
}
