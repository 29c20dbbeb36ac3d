package gemma_test

// This file: Check on the smallest good text files, and on each of them with one key or one tensor
// spoiled.

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/badfiles"
	"github.com/pali-gguf/pali/paligemma"
)

// check lays out a file, reads it back and checks it.
func check(t *testing.T, kvs []gguf.KV, tensors []gguf.Tensor) (*gemma.Model, error) {
	t.Helper()
	b, err := badfiles.File(kvs, tensors)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return gemma.Check(f)
}

// refused checks that the error of Check contains want.
func refused(t *testing.T, kvs []gguf.KV, tensors []gguf.Tensor, want string) {
	t.Helper()
	m, err := check(t, kvs, tensors)
	if err == nil || m != nil || !strings.HasPrefix(err.Error(), "gemma: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("have error %v, want %q in it", err, want)
	}
}

// TestTypes holds what other files of general.type are called.
func TestTypes(t *testing.T) {
	for _, c := range []struct{ kind, want string }{
		{"adapter", "this is a LoRA adapter, which holds changes to a model, not a model, and is not read"},
		{"imatrix", "this is an importance matrix, not a model"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			kvs, tensors := badfiles.TinyText(paligemma.Gemma)
			refused(t, badfiles.With(kvs, "general.type", c.kind), tensors, c.want)
			refused(t, badfiles.Without(badfiles.With(kvs, "general.type", c.kind), "general.architecture"), tensors,
				c.want)
		})
	}
}

var architectures = []string{paligemma.Gemma, paligemma.Gemma2}

func TestGood(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		m, err := check(t, kvs, tensors)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		pieces, scores, types := badfiles.TinyVocabulary()
		want := &gemma.Model{
			TextConfig: paligemma.TextConfig{Architecture: a, EmbeddingLength: 32, BlockCount: 1,
				FeedForwardLength: 64, HeadCount: 2, HeadCountKV: 1, KeyLength: 16, VocabSize: len(pieces)},
			ContextLength: 512, RMSEpsilon: 1e-6, RopeFreqBase: 10000, Pieces: pieces, Scores: scores, Types: types,
			Unknown: 3,
		}
		if a == paligemma.Gemma2 {
			want.BlockCount = 2
			want.SlidingWindow, want.AttentionSoftcap, want.FinalSoftcap = 512, 50, 30
		}
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s: have %+v, want %+v", a, m.TextConfig, want.TextConfig)
		}
	}
}

// TestGoodVariations: what may differ between files is accepted.
func TestGoodVariations(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		for _, c := range []struct {
			key   string
			value any
		}{
			{"general.type", "model"}, {"general.file_type", uint32(7)}, {"general.quantization_version", uint32(2)},
			{"general.tags", []string{"x"}}, {"pali.source", "x"},
			{"quantize.imatrix.file", "x"}, {a + ".rope.freq_base", float32(10000)}, {a + ".rope.dimension_count",
				uint32(16)}, {a + ".vocab_size", uint32(kvsVocab(kvs))},
			{"tokenizer.ggml.pre", "default"}, {"tokenizer.ggml.add_bos_token", true}, {"tokenizer.ggml.add_eos_token",
				false}, {"tokenizer.ggml.eot_token_id", uint32(5)},
			{"tokenizer.chat_template", "{{ x }}"}, {"general.alignment", uint32(32)}, {"general.name", ""},
		} {
			t.Run(c.key, func(t *testing.T) {
				if _, err := check(t, badfiles.With(kvs, c.key, c.value), tensors); err != nil {
					t.Errorf("%s: %s = %v: %v", a, c.key, c.value, err)
				}
			})
		}
		if _, err := check(t, badfiles.Without(kvs, "general.name"), tensors); err != nil {
			t.Errorf("%s: no name: %v", a, err)
		}
		reversed := slices.Clone(tensors)
		slices.Reverse(reversed)
		if _, err := check(t, kvs, reversed); err != nil {
			t.Errorf("%s: tensors in another order: %v", a, err)
		}
		for _, ty := range gguf.Matrices {
			quantized := slices.Clone(tensors)
			if block, _ := ty.Block(); block > 32 {
				continue // the tiny rows are shorter
			}
			for i := range quantized {
				if len(quantized[i].Shape) == 2 {
					quantized[i].Type = ty
				}
			}
			if _, err := check(t, kvs, quantized); err != nil {
				t.Errorf("%s: %v: %v", a, ty, err)
			}
		}
	}
}

