package mmproj_test

// This file: Check on the smallest good vision file, and on that file with one key or one tensor
// spoiled.

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// checkFile lays out a file, reads it back and checks it.
func checkFile(t *testing.T, kvs []gguf.KV, tensors []gguf.Tensor) (paligemma.VisionConfig, error) {
	t.Helper()
	b, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return mmproj.Check(f)
}

// wantRefused checks that the error of Check contains want.
func wantRefused(t *testing.T, kvs []gguf.KV, tensors []gguf.Tensor, want string) {
	t.Helper()
	c, err := checkFile(t, kvs, tensors)
	if err == nil || c != (paligemma.VisionConfig{}) || !strings.HasPrefix(err.Error(), "mmproj: ") ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("have error %v, want %q in it", err, want)
	}
}

func TestCheck(t *testing.T) {
	kvs, tensors := badfiles.TinyVision()
	c, err := checkFile(t, kvs, tensors)
	want := paligemma.VisionConfig{ImageSize: 28, PatchSize: 14, EmbeddingLength: 32, FeedForwardLength: 64,
		BlockCount: 1, HeadCount: 2, ProjectionDim: 32}
	if err != nil || c != want {
		t.Errorf("have %+v, %v, want %+v", c, err, want)
	}
	for _, c := range []struct {
		key   string
		value any
	}{
		{"general.type", "mmproj"}, {"general.file_type", uint32(1)}, {"general.alignment", uint32(32)},
		{"pali.source", "x"},
		{"clip.has_audio_encoder", false}, {"clip.has_text_encoder", false},
		{"clip.vision.attention.layer_norm_epsilon", float32(1e-5)},
	} {
		t.Run(c.key, func(t *testing.T) {
			if _, err := checkFile(t, badfiles.With(kvs, c.key, c.value), tensors); err != nil {
				t.Errorf("%s = %v: %v", c.key, c.value, err)
			}
		})
	}
	for _, ty := range gguf.Matrices {
		if block, _ := ty.Block(); block > 32 {
			continue // the tiny rows are shorter
		}
		out := slices.Clone(tensors)
		for i := range out {
			if len(out[i].Shape) == 2 && out[i].Name != mmproj.PositionEmbd {
				out[i].Type = ty
			}
		}
		out[0].Type = gguf.F16
		slices.Reverse(out)
		if _, err := checkFile(t, kvs, out); err != nil {
			t.Errorf("%v: %v", ty, err)
		}
	}
}

// TestCheckEveryKey leaves out each key in turn, and gives it each wrong type.
func TestCheckEveryKey(t *testing.T) {
	kvs, tensors := badfiles.TinyVision()
	for _, kv := range kvs {
		if kv.Key == "general.name" {
			continue
		}
		t.Run(kv.Key, func(t *testing.T) {
			wantRefused(t, badfiles.Without(kvs, kv.Key), tensors, "missing key "+kv.Key)
			for _, wrong := range []any{uint8(1), int32(1), uint64(1), 1.5, "x", []string{"x"},
				[]float64{0.5, 0.5, 0.5}, false} {
				if reflect.TypeOf(wrong) != reflect.TypeOf(kv.Value) {
					wantRefused(t, badfiles.With(kvs, kv.Key, wrong), tensors, kv.Key+": have ")
				}
			}
		})
	}
}

func TestCheckValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const big = uint32(math.MaxUint32)
	kvs, tensors := badfiles.TinyVision()
	for _, c := range []struct {
		key    string
		values []any
	}{
		{"clip.has_vision_encoder", []any{false}}, {"clip.use_gelu", []any{false}},
		{"clip.projector_type", []any{"gemma3", "mlp", "", "PaliGemma"}},
		{"clip.vision.image_size", []any{uint32(0), uint32(27), uint32(29), uint32(42), uint32(8193), big}},
		{"clip.vision.patch_size", []any{uint32(0), uint32(7), uint32(13), uint32(28), big}},
		{"clip.vision.embedding_length", []any{uint32(0), uint32(31), uint32(34), big}},
		{"clip.vision.feed_forward_length", []any{uint32(0), uint32(63), big}},
		{"clip.vision.block_count", []any{uint32(0), uint32(2), uint32(513), big}}, {"clip.vision.projection_dim",
			[]any{uint32(0), uint32(64), big}},
		{"clip.vision.attention.head_count", []any{uint32(0), uint32(3), uint32(64), uint32(257), big}},
		{"clip.vision.attention.layer_norm_epsilon", []any{float32(0), float32(-1), inf, nan, float32(1)}},
		{"clip.vision.image_mean", []any{[]float32{0, 0, 0}, []float32{0.5, 0.5}, []float32{},
			[]float32{0.5, 0.5, nan}}}, {"clip.vision.image_std", []any{[]float32{0, 0, 0},
			[]float32{0.5, 0.5, 0.5, 0.5}, make([]float32, 1000)}},
		{"clip.has_audio_encoder", []any{true, "x"}}, {"clip.has_text_encoder", []any{true}},
	} {
		t.Run(c.key, func(t *testing.T) {
			for _, v := range c.values {
				t.Run(fmt.Sprintf("%s=%.40v", c.key, v),
					func(t *testing.T) { wantRefused(t, badfiles.With(kvs, c.key, v), tensors, "") })
			}
		})
	}
	for _, key := range []string{"clip.vision.feature_layer", "clip.vision.projector.scale_factor", "clip.use_silu",
		"clip.vision.n_wa_pattern", "gemma.block_count", "split.count", "x"} {
		wantRefused(t, append(slices.Clone(kvs), gguf.KV{Key: key, Value: uint32(1)}), tensors,
			`key "`+key+`" does not belong`)
	}
	// Each size is allowed, together they are not: 1 x 1 patches of a large image.
	many := badfiles.With(badfiles.With(kvs, "clip.vision.image_size", uint32(8192)), "clip.vision.patch_size",
		uint32(1))
	wantRefused(t, many, tensors, "67108864 image tokens, want at most 8192")
}

// TestCheckEveryTensor leaves out, misshapes, mistypes and renames each tensor in turn.
func TestCheckEveryTensor(t *testing.T) {
	kvs, tensors := badfiles.TinyVision()
	for i, x := range tensors {
		t.Run(x.Name, func(t *testing.T) {
			change := func(want string, f func(*gguf.Tensor)) {
				t.Helper()
				out := slices.Clone(tensors)
				out[i].Shape = slices.Clone(x.Shape)
				f(&out[i])
				wantRefused(t, kvs, out, want)
			}
			wantRefused(t, kvs, slices.Delete(slices.Clone(tensors), i, i+1), "missing tensor "+x.Name)
			change("missing tensor "+x.Name, func(x *gguf.Tensor) { x.Name = strings.ToUpper(x.Name) })
			change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape[0]++ })
			change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape[len(x.Shape)-1] *= 2 })
			change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape = []int{1, int(x.Len())} })
			change(x.Name+": type I32", func(x *gguf.Tensor) { x.Type = gguf.I32 })
			if len(x.Shape) != 2 || x.Name == mmproj.PositionEmbd {
				change(x.Name+": type BF16", func(x *gguf.Tensor) { x.Type = gguf.BF16 })
			}
			if len(x.Shape) == 1 {
				change(x.Name+": type F16", func(x *gguf.Tensor) { x.Type = gguf.F16 })
			}
		})
	}
	for _, extra := range []string{"v.class_embd", "v.pre_ln.weight", "v.blk.1.ln1.weight", "mm.0.weight",
		"token_embd.weight"} {
		wantRefused(t, kvs, append(slices.Clone(tensors), gguf.Tensor{Name: extra, Shape: []int{32}}),
			"tensor "+extra+" does not belong")
	}
}

// TestCheckFlippedBits flips every bit of a good file's header. Check must not panic, and what it
// accepts must have all its tensors.
func TestCheckFlippedBits(t *testing.T) {
	kvs, tensors := badfiles.TinyVision()
	whole, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	header, accepted := bytes.Index(whole, []byte("mm.input_projection.bias"))+60, 0
	for i := range 8 * header {
		whole[i/8] ^= 1 << (i % 8)
		f, err := gguf.Read(bytes.NewReader(whole), int64(len(whole)))
		whole[i/8] ^= 1 << (i % 8)
		if err != nil {
			continue
		}
		c, err := mmproj.Check(f)
		if err != nil {
			continue
		}
		accepted++
		if n := len(mmproj.Tensors(c)); n != len(f.Tensors) || c.HeadCount < 1 || c.Tokens() != 4 {
			t.Errorf("bit %d: accepted %+v with %d tensors of %d", i, c, len(f.Tensors), n)
		}
	}
	if accepted == 0 || accepted == 8*header {
		t.Errorf("%d of %d flips accepted, want some and not all", accepted, 8*header)
	}
}

