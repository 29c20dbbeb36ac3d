package quant

// This file: files stored in other types: against package convert, against the blocks of each
// tensor, and in every way in which it can fail.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/faultfs"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// checkpoint is a path, and its tokenizer's.
type checkpoint struct{ npz, tokenizer string }

var demo = checkpoint{"../testdata/demo/demo.npz", "../testdata/demo/tokenizer.model"}

func tiny(t testing.TB, architecture string) checkpoint {
	t.Helper()
	weights, tokenizer, err := tinymodel.Write(t.TempDir(), tinymodel.Options{Architecture: architecture})
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint{weights, tokenizer}
}

func plan(t testing.TB, name string, vision bool) *Plan {
	t.Helper()
	p, err := NewPlan(name, vision)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// converted makes the text file and the mmproj file of a checkpoint.
func (c checkpoint) converted(t testing.TB, name string) [2]string {
	t.Helper()
	src, err := npz.Open(c.npz)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	vocabulary, err := sentencepiece.Open(c.tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	r, err := convert.Run(context.Background(), src, vocabulary, convert.Options{Name: "test",
		Text: plan(t, name, false), Vision: plan(t, name, true), OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{r.TextPath, r.VisionPath}
}

// quantized stores a file in another type, in a folder of its own.
func quantized(t testing.TB, in, name string, o Options) (path string, r *Result, err error) {
	t.Helper()
	src, err := Open(in)
	if err != nil {
		return "", nil, err
	}
	defer src.Close()
	path = filepath.Join(t.TempDir(), "out.gguf")
	r, err = src.Quantize(context.Background(), path, plan(t, name, src.Vision), o)
	if err != nil {
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
			t.Errorf("%v was left", left)
		}
	}
	return path, r, err
}

func mustQuantize(t testing.TB, in, name string, o Options) string {
	t.Helper()
	path, _, err := quantized(t, in, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opened reads a file's description.
func opened(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contents(t testing.TB, f *gguf.File, x gguf.Tensor) []byte {
	t.Helper()
	b, err := io.ReadAll(f.Data(x))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// values decodes a tensor.
func values(t testing.TB, f *gguf.File, x gguf.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Len())
	if err := Decode(x.Type, out, contents(t, f, x)); err != nil {
		t.Fatal(err)
	}
	return out
}

// From F32, a file is stored in other types as package convert stores the checkpoint: to the byte,
// in every type.
func TestLikeConvert(t *testing.T) {
	for _, test := range []struct {
		name string
		c    checkpoint
	}{
		{"demo", demo},
		{"gemma", tiny(t, paligemma.Gemma)},
		{"gemma2", tiny(t, paligemma.Gemma2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			f32 := test.c.converted(t, "f32")
			for _, typ := range Names() {
				want := test.c.converted(t, typ)
				for i := range f32 {
					if have := mustQuantize(t, f32[i], typ, Options{}); !bytes.Equal(read(t, have), read(t, want[i])) {
						t.Errorf("%s: %s of %s differs from what convert makes", test.name, filepath.Base(want[i]), typ)
					}
				}
			}
		})
	}
}

// The demo's files have the types of the golden table.
func TestDemoHasTheTable(t *testing.T) {
	for _, r := range Recipes {
		want := chosen(t, models[0].text, models[0].vision, unchanged, r.Name)
		for _, path := range demo.converted(t, r.Name) {
			for _, x := range opened(t, path).Tensors {
				if want[0].Name != x.Name || want[0].Type != x.Type || !slices.Equal(want[0].Shape, x.Shape) {
					t.Fatalf("%s: %s %v %v, the table has %s %v %v", r.Name, x.Name, x.Type, x.Shape, want[0].Name,
						want[0].Type, want[0].Shape)
				}
				want = want[1:]
			}
		}
	}
}

// The bytes do not depend on the number of threads, nor on the run.
func TestRepeats(t *testing.T) {
	for _, in := range demo.converted(t, "f16") {
		var want []byte
		for _, threads := range []int{1, 1, 2, 8, 0, 1000} {
			have := read(t, mustQuantize(t, in, "q4_k_m", Options{Threads: threads}))
			if want == nil {
				want = have
			}
			if !bytes.Equal(have, want) {
				t.Errorf("%d threads: other bytes", threads)
			}
		}
	}
}

// From any type each tensor is what Encode makes of the source's values, padded; keys stay as they
// are but for those of the types.
func TestFromEveryType(t *testing.T) {
	for _, from := range Names() {
		for _, in := range demo.converted(t, from) {
			path, r, err := quantized(t, in, "q5_k_m", Options{Requantize: true})
			if err != nil {
				t.Fatal(err)
			}
			source, out := opened(t, in), opened(t, path)
			for i, x := range out.Tensors {
				old := source.Tensors[i]
				want := contents(t, source, old)
				if old.Type != x.Type || !slices.Equal(old.Shape, x.Shape) {
					v := values(t, source, old)
					padded := make([]float32, x.Len())
					cols, width := old.Shape[len(old.Shape)-1], x.Shape[len(x.Shape)-1]
					for i := range v {
						padded[i/cols*width+i%cols] = v[i]
					}
					want = make([]byte, x.Bytes())
					if _, err := Encode(x.Type, want, padded, width, nil); err != nil {
						t.Fatal(err)
					}
				}
				if old.Name != x.Name || !bytes.Equal(contents(t, out, x), want) {
					t.Errorf("%s to q5_k_m: %s (%v to %v) differs", from, x.Name, old.Type, x.Type)
				}
			}
			for i, kv := range out.KVs {
				was := source.KVs[i].Value
				switch kv.Key {
				case "general.file_type":
					was = uint32(17)
				case mmproj.KeyFeedForwardLength:
					was = uint32(352)
				}
				if kv.Key != source.KVs[i].Key || fmt.Sprint(kv.Value) != fmt.Sprint(was) {
					t.Errorf("%s: %s is %v, want %v", from, kv.Key, kv.Value, was)
				}
			}
			if r.Bytes != out.Size || r.SourceBytes != source.Size || r.PaddedFFNWidth != 0 && r.PaddedFFNWidth != 352 {
				t.Errorf("%s: %+v", from, r)
			}
		}
	}
}

// A file in blocks is refused, unless that is wanted or nothing has to be rounded again.
func TestRequantize(t *testing.T) {
	q8 := demo.converted(t, "q8_0")
	for _, in := range q8 {
		for _, typ := range []string{"q4_0", "f16", "f32"} {
			if _, _, err := quantized(t, in, typ, Options{}); !errors.As(err, new(*RequantizeError)) ||
				!strings.Contains(err.Error(), "is Q8_0 already") {
				t.Errorf("%s: %v", typ, err)
			}
		}
		if again := mustQuantize(t, in, "q8_0", Options{}); !bytes.Equal(read(t, again), read(t, in)) {
			t.Error("q8_0 to q8_0: other bytes")
		}
	}
}

// edited writes a copy of a file with one element of a tensor changed.
func edited(t testing.TB, path, name string, element int, v float32) string {
	t.Helper()
	f := opened(t, path)
	x, ok := f.Tensor(name)
	b := read(t, path)
	if !ok {
		t.Fatal(name)
	}
	switch x.Type {
	case gguf.F32:
		binary.LittleEndian.PutUint32(b[x.Offset+int64(4*element):], math.Float32bits(v))
	case gguf.F16:
		binary.LittleEndian.PutUint16(b[x.Offset+int64(2*element):], tensor.ToF16(v))
	default: // the scale of the element's block
		binary.LittleEndian.PutUint16(b[x.Offset+x.Type.RowBytes(element/32*32):], tensor.ToF16(v))
	}
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// What is not a number, or infinite, or too large for a type, is refused with the tensor's name and
// the place, also where bytes are only copied.
func TestValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	c := tiny(t, paligemma.Gemma)
	f32, f16, q8 := c.converted(t, "f32"), c.converted(t, "f16"), c.converted(t, "q8_0")
	for _, x := range []struct {
		path, tensor string
		element      int
		v            float32
		typ, want    string
	}{
		{f32[0], "token_embd.weight", 1000*96 + 7, nan, "q8_0",
			"token_embd.weight: element [1000 7] is NaN, want a finite number"},
		{f32[0], "token_embd.weight", 0, inf, "f32", "token_embd.weight: element [0 0] is -Inf"},
		{f32[0], "blk.2.ffn_down.weight", 95*160 + 159, nan, "q4_k_m",
			"blk.2.ffn_down.weight: element [95 159] is NaN"},
		{f32[0], "output_norm.weight", 95, nan, "q4_0", "output_norm.weight: element [95] is NaN"},
		{f32[0], "blk.0.attn_q.weight", 97, 65520, "f16",
			"blk.0.attn_q.weight: element [1 1] is 65520, too large for F16"},
		{f32[0], "blk.0.attn_q.weight", 97, -65519, "f16", ""},
		{f32[0], "blk.0.attn_q.weight", 97, 7e5, "q4_0",
			"blk.0.attn_q.weight: element [1 1] is 700000, too large for Q4_0"},
		{f32[0], "blk.0.attn_q.weight", 97, math.MaxFloat32, "bf16", "too large for BF16"},
		// padded to 192
		{f32[1], "v.blk.1.ffn_down.weight", 63*172 + 171, 7e5, "q4_0",
			"v.blk.1.ffn_down.weight: element [63 171] is 700000, too large for Q4_0"},
		{f32[1], "v.patch_embd.weight", 3*3*14*14 + 2*14*14 + 13, nan, "q4_0",
			"v.patch_embd.weight: element [3 2 0 13] is NaN"},
		{f16[1], "v.blk.0.ffn_up.bias", 171, inf, "q8_0", "v.blk.0.ffn_up.bias: element [171] is -Inf"},
		{f16[0], "blk.0.attn_q.weight", 97, nan, "q8_0", "blk.0.attn_q.weight: element [1 1] is NaN"},
		{q8[0], "token_embd.weight", 64, inf, "q8_0", "token_embd.weight: element [0 64] is"},
		{q8[1], "v.blk.0.attn_q.weight", 0, nan, "f16", "v.blk.0.attn_q.weight: element [0 0] is NaN"},
	} {
		_, _, err := quantized(t, edited(t, x.path, x.tensor, x.element, x.v), x.typ, Options{Requantize: true})
		if x.want == "" {
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), "quant: "+x.want) && !strings.Contains(err.Error(),
			x.want) {
			t.Errorf("%s: %v, want %s", x.typ, err, x.want)
		}
	}
}

// What is not a model, or is the file that is written, is refused.
func TestOpenRefuses(t *testing.T) {
	f32 := tiny(t, paligemma.Gemma).converted(t, "f32")
	text := read(t, f32[0])
	folder := t.TempDir()
	book, err := npz.Open("../testdata/demo/masks.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	masks, err := convert.Masks(book, convert.MaskOptions{Name: "demo", Type: gguf.F16, OutDir: folder})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"masks", read(t, masks), "a mask file"},
		{"cut", text[:len(text)-100], "cut short"},
		{"words", []byte("words"), "is a text file: want a GGUF file"},
		{"other", bytes.Replace(text, []byte("\x05\x00\x00\x00\x00\x00\x00\x00gemma"),
			[]byte("\x05\x00\x00\x00\x00\x00\x00\x00llama"), 1), "not a PaliGemma"},
		{"more", append(bytes.Clone(text), 1), "after the last tensor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(folder, c.name)
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
	link := filepath.Join(folder, "link.gguf")
	if err := os.Symlink(f32[0], link); err != nil {
		t.Fatal(err)
	}
	src, err := Open(f32[0])
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, path := range []string{f32[0], link} {
		if _, err := src.Quantize(context.Background(), path, plan(t, "q8_0", false),
			Options{Force: true}); err == nil || !strings.Contains(err.Error(), "is the file to be read") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file of another program: its own alignment, free keys, keys that are missing.
func TestOtherPrograms(t *testing.T) {
	f := opened(t, tiny(t, paligemma.Gemma).converted(t, "f16")[0])
	var kvs []gguf.KV
	for _, kv := range f.KVs {
		if !strings.HasPrefix(kv.Key, "general.") || kv.Key == "general.architecture" {
			kvs = append(kvs, kv)
		}
	}
	in, author := filepath.Join(t.TempDir(), "other.gguf"), ""
	for { // until the header ends at a multiple of 32, so that an alignment of 16 gives the same offsets
		author += "x"
		l, err := gguf.NewLayout(append(kvs, gguf.KV{Key: "general.alignment", Value: uint32(32)},
			gguf.KV{Key: "general.author", Value: author}), f.Tensors)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, l.Size)
		copy(b, bytes.Replace(l.Header, []byte("general.alignment\x04\x00\x00\x00\x20"),
			[]byte("general.alignment\x04\x00\x00\x00\x10"), 1))
		for i, x := range f.Tensors {
			copy(b[l.Tensors[i].Offset:], contents(t, f, x))
		}
		if _, err := gguf.Read(bytes.NewReader(b), l.Size); err != nil && len(author) < 32 {
			continue
		}
		if err := os.WriteFile(in, b, 0o600); err != nil {
			t.Fatal(err)
		}
		break
	}
	if a, _ := opened(t, in).Lookup("general.alignment"); a != uint32(16) {
		t.Fatal("the source has the usual alignment")
	}
	out := opened(t, mustQuantize(t, in, "q8_0", Options{}))
	kept, _ := out.Lookup("general.author")
	fileType, _ := out.Lookup("general.file_type")
	version, _ := out.Lookup("general.quantization_version")
	_, aligned := out.Lookup("general.alignment")
	if kept != author || fileType != uint32(7) || version != uint32(2) || aligned {
		t.Errorf("%v, %v, %v, %v", kept, fileType, version, aligned)
	}
}

// Ended early: nothing is left, and errors.Is knows why.
func TestCancel(t *testing.T) {
	in := demo.converted(t, "f32")[0]
	src, err := Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for i := range 12 {
		ctx, cancel := context.WithCancel(context.Background())
		o := Options{Progress: func(done, all int64) {
			if done >= all*int64(i)/11 {
				cancel()
			}
		}}
		dir := t.TempDir()
		_, err := src.Quantize(ctx, filepath.Join(dir, "out.gguf"), plan(t, "q4_k_m", false), o)
		if cancel(); !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%d: %v left", i, left)
		}
	}
}

// Progress counts the tensors' bytes upwards, from one goroutine at a time.
func TestProgress(t *testing.T) {
	in := demo.converted(t, "f16")[1]
	var want, last, all int64
	for _, x := range opened(t, in).Tensors {
		want += x.Bytes()
	}
	mustQuantize(t, in, "q8_0", Options{Threads: 4, Progress: func(done, total int64) {
		if done < last {
			t.Errorf("%d after %d", done, last)
		}
		last, all = done, total
	}})
	if last != want || all != want {
		t.Errorf("%d of %d, want %d", last, all, want)
	}
}

// A source that changes while it is read is noticed.
func TestChangingInput(t *testing.T) {
	in := demo.converted(t, "f16")[1]
	_, _, err := quantized(t, in, "q8_0", Options{Progress: func(done, total int64) {
		if done == total {
			if err := os.Chtimes(in, time.Time{}, time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Error(err)
	}
}

// Mutated files: whatever is accepted makes a file that is accepted.
func TestMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	folder := t.TempDir()
	path := filepath.Join(folder, "mutant.gguf")
	accepted := 0
	for _, from := range []string{"f16", "q4_k_m"} {
		for _, in := range demo.converted(t, from) {
			whole, header := read(t, in), int(opened(t, in).Tensors[0].Offset)
			for range 150 {
				b := bytes.Clone(whole)
				for range 1 + r.IntN(3) {
					at := r.IntN(header)
					if r.IntN(3) == 0 {
						at = r.IntN(len(b))
					}
					b[at] = byte(r.Uint32())
				}
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				out, _, err := quantized(t, path, "q4_0", Options{Requantize: true})
				if err != nil {
					if s := err.Error(); strings.Contains(s, "\n") || !strings.HasPrefix(s, "gguf: ") &&
						!strings.Contains(s, "gemma: ") && !strings.Contains(s, "mmproj: ") &&
						!strings.HasPrefix(s, "quant: ") {
						t.Errorf("%q", s)
					}
					continue
				}
				accepted++
				if src, err := Open(out); err != nil {
					t.Error(err)
				} else {
					src.Close()
				}
			}
		}
	}
	if accepted < 50 {
		t.Errorf("%d mutants were accepted", accepted)
	}
}

// Variables that make the test binary a quantizer which kills itself.
const (
	killIn  = "PALI_TEST_KILL_IN"
	killOut = "PALI_TEST_KILL_OUT"
	killAt  = "PALI_TEST_KILL_AT" // as faultfs.Killing takes it
)

func TestMain(m *testing.M) {
	if in := os.Getenv(killIn); in != "" {
		src, err := Open(in)
		if err == nil {
			_, err = src.Quantize(context.Background(), os.Getenv(killOut), plan(&testing.T{}, "q4_k_m", src.Vision),
				Options{Threads: 1, fs: faultfs.Killing(os.Getenv(killAt))})
		}
		panic(fmt.Sprint("survived: ", err))
	}
	os.Exit(m.Run())
}

// A quantizer killed anywhere leaves no wrong file under the final name, and the next run makes the
// right one.
func TestKilled(t *testing.T) {
	in := demo.converted(t, "f16")[1]
	disk := &faultfs.Disk{}
	want := read(t, mustQuantize(t, in, "q4_k_m", Options{Threads: 1, fs: disk}))
	for _, at := range faultfs.Points(disk.Count(), 40) {
		dir := t.TempDir()
		out := filepath.Join(dir, "out.gguf")
		if err := faultfs.Killed(killIn+"="+in, killOut+"="+out, killAt+"="+at); err != nil {
			t.Fatalf("at %s: %v", at, err)
		}
		b, missing := os.ReadFile(out)
		if missing == nil && !bytes.Equal(b, want) {
			t.Errorf("at %s: the file has its name and the wrong bytes", at)
		}
		src, err := Open(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Quantize(context.Background(), out, plan(t, "q4_k_m", true),
			Options{Force: missing == nil}); err != nil || !bytes.Equal(read(t, out), want) {
			t.Errorf("at %s: the next run: %v, or other bytes", at, err)
		}
		if left, err := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("at %s: the next run left %v (%v)", at, left, err)
		}
	}
}

// A disk that is full from some operation on: an error that says so, and nothing left.
func TestDiskFull(t *testing.T) {
	in := demo.converted(t, "f16")[1]
	disk := &faultfs.Disk{}
	mustQuantize(t, in, "q8_0", Options{Threads: 1, fs: disk})
	for at := int64(1); at <= disk.Count(); at += 1 + disk.Count()/40 {
		if _, _, err := quantized(t, in, "q8_0", Options{fs: faultfs.Full(at)}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("operation %d of %d: %v", at, disk.Count(), err)
		}
	}
}

// A file that is there is replaced only with Force.
func TestForce(t *testing.T) {
	in := demo.converted(t, "f16")[1]
	out := filepath.Join(t.TempDir(), "out.gguf")
	for i, force := range []bool{false, false, true} {
		src, err := Open(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Quantize(context.Background(), out, plan(t, []string{"q8_0", "q4_0", "q4_0"}[i], true),
			Options{Force: force})
		if src.Close(); (err == nil) != (i != 1) || err != nil && !strings.Contains(err.Error(), " exists") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if x, _ := opened(t, out).Lookup("general.file_type"); x != uint32(2) {
		t.Errorf("file type %v, want that of q4_0", x)
	}
}