// kvsVocab returns the number of pieces.
func kvsVocab(kvs []gguf.KV) int {
	for _, kv := range kvs {
		if kv.Key == "tokenizer.ggml.tokens" {
			return len(kv.Value.([]string))
		}
	}
	return 0
}

// TestEveryKey leaves out each key in turn, and gives it each wrong type.
func TestEveryKey(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		for _, kv := range kvs {
			if kv.Key == "general.name" {
				continue
			}
			t.Run(a+"/"+kv.Key, func(t *testing.T) {
				refused(t, badfiles.Without(kvs, kv.Key), tensors, "missing key "+kv.Key)
				for _, wrong := range []any{uint8(1), int32(1), uint64(1), "x", []string{"x"}, []float64{1}, 1.5} {
					if reflect.TypeOf(wrong) != reflect.TypeOf(kv.Value) {
						refused(t, badfiles.With(kvs, kv.Key, wrong), tensors,
							kv.Key+": have "+reflect.TypeOf(wrong).String())
					}
				}
			})
		}
	}
}

// TestValues gives keys values that are out of range or do not fit the others.
func TestValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const big = uint32(math.MaxUint32)
	bad := map[string][]any{
		"general.architecture": {"llama", "gemma3", "Gemma", ""}, "general.type": {"adapter", "mmproj", uint32(1)},
		"general.name":      {"my PHI-3", "phi3", uint32(1)},
		"general.file_type": {"7"}, "general.quantization_version": {uint32(1), "2"},
		"$.context_length": {uint32(0), big, uint32(1<<20 + 1)}, "$.embedding_length": {uint32(0), uint32(1),
			uint32(33), big}, "$.block_count": {uint32(0), uint32(3), uint32(513), big},
		"$.feed_forward_length": {uint32(0), uint32(63), big}, "$.attention.head_count": {uint32(0), uint32(3),
			uint32(257), big},
		"$.attention.head_count_kv": {uint32(0), uint32(2), uint32(3), big}, "$.attention.key_length": {uint32(0),
			uint32(1), uint32(15), uint32(1026), big},
		"$.attention.value_length":           {uint32(0), uint32(14), uint32(32), big},
		"$.attention.layer_norm_rms_epsilon": {float32(0), float32(-1), inf, nan, float32(2)},
		"$.rope.freq_base":                   {float32(0), float32(-1), inf, nan, uint32(10000)},
		"$.rope.dimension_count": {uint32(0),
			uint32(8), uint32(32), big, "16"},
		"$.vocab_size":         {uint32(0), uint32(7), big, "x"},
		"tokenizer.ggml.model": {"gpt2", "none", "no_vocab", ""}, "tokenizer.ggml.pre": {"jina-v2-de", "llama3"},
		"tokenizer.ggml.bos_token_id": {uint32(1), big}, "tokenizer.ggml.eos_token_id": {uint32(2), big},
		"tokenizer.ggml.padding_token_id": {uint32(1), big},
		"tokenizer.ggml.unknown_token_id": {uint32(1439), uint32(1 << 20), big},
		"tokenizer.ggml.eot_token_id":     {uint32(1439), big, "x"},
		"tokenizer.ggml.add_space_prefix": {true}, "tokenizer.ggml.add_bos_token": {"x"},
		"tokenizer.ggml.add_eos_token": {uint32(1)}, "tokenizer.chat_template": {uint32(1)},
	}
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		if n := kvsVocab(kvs); n != 1439 {
			t.Fatalf("%d pieces, want 1439 for the ids above", n)
		}
		for key, values := range bad {
			for _, v := range values {
				key := strings.Replace(key, "$", a, 1)
				t.Run(fmt.Sprintf("%s/%s=%v", a, key, v), func(t *testing.T) {
					refused(t, badfiles.With(kvs, key, v),
						tensors, "")
				})
			}
		}
	}
	kvs, tensors := badfiles.TinyText(paligemma.Gemma2)
	for _, key := range []string{"gemma2.attn_logit_softcapping", "gemma2.final_logit_softcapping"} {
		for _, v := range []any{float32(0), float32(-50), inf, nan, float32(1e30)} {
			refused(t, badfiles.With(kvs, key, v), tensors, key)
		}
	}
	for _, v := range []any{uint32(0), big, uint32(1 << 31)} {
		refused(t, badfiles.With(kvs, "gemma2.attention.sliding_window", v), tensors, "sliding_window")
	}
}

