package convert

// This file: bad checkpoints, bad tokenizers, bad options, damaged and changing files, and
// conversions that are stopped. Each must fail with a sentence that names the thing, and leave
// no files.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// Each array in turn is missing, or has another name.
func TestMissingAndUnknown(t *testing.T) {
	for _, architecture := range families {
		all := tinymodel.Arrays(tinymodel.Options{Architecture: architecture, Prefix: "params/"})
		for i := range all {
			name := all[i].Name
			_, err := readCheckpoint(archive(t, slices.Delete(slices.Clone(all), i, i+1)))
			if err == nil || !strings.Contains(err.Error(), "\n  "+name+": missing") || strings.Count(err.Error(),
				"\n") != 1 {
				t.Errorf("without %s: %v", name, err)
			}
			renamed := slices.Clone(all)
			renamed[i].Name += "x"
			_, err = readCheckpoint(archive(t, renamed))
			if err == nil || !strings.Contains(err.Error(), name+": missing") || !strings.Contains(err.Error(),
				name+"x: unknown") {
				t.Errorf("with %sx: %v", name, err)
			}
		}
	}
}

// Each axis of each array in turn is one longer.
func TestMisshapen(t *testing.T) {
	v := vocab(t)
	for _, architecture := range families {
		all := tinymodel.Arrays(tinymodel.Options{Architecture: architecture, Prefix: "params/"})
		for i := range all {
			for axis := range all[i].Shape {
				if all[i].Name == "params/llm/layers/attn/kv_einsum/w" && axis == 2 && architecture == paligemma.Gemma {
					continue // 2 key/value heads for 4 query heads are as good as 1
				}
				arrays := slices.Clone(all)
				a := &arrays[i]
				a.Shape = slices.Clone(a.Shape)
				a.Shape[axis]++
				a.Values = make([]float32, product(a.Shape))
				c, err := readCheckpoint(archive(t, arrays))
				if err == nil {
					_, err = vocabulary(v, c.textConfig.VocabSize)
				}
				if err == nil {
					t.Errorf("%s: shape %v was accepted", a.Name, a.Shape)
				}
			}
		}
	}
	arrays := edited(tinymodel.Options{}, "llm/layers/attn/q_einsum/w",
		func(a *tinymodel.Array) { a.Shape = []int{3, 4, 16, 96} })
	want := "\n  llm/layers/attn/q_einsum/w: shape [3 4 16 96], want [3 4 96 16]"
	if got := fails(t, archive(t, arrays), v, options(t, gguf.F32)); !strings.HasSuffix(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
	arrays = edited(tinymodel.Options{}, "llm/layers/mlp/linear",
		func(a *tinymodel.Array) { a.Shape = []int{3, 160 * 96} })
	want = "\n  llm/layers/mlp/linear: shape [3 15360], want [3 160 96]"
	if got := fails(t, archive(t, arrays), v, options(t, gguf.F32)); !strings.HasSuffix(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// Checkpoints whose shapes agree with each other, but do not make a model.
func TestImpossible(t *testing.T) {
	text, vision := tinymodel.Options{}.Sizes()
	for _, c := range []struct {
		want   string
		change func(*tinymodel.Options)
	}{
		{"4 query heads, want a multiple of the 3 key/value heads",
			func(o *tinymodel.Options) { o.Text.HeadCountKV = 3 }},
		{"head dim 15, want an even number", func(o *tinymodel.Options) { o.Text.KeyLength = 15 }},
		{"the projector gives 95 values, want the decoder's embedding length 96",
			func(o *tinymodel.Options) { o.Vision.ProjectionDim = 95 }},
		{"would make a file that cannot be read: gemma: ", func(o *tinymodel.Options) {
			o.Text.HeadCount,
				o.Text.KeyLength = 300, 2
		}},
		{"would make a file that cannot be read: mmproj: ", func(o *tinymodel.Options) {
			o.Vision.EmbeddingLength, o.Vision.HeadCount, o.Vision.BlockCount = 600, 300, 1
		}},
		{"have 3 of 21, want them to fill the width 64", func(o *tinymodel.Options) { o.Vision.HeadCount = 3 }},
	} {
		o := tinymodel.Options{Text: text, Vision: vision}
		c.change(&o)
		if got := fails(t, archive(t, tinymodel.Arrays(o)), vocab(t), options(t, gguf.F32)); !strings.Contains(got,
			c.want) {
			t.Errorf("have %q, want %q", got, c.want)
		}
	}
}

func TestOtherArchives(t *testing.T) {
	one := func(name string, d tensor.DType) tinymodel.Array {
		return tinymodel.Array{Name: name, DType: d, Shape: []int{1}, Values: []float32{1}}
	}
	got := fails(t, archive(t, []tinymodel.Array{one("decoder.0.weight", tensor.F32)}), vocab(t), options(t, gguf.F32))
	if want := "convert: not a PaliGemma checkpoint: none of its 1 arrays is below img/ or llm/"; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
	got = fails(t, archive(t, []tinymodel.Array{one(maskBook, tensor.F32)}), vocab(t), options(t, gguf.F32))
	if want := "convert: this is the mask decoder's checkpoint (vae-oid.npz), not a PaliGemma checkpoint"; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
	got = fails(t, archive(t, []tinymodel.Array{one("params/img/head/bias", tensor.F32)}), vocab(t),
		options(t, gguf.F32))
	if !strings.Contains(got, "and 21 more") || strings.Count(got, "\n") != 11 {
		t.Errorf("31 arrays are missing, and the error is %q", got)
	}
	got = fails(t, archive(t, append(tinymodel.Arrays(tinymodel.Options{}), one("llm/layers/0/attn/q_einsum/w",
		tensor.F32))), vocab(t), options(t, gguf.F32))
	if !strings.Contains(got, "llm/layers/attn/q_einsum/w: unknown") {
		t.Errorf("stacked and unstacked layers at once: %q", got)
	}
	arrays := edited(tinymodel.Options{}, "img/head/bias", func(a *tinymodel.Array) { a.DType = tensor.I32 })
	if got := fails(t, archive(t, arrays), vocab(t), options(t, gguf.F32)); !strings.HasSuffix(got,
		"img/head/bias: elements I32, want F32, F16 or BF16") {
		t.Errorf("integers: %q", got)
	}
	// A training checkpoint holds the optimizer's state besides the parameters.
	training := append(tinymodel.Arrays(tinymodel.Options{Prefix: "opt/target/"}), one("opt/state/step", tensor.I32),
		one("extra/accum", tensor.F32))
	mustRun(t, archive(t, training), options(t, gguf.F32))
	got = fails(t, archive(t, append(training, one("other/thing", tensor.F32))), vocab(t), options(t, gguf.F32))
	if !strings.HasSuffix(got, "\n  other/thing: unknown") {
		t.Errorf("have %q", got)
	}
}

// Values that no type holds are refused wherever they are; values that one type does not hold, in
// that type only.
func TestValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	const table, norm, gate, patch = "llm/embedder/input_embedding", "llm/layers/pre_ffw_norm/scale",
		"llm/layers/mlp/gating_einsum", "img/embedding/kernel"
	const q, bias = "llm/layers/attn/q_einsum/w", "img/Transformer/encoderblock/MlpBlock_0/Dense_0/bias"
	for _, c := range []struct {
		name string
		at   []int
		v    float32
		typ  gguf.Type
		want string // "": converts
	}{
		{table, []int{0, 0}, nan, gguf.F16, "element [0 0] is NaN, want a finite number"},
		{table, []int{1000, 7}, nan, gguf.F32, "element [1000 7] is NaN, want a finite number"},
		{norm, []int{2, 95}, inf, gguf.F16, "element [2 95] is -Inf, want a finite number"},
		{gate, []int{1, 1, 5, 30}, nan, gguf.BF16, "element [1 1 5 30] is NaN, want a finite number"},
		{q, []int{2, 3, 95, 15}, inf, gguf.Q8_0, "element [2 3 95 15] is -Inf, want a finite number"},
		{patch, []int{13, 0, 2, 63}, nan, gguf.Q4_0, "element [13 0 2 63] is NaN, want a finite number"},
		{bias, []int{0, 171}, nan, gguf.Q4_0, "element [0 171] is NaN, want a finite number"},
		{q, []int{0, 1, 2, 3}, 65520, gguf.F16,
			"element [0 1 2 3] is 65520, too large for blk.0.attn_q.weight (F16); bf16 holds it"},
		{q, []int{0, 1, 2, 3}, -65519, gguf.F16, ""},
		{norm, []int{0, 1}, 1e6, gguf.F16, ""}, // norms stay F32
		{q, []int{0, 1, 2, 3}, 1e6, gguf.BF16, ""},
		{q, []int{0, 1, 2, 3}, math.MaxFloat32, gguf.BF16, "too large for blk.0.attn_q.weight (BF16); f32 holds it"},
		{q, []int{0, 1, 2, 3}, math.MaxFloat32, gguf.F32, ""},
		{q, []int{0, 1, 2, 3}, 999, gguf.Q8_0, ""},
		{q, []int{0, 1, 2, 3}, -1000, gguf.Q8_0, "too large for blk.0.attn_q.weight (Q8_0); bf16 holds it"},
	} {
		arrays := edited(tinymodel.Options{}, c.name, func(a *tinymodel.Array) {
			flat := 0
			for i, n := range a.Shape {
				flat = flat*n + c.at[i]
			}
			a.Values[flat] = c.v
		})
		if c.want == "" {
			mustRun(t, archive(t, arrays), options(t, c.typ))
		} else if got := fails(t, archive(t, arrays), vocab(t), options(t, c.typ)); !strings.HasPrefix(got,
			"convert: "+c.name+": element") || !strings.HasSuffix(got, c.want) {
			t.Errorf("%v: have %q, want %q", c.typ, got, c.want)
		}
	}
}

func TestTokenizer(t *testing.T) {
	text, _ := tinymodel.Options{}.Sizes()
	own := vocab(t)
	with := func(change func([]sentencepiece.Piece) []sentencepiece.Piece) *sentencepiece.Model {
		return &sentencepiece.Model{Pieces: change(slices.Clone(own.Pieces))}
	}
	set := func(i int, p sentencepiece.Piece) *sentencepiece.Model {
		return with(func(all []sentencepiece.Piece) []sentencepiece.Piece { all[i] = p; return all })
	}
	pieces, err := vocabulary(own, text.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	// locations and codes are there already
	again, err := vocabulary(&sentencepiece.Model{Pieces: pieces}, text.VocabSize)
	if err != nil || !slices.Equal(pieces, again) {
		t.Errorf("PaliGemma's own tokenizer: %v", err)
	}
	tail := pieces[len(pieces)-paligemma.SegmentCodes-1:]
	if tail[0].Text != "<loc1023>" || tail[1].Text != "<seg000>" || tail[128].Text != "<seg127>" || tail[0].Type != 4 ||
		tail[128].Type != 4 {
		t.Errorf("the last pieces are %+v ... %+v", tail[:2], tail[128])
	}
	for _, c := range []struct {
		m    *sentencepiece.Model
		want string
	}{
		{with(func(all []sentencepiece.Piece) []sentencepiece.Piece { return all[:len(all)-1] }),
			fmt.Sprintf("it has %d pieces with the 1152 location and segment pieces, the checkpoint %d",
				text.VocabSize-1, text.VocabSize)},
		{set(2, sentencepiece.Piece{Text: "<s>", Type: 1}), `piece 2 ("<s>") has type 1, want 3`},
		{set(300, sentencepiece.Piece{Text: "<seg007>", Type: 1}), "convert: sentencepiece: piece 300, <seg007>"},
		{set(300, own.Pieces[299]), "gemma: piece 300: "},
		{&sentencepiece.Model{}, "it has 1152 pieces"},
	} {
		if got := fails(t, archive(t, tinymodel.Arrays(tinymodel.Options{})), c.m,
			options(t, gguf.F32)); !strings.Contains(got, c.want) {
			t.Errorf("have %q, want %q", got, c.want)
		}
	}
}

// unlucky encodes nothing; norms gives norms a type that llama.cpp cannot use.
type unlucky struct{ oneType }
type norms struct{ oneType }

func (unlucky) Encode(gguf.Tensor, []byte, []float32) (int, error) { return -1, errors.New("no luck") }
func (norms) Choose(tensors []gguf.Tensor) error {
	for i := range tensors {
		tensors[i].Type = gguf.F16
	}
	return nil
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"name \"\": want", func(o *Options) { o.Name = "" }},
		{"name \"../x\": want", func(o *Options) { o.Name = "../x" }},
		{"name \"a\\nb\": want", func(o *Options) { o.Name = "a\nb" }},
		{"token_embd.weight: no luck", func(o *Options) { o.Text, o.Threads = unlucky{oneType(gguf.Q8_0)}, 1 }},
		{"the checkpoint would make a file that cannot be read: gemma: blk.0.attn_norm.weight: type F16, want",
			func(o *Options) { o.Text = norms{oneType(gguf.F16)} }},
	} {
		o := options(t, gguf.F32)
		c.change(&o)
		arrays := edited(tinymodel.Options{}, "llm/embedder/input_embedding", func(*tinymodel.Array) {})
		i := slices.IndexFunc(arrays, func(a tinymodel.Array) bool { return a.Name == "llm/embedder/input_embedding" })
		arrays[0], arrays[i] = arrays[i], arrays[0]
		if got := fails(t, archive(t, arrays), vocab(t), o); !strings.HasPrefix(got, "convert: "+c.want) {
			t.Errorf("have %q, want %q", got, c.want)
		}
	}
}

// A damaged member is noticed by its checksum, wherever the damage is.
func TestDamaged(t *testing.T) {
	data, err := tinymodel.Pack(tinymodel.Arrays(tinymodel.Options{}), false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		bad := bytes.Clone(data)
		at := len(bad)/2 + i*len(bad)/50
		bad[at] ^= 1
		a, err := npz.NewArchive(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			continue // the damage is in a header
		}
		if got := fails(t, a, vocab(t), options(t, gguf.F32)); !strings.Contains(got, "CRC-32") {
			t.Errorf("byte %d: %q", at, got)
		}
	}
}

// An array is read to its end even when all its elements are there: only there do readers check
// what can be checked.
func TestReadsToTheEnd(t *testing.T) {
	c, err := readCheckpoint(archive(t, tinymodel.Arrays(tinymodel.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	late := errors.New("noticed at the end")
	for _, end := range []struct {
		tail io.Reader
		want string
	}{{iotest.ErrReader(late), late.Error()}, {strings.NewReader("x"), "continues after its last element"}} {
		l, err := newLayout(c, oneType(gguf.F32), oneType(gguf.F32))
		if err != nil {
			t.Fatal(err)
		}
		j := &l.jobs[3].tensor
		open := j.Open
		j.Open = func() (io.ReadCloser, error) {
			r, err := open()
			return io.NopCloser(io.MultiReader(r, end.tail)), err
		}
		l.text.to, l.vision.to = nowhere{}, nowhere{}
		err = l.run(context.Background(), 1, newWriter, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "convert: "+j.Name+": ") || !strings.HasSuffix(err.Error(),
			end.want) {
			t.Errorf("have %v, want %s", err, end.want)
		}
	}
}

// A checkpoint that is written to while it is read is noticed, at the latest before the files get
// their names.
func TestChangingInput(t *testing.T) {
	path, _, err := tinymodel.Write(t.TempDir(), tinymodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := openFile(t, path)
	o := options(t, gguf.F32)
	o.Progress = func(done, total int64) {
		if done == total {
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
	}
	if got := fails(t, a, vocab(t), o); !strings.Contains(got, "changed while it was read") {
		t.Errorf("have %q", got)
	}
}

// A conversion that is interrupted stops, says so in a way that errors.Is understands, and leaves
// nothing.
func TestCancel(t *testing.T) {
	total := int64(0)
	for i := range 12 {
		ctx, cancel := context.WithCancel(context.Background())
		o := options(t, gguf.F16)
		o.Progress = func(done, all int64) {
			if total = all; done >= total*int64(i)/10 {
				cancel()
			}
		}
		if i == 11 {
			cancel()
		}
		_, err := Run(ctx, archive(t, tinymodel.Arrays(tinymodel.Options{})), vocab(t), o)
		if cancel(); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at %d0%%: %v", i, err)
		}
		wantEmpty(t, o.OutDir)
	}
}

// Progress counts the checkpoint's bytes, all of them, upwards.
func TestProgress(t *testing.T) {
	arrays := tinymodel.Arrays(tinymodel.Options{})
	var want, last, all int64
	for _, a := range arrays {
		want += int64(4 * len(a.Values))
	}
	o := options(t, gguf.F32)
	o.Progress = func(done, total int64) {
		if done < last {
			t.Errorf("%d after %d", done, last)
		}
		last, all = done, total
	}
	mustRun(t, archive(t, arrays), o)
	if last != want || all != want {
		t.Errorf("%d of %d, want %d", last, all, want)
	}
}

func TestDefaultName(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"paligemma-3b-mix-224.f16.npz", "PaliGemma-3B-mix-224-v1.0"},
		{"/x/y/paligemma-3b-ft-vqav2-448.npz", "PaliGemma-3B-ft-vqav2-448-v1.0"},
		{"paligemma2-3b-pt-448.b16.npz", "PaliGemma2-3B-pt-448-v1.0"},
		{"paligemma2-28b-pt-896.b16.npz.part0", "PaliGemma2-28B-pt-896-v1.0"},
		{"pt_224.npz", "PaliGemma-3B-pt-224-v1.0"},
		{"pt_3b_224.bf16.npz", "PaliGemma2-3B-pt-224-v1.0"},
		{"mix_448.f32.npz", "PaliGemma-3B-mix-448-v1.0"},
		{"demo.npz", "demo"}, {"my run: 2.npz.part01", "my-run--2"}, {"été.NPZ", "été"}, {"...npz", "model"},
		{"", "model"}, {".npz", "model"},
		{"a\xffb.npz", "a-b"}, {strings.Repeat("ü", 150) + ".npz", strings.Repeat("ü", 100)},
	} {
		got := DefaultName(filepath.FromSlash(c.path))
		if got != c.want {
			t.Errorf("DefaultName(%q) = %q, want %q", c.path, got, c.want)
		}
		if err := checkName(got); err != nil {
			t.Error(err)
		}
	}
	if text, vision := FileNames("demo", "Q4_0", "BF16"); text != "demo-Q4_0.gguf" ||
		vision != "mmproj-demo-BF16.gguf" {
		t.Errorf("file names %s, %s", text, vision)
	}
}