// TestCheckOtherKinds: the error names the kind of a file of another kind.
func TestCheckOtherKinds(t *testing.T) {
	for _, a := range []string{paligemma.Gemma, paligemma.Gemma2} {
		kvs, tensors := badfiles.TinyText(a)
		wantRefused(t, kvs, tensors, "this is the text file, want the mmproj file")
	}
	kvs, tensors := badfiles.TinyVision()
	wantRefused(t, badfiles.With(kvs, "general.architecture", "paligemma-masks"), tensors,
		"this is the mask file, want the mmproj file")
	wantRefused(t, badfiles.With(kvs, "general.architecture", "llama"), tensors, "this is not a vision (mmproj) file")
	wantRefused(t, badfiles.With(kvs, "clip.projector_type", "gemma3"), tensors,
		`have "gemma3", want "paligemma": this is another model's vision file`)
	wantRefused(t, nil, nil, "missing key general.architecture")
}

// TestTensorsOfPublishedModels compares the number of tensors and parameters with those of the
// released checkpoints' vision towers.
func TestTensorsOfPublishedModels(t *testing.T) {
	for _, c := range []struct {
		side int
		want int64
	}{
		{224, 414803696},
		{448, 415688432},
		{896, 419227376},
	} {
		t.Run(fmt.Sprint(c.side), func(t *testing.T) {
			tensors, n := mmproj.Tensors(paligemma.VisionConfig{ImageSize: c.side, PatchSize: 14, EmbeddingLength: 1152,
				FeedForwardLength: 4304, BlockCount: 27, HeadCount: 16, ProjectionDim: 2048}), int64(0)
			for _, x := range tensors {
				n += x.Len()
			}
			if len(tensors) != 439 || n != c.want {
				t.Errorf("%d pixels: have %d tensors of %d parameters, want 439 of %d", c.side, len(tensors), n, c.want)
			}
		})
	}
}

func TestPaddedWidth(t *testing.T) {
	for _, c := range []struct {
		have int
		want int
	}{
		{4304, 4352},
		{344, 352},
		{80, 96},
		{512, 512},
		{241, 256},
		{240, 256},
		{1, 32},
		{480, 480},
	} {
		t.Run(fmt.Sprint(c.have), func(t *testing.T) {
			if got := mmproj.PaddedWidth(c.have); got != c.want {
				t.Errorf("PaddedWidth(%d) = %d, want %d", c.have, got, c.want)
			}
		})
	}
}

// The padded axis of each tensor is the one that has the MLP's width in its shape.
func TestPaddedAxis(t *testing.T) {
	c := paligemma.VisionConfig{ImageSize: 42, PatchSize: 14, EmbeddingLength: 64, FeedForwardLength: 173,
		BlockCount: 12, HeadCount: 4, ProjectionDim: 96}
	for _, x := range mmproj.Tensors(c) {
		if have, want := mmproj.PaddedAxis(x.Name), slices.Index(x.Shape, 173); have != want {
			t.Errorf("%s %v: axis %d, want %d", x.Name, x.Shape, have, want)
		}
	}
	for _, name := range []string{"", "blk.0.ffn_down.weight", "v.blk.ffn_down.weight", "v.blk.x.ffn_down.weight",
		"v.blk.0.ffn_down.weights", "0.ffn_up.bias"} {
		if axis := mmproj.PaddedAxis(name); axis != -1 {
			t.Errorf("%q: axis %d", name, axis)
		}
	}
}

func TestIsPadded(t *testing.T) {
	const up, bias, down = "v.blk.3.ffn_up.weight", "v.blk.3.ffn_up.bias", "v.blk.3.ffn_down.weight"
	for _, c := range []struct {
		name, tensor string
		small, large []int
		want         bool
	}{
		{"rows", up, []int{4304, 1152}, []int{4352, 1152}, true},
		{"a vector", bias, []int{344}, []int{352}, true},
		{"columns", down, []int{1152, 4304}, []int{1152, 4352}, true},
		{"the other axis", down, []int{4304, 1152}, []int{4352, 1152}, false},
		{"both axes", up, []int{4304, 1152}, []int{4352, 1184}, false},
		{"nothing to pad", up, []int{4352, 1152}, []int{4352, 1152}, true},
		{"narrower", up, []int{4352, 1152}, []int{4320, 1152}, false},
		{"no multiple of a block", bias, []int{344}, []int{350}, false},
		{"too much", bias, []int{344}, []int{608}, false},
		{"another tensor", "v.blk.3.attn_q.weight", []int{4304, 1152}, []int{4352, 1152}, false},
		{"the decoder's", "blk.3.ffn_up.weight", []int{4304, 1152}, []int{4352, 1152}, false},
		{"other dimensions", up, []int{344}, []int{352, 1}, false},
		{"none", down, []int{}, []int{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := mmproj.IsPadded(c.tensor, c.small, c.large); have != c.want {
				t.Errorf("have %v", have)
			}
		})
	}
}