// TestSizesTogether: files that have all their tensors, of sizes that do not fit each other.
func TestSizesTogether(t *testing.T) {
	for _, c := range []struct {
		n, k, h int
		want    string // empty: accepted
	}{
		{4, 2, 8, ""}, {3, 3, 10, ""}, {32, 1, 2, ""},
		{3, 2, 8, "3 query heads, want a multiple of the 2 key/value heads"},
		{1, 2, 8, "1 query heads, want a multiple of the 2 key/value heads"},
		{2, 1, 15, "a head dim of 15, want an even one"},
		{64, 1, 2, "an embedding of 32 for 64 heads"},
	} {
		for _, a := range architectures {
			kvs, _ := badfiles.TinyText(a)
			config := paligemma.TextConfig{Architecture: a, EmbeddingLength: 32, BlockCount: 2, FeedForwardLength: 64,
				HeadCount: c.n, HeadCountKV: c.k, KeyLength: c.h, VocabSize: kvsVocab(kvs)}
			kvs = badfiles.With(kvs, a+".block_count", uint32(2))
			kvs = badfiles.With(kvs, a+".attention.head_count", uint32(c.n))
			kvs = badfiles.With(kvs, a+".attention.head_count_kv", uint32(c.k))
			kvs = badfiles.With(kvs, a+".attention.key_length", uint32(c.h))
			kvs = badfiles.With(kvs, a+".attention.value_length", uint32(c.h))
			if c.want != "" {
				refused(t, kvs, gemma.Tensors(config), c.want)
			} else if m, err := check(t, kvs, gemma.Tensors(config)); err != nil || m.TextConfig != config {
				t.Errorf("%+v: %v", config, err)
			}
		}
	}
}

// TestOneLayer: a gemma2 of one layer is complete but has no layer without a window, and llama.cpp
// aborts on the empty cache.
func TestOneLayer(t *testing.T) {
	kvs, tensors := badfiles.TinyText(paligemma.Gemma2)
	one := slices.DeleteFunc(slices.Clone(tensors), func(x gguf.Tensor) bool {
		return strings.HasPrefix(x.Name,
			"blk.1.")
	})
	refused(t, badfiles.With(kvs, "gemma2.block_count", uint32(1)), one, "gemma2.block_count: have 1, want 2 to 512")
}

// TestDangerousKeys: keys that llama.cpp acts on and this program does not, and keys it does not
// know.
func TestDangerousKeys(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		for _, key := range []string{
			"$.rope.scaling.type", "$.rope.scaling.factor", "$.rope.scale_linear", "$.rope.scaling.attn_factor",
			"$.rope.scaling.original_context_length", "$.rope.scaling.finetuned",
			"$.expert_count", "$.expert_used_count", "$.expert_group_count", "$.attention.causal", "$.attention.scale",
			"$.attention.clamp_kqv", "$.pooling_type", "$.logit_scale",
			"$.classifier.output_labels", "$.embedding_scale", "$.tensor_data_layout", "$.decoder_start_token_id",
			"llama.block_count", "clip.vision.image_size",
			"tokenizer.ggml.merges", "tokenizer.ggml.token_type_count", "tokenizer.ggml.remove_extra_whitespaces",
			"tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.fim_pre_token_id",
			"tokenizer.ggml.prefix_token_id", "tokenizer.huggingface.json", "adapter.type", "xielu.eps", "split.no",
			"x",
		} {
			key = strings.Replace(key, "$", a, 1)
			refused(t, append(slices.Clone(kvs), gguf.KV{Key: key, Value: uint32(1)}), tensors,
				`key "`+key+`" does not belong`)
		}
		refused(t, append(slices.Clone(kvs), gguf.KV{Key: "split.count", Value: uint16(2)}), tensors,
			"merge the parts first")
	}
	kvs, tensors := badfiles.TinyText(paligemma.Gemma)
	refused(t, append(slices.Clone(kvs), gguf.KV{Key: "gemma.attention.sliding_window", Value: uint32(1)}), tensors,
		"does not belong")
}

// TestFreeKeys: keys that nothing acts on are allowed, up to a limit.
func TestFreeKeys(t *testing.T) {
	kvs, tensors := badfiles.TinyText(paligemma.Gemma)
	refused(t, badfiles.With(kvs, "general.tags", make([]string, 4097)), tensors,
		`"general.tags": 4097 elements, want at most 4096`)
	refused(t, badfiles.With(kvs, "pali.x", make([]uint8, 5000)), tensors, "5000 elements")
	refused(t, badfiles.With(kvs, "general.license", strings.Repeat("x", 1<<20+1)), tensors, "1048577 bytes of text")
	refused(t, badfiles.With(kvs, "general.license", []string{strings.Repeat("x", 1<<20), "y"}), tensors,
		"1048577 bytes of text")
	many := slices.Clone(kvs)
	for i := range 1024 {
		many = append(many, gguf.KV{Key: fmt.Sprintf("general.%d", i), Value: true})
	}
	refused(t, many, tensors, "keys, want at most 1024")
	if _, err := check(t, badfiles.With(kvs, "general.license", strings.Repeat("x", 1<<20)), tensors); err != nil {
		t.Error(err)
	}
}

// TestFlippedBits flips bits of a good file outside the vocabulary. Check must not panic, and what
// it accepts must have all its tensors.
func TestFlippedBits(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		whole, err := badfiles.File(kvs, tensors)
		if err != nil {
			t.Fatal(err)
		}
		from, to := bytes.Index(whole, []byte("tokenizer.ggml.tokens")),
			bytes.Index(whole, []byte("tokenizer.ggml.bos_token_id"))
		header, accepted, tried := bytes.Index(whole, []byte("output_norm.weight"))+60, 0, 0
		for i := 0; i < 8*header; i += 29 {
			if i/8 >= from && i/8 < to {
				continue
			}
			b := bytes.Clone(whole)
			b[i/8] ^= 1 << (i % 8)
			f, err := gguf.Read(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				continue
			}
			tried++
			m, err := gemma.Check(f)
			if err != nil {
				continue
			}
			accepted++
			if n := len(gemma.Tensors(m.TextConfig)); n != len(f.Tensors) || len(m.Pieces) != m.VocabSize ||
				len(m.Scores) != m.VocabSize || len(m.Types) != m.VocabSize {
				t.Errorf("bit %d: accepted with %d tensors of %d", i, len(f.Tensors), n)
			}
		}
		if accepted == 0 || accepted == tried {
			t.Errorf("%s: %d of %d readable files accepted, want some and not all", a, accepted, tried)
		}
	}
}

// TestEveryTensor leaves out, misshapes, mistypes and renames each tensor in turn.
func TestEveryTensor(t *testing.T) {
	for _, a := range architectures {
		kvs, tensors := badfiles.TinyText(a)
		for i, x := range tensors {
			t.Run(a+"/"+x.Name, func(t *testing.T) {
				change := func(want string, f func(*gguf.Tensor)) {
					t.Helper()
					out := slices.Clone(tensors)
					out[i].Shape = slices.Clone(x.Shape)
					f(&out[i])
					refused(t, kvs, out, want)
				}
				refused(t, kvs, slices.Delete(slices.Clone(tensors), i, i+1), "missing tensor "+x.Name)
				change("missing tensor "+x.Name, func(x *gguf.Tensor) { x.Name = strings.ToUpper(x.Name) })
				change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape[0]++ })
				change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape[len(x.Shape)-1] *= 2 })
				change(x.Name+": shape", func(x *gguf.Tensor) { x.Shape = append([]int{1}, x.Shape...) })
				if len(x.Shape) == 2 {
					change(x.Name+": type I32", func(x *gguf.Tensor) { x.Type = gguf.I32 })
					change(x.Name+": type F64", func(x *gguf.Tensor) { x.Type = 28 })
				} else {
					change(x.Name+": type F16", func(x *gguf.Tensor) { x.Type = gguf.F16 })
					change(x.Name+": type Q8_0", func(x *gguf.Tensor) { x.Type = gguf.Q8_0 })
				}
			})
		}
		for _, extra := range []string{"output.weight", "blk.2.attn_norm.weight", "rope_freqs.weight",
			"blk.0.attn_q.bias", "v.patch_embd.weight"} {
			refused(t, kvs, append(slices.Clone(tensors), gguf.Tensor{Name: extra, Shape: []int{32}}),
				"tensor "+extra+" does not belong")
		}
	}
}

func TestVocabulary(t *testing.T) {
	kvs, tensors := badfiles.TinyText(paligemma.Gemma)
	const loc0 = 4 + 1 + 256 + 26
	for _, c := range []struct {
		name string
		want string
		f    func(p []string, s []float32, y []int32)
	}{
		{"empty piece", "piece 270: it is empty", func(p []string, _ []float32, _ []int32) { p[270] = "" }},
		{"piece twice", `piece 270: "a" again, as piece 261`, func(p []string, _ []float32,
			_ []int32) {
			p[270] = "a"
		}},
		{"NUL", "holds a NUL", func(p []string, _ []float32, _ []int32) { p[270] = "a\x00b" }},
		{"long piece", "1025 bytes", func(p []string, _ []float32, _ []int32) { p[270] = strings.Repeat("x", 1025) }},
		{"score NaN", "a score of NaN", func(_ []string, s []float32, _ []int32) { s[270] = float32(math.NaN()) }},
		{"score infinite", "a score of -Inf", func(_ []string, s []float32,
			_ []int32) {
			s[270] = float32(math.Inf(-1))
		}},
		{"type 0", "type 0, want 1 to 6", func(_ []string, _ []float32, y []int32) { y[270] = 0 }},
		{"type 7", "type 7, want 1 to 6", func(_ []string, _ []float32, y []int32) { y[270] = 7 }},
		{"type -1", "type -1, want 1 to 6", func(_ []string, _ []float32, y []int32) { y[270] = -1 }},
		{"byte piece of another text", "want a text like <0x0A>", func(_ []string, _ []float32,
			y []int32) {
			y[270] = 6
		}},
		{"byte piece in lower case", "want a text like <0x0A>", func(p []string, _ []float32,
			_ []int32) {
			p[5+0xab] = "<0xab>"
		}},
		{"byte piece too short", "want a text like <0x0A>", func(p []string, _ []float32, _ []int32) { p[5] = "<0" }},
		{"byte missing", "no piece <0x0A> of type byte", func(p []string, _ []float32, y []int32) {
			p[15], y[15] = "zz",
				1
		}},
		{"byte of type normal", "no piece <0xFF> of type byte", func(_ []string, _ []float32,
			y []int32) {
			y[5+255] = 1
		}},
		{"location of type normal", "ends with 1024 locations and 128 segment codes", func(_ []string, _ []float32,
			y []int32) {
			y[loc0+5] = 1
		}},
		{"segment of type control", "ends with 1024 locations", func(_ []string, _ []float32,
			y []int32) {
			y[loc0+1024+127] = 3
		}},
		{"locations swapped", `have "<loc0008>" of type 4, want "<loc0007>"`, func(p []string, _ []float32, _ []int32) {
			p[loc0+7], p[loc0+8] = p[loc0+8], p[loc0+7]
		}},
		{"segment renamed", `want "<seg127>"`, func(p []string, _ []float32, _ []int32) { p[len(p)-1] = "<image>" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, y := badfiles.TinyVocabulary()
			c.f(p, s, y)
			refused(t, badfiles.With(badfiles.With(badfiles.With(kvs, "tokenizer.ggml.tokens", p),
				"tokenizer.ggml.scores", s), "tokenizer.ggml.token_type", y), tensors, c.want)
		})
	}
	p, s, y := badfiles.TinyVocabulary()
	refused(t, badfiles.With(kvs, "tokenizer.ggml.tokens", p[1:]), tensors, "tokenizer.ggml.scores: 1439, want 1438")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.tokens", p[:1000]), tensors, "1000 pieces, want 1412 to")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.tokens", []string{}), tensors, "0 pieces, want")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.scores", s[1:]), tensors, "tokenizer.ggml.scores: 1438, want 1439")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.scores", []float32{}), tensors, "tokenizer.ggml.scores: 0, want 1439")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.token_type", y[1:]), tensors,
		"tokenizer.ggml.token_type: 1438, want 1439")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.token_type", append(slices.Clone(y), 1)), tensors,
		"tokenizer.ggml.token_type: 1440, want 1439")
	refused(t, badfiles.With(kvs, "tokenizer.ggml.scores", append(slices.Clone(s), 1)), tensors,
		"tokenizer.ggml.scores: 1440, want 1439")
	more := slices.Concat(p[:270], []string{"extra"}, p[270:])
	refused(t, badfiles.With(badfiles.With(badfiles.With(kvs, "tokenizer.ggml.tokens", more), "tokenizer.ggml.scores",
		append(s, 0)), "tokenizer.ggml.token_type", slices.Insert(y, 270, 1)),
		tensors, "token_embd.weight: shape [1439 32], want [1440 32]")
}

// TestOtherKinds: the error names the kind of a file of another kind.
func TestOtherKinds(t *testing.T) {
	kvs, tensors := badfiles.TinyVision()
	refused(t, kvs, tensors, "this is the mmproj file, want the text file")
	refused(t, badfiles.With(kvs, "general.architecture", "paligemma-masks"), tensors,
		"this is the mask file, want the text file")
	refused(t, badfiles.With(kvs, "general.architecture", "llama"), tensors, `have "llama", want gemma or gemma2`)
	refused(t, badfiles.With(kvs, "general.architecture", strings.Repeat("x", 10000)), tensors,
		"this is not a PaliGemma")
	refused(t, nil, nil, "missing key general.architecture")
}

// TestTensorsOfPublishedModels compares the number of tensors and parameters with those of the
// released checkpoints' text towers.
func TestTensorsOfPublishedModels(t *testing.T) {
	want := [][2]int64{{164, 2508531712}, {288, 2616996096}, {464, 9245834752}, {508, 27232436736}}
	for i, v := range paligemma.Variants {
		tensors, n := gemma.Tensors(v.Text), int64(0)
		for _, x := range tensors {
			n += x.Len()
		}
		if got := [2]int64{int64(len(tensors)), n}; got != want[i] {
			t.Errorf("%s %s: have %v tensors and parameters, want %v", v.Name, v.SizeLabel, got, want[i])
		}
	}
}

// TestKeyNames pins the names that the tiny file does not have.
func TestKeyNames(t *testing.T) {
	if got := gemma.KeyRopeFreqBase.Of(paligemma.Gemma2); got != "gemma2.rope.freq_base" {
		t.Errorf("have %s", got)
	}
	if got := gemma.BytePiece(10); got != "<0x0A>" {
		t.Errorf("have %s", got)
	}
}
