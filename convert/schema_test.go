package convert

// This file: a second schema, made for the test: other names, flat ones, a folder for each layer,
// other axes. It is what another format of checkpoints takes: a Source, and a Schema in Schemas.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/tinymodel"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// flat is a schema with the traits of the usual PyTorch ones. Heads and head dim are one axis (q,
// k's p); the norm before the MLP has another name in each family, and the name that the one has is
// another norm's in the other.
var flat = Schema{
	Name:     "flat",
	Prefixes: []string{""},
	Text: Half{Root: "model.", AllLayers: "model.layers.", OneLayer: "model.layers.%d.", Mappings: []Mapping{
		{"model.norm.weight", "d -> d", "output_norm.weight", AddOne},
		{"model.embed_tokens.weight", "v d -> v d", "token_embd.weight", 0},
		{"model.layers.input_layernorm.weight", "l d -> l d", "blk.%d.attn_norm.weight", AddOne},
		{"model.layers.self_attn.q_proj.weight", "l q d -> l q d", "blk.%d.attn_q.weight", 0},
		{"model.layers.self_attn.k_proj.weight", "l p d -> l p d", "blk.%d.attn_k.weight", 0},
		{"model.layers.self_attn.v_proj.weight", "l d p -> l p d", "blk.%d.attn_v.weight", 0},
		{"model.layers.self_attn.o_proj.weight", "l d q -> l d q", "blk.%d.attn_output.weight", 0},
		{"model.layers.post_attention_layernorm.weight", "l d -> l d", "blk.%d.ffn_norm.weight", AddOne | OnlyGemma},
		{"model.layers.post_attention_layernorm.weight", "l d -> l d", "blk.%d.post_attention_norm.weight",
			AddOne | OnlyGemma2},
		{"model.layers.pre_feedforward_layernorm.weight", "l d -> l d", "blk.%d.ffn_norm.weight", AddOne | OnlyGemma2},
		{"model.layers.post_feedforward_layernorm.weight", "l d -> l d", "blk.%d.post_ffw_norm.weight",
			AddOne | OnlyGemma2},
		{"model.layers.mlp.gate_up_proj.weight", "l 0 d f -> l f d", "blk.%d.ffn_gate.weight", 0},
		{"model.layers.mlp.gate_up_proj.weight", "l 1 d f -> l f d", "blk.%d.ffn_up.weight", 0},
		{"model.layers.mlp.down_proj.weight", "l d f -> l d f", "blk.%d.ffn_down.weight", 0},
	}},
	Vision: Half{Root: "vision.", AllLayers: "vision.layers.", OneLayer: "vision.layers.%d.", Mappings: []Mapping{
		{"projector.weight", "e d -> e d", "mm.input_projection.weight", 0},
		{"projector.bias", "e -> e", "mm.input_projection.bias", 0},
		{"vision.patch_embedding.weight", "d c y x -> d c y x", "v.patch_embd.weight", 0},
		{"vision.patch_embedding.bias", "d -> d", "v.patch_embd.bias", 0},
		{"vision.position_embedding.weight", "t d -> t d", "v.position_embd.weight", 0},
		{"vision.layers.layer_norm1.weight", "l d -> l d", "v.blk.%d.ln1.weight", 0},
		{"vision.layers.layer_norm1.bias", "l d -> l d", "v.blk.%d.ln1.bias", 0},
		{"vision.layers.self_attn.q_proj.weight", "l q d -> l q d", "v.blk.%d.attn_q.weight", 0},
		{"vision.layers.self_attn.q_proj.bias", "l q -> l q", "v.blk.%d.attn_q.bias", 0},
		{"vision.layers.self_attn.k_proj.weight", "l q d -> l q d", "v.blk.%d.attn_k.weight", 0},
		{"vision.layers.self_attn.k_proj.bias", "l q -> l q", "v.blk.%d.attn_k.bias", 0},
		{"vision.layers.self_attn.v_proj.weight", "l q d -> l q d", "v.blk.%d.attn_v.weight", 0},
		{"vision.layers.self_attn.v_proj.bias", "l q -> l q", "v.blk.%d.attn_v.bias", 0},
		{"vision.layers.self_attn.out_proj.weight", "l d q -> l d q", "v.blk.%d.attn_out.weight", 0},
		{"vision.layers.self_attn.out_proj.bias", "l d -> l d", "v.blk.%d.attn_out.bias", 0},
		{"vision.layers.layer_norm2.weight", "l d -> l d", "v.blk.%d.ln2.weight", 0},
		{"vision.layers.layer_norm2.bias", "l d -> l d", "v.blk.%d.ln2.bias", 0},
		{"vision.layers.mlp.fc1.weight", "l f d -> l f d", "v.blk.%d.ffn_up.weight", 0},
		{"vision.layers.mlp.fc1.bias", "l f -> l f", "v.blk.%d.ffn_up.bias", 0},
		{"vision.layers.mlp.fc2.weight", "l f d -> l d f", "v.blk.%d.ffn_down.weight", 0},
		{"vision.layers.mlp.fc2.bias", "l d -> l d", "v.blk.%d.ffn_down.bias", 0},
		{"vision.post_layernorm.weight", "d -> d", "v.post_ln.weight", 0},
		{"vision.post_layernorm.bias", "d -> d", "v.post_ln.bias", 0},
	}},
	Derive: func(src Source, text, vision map[string]int) error {
		c, ok := src.(*memorySource)
		if !ok || c.headDim < 1 || c.visionHeads < 1 {
			return errors.New("no head dim")
		}
		text["h"], text["n"], text["k"] = c.headDim, text["q"]/c.headDim, text["p"]/c.headDim
		vision["n"], vision["h"] = c.visionHeads, vision["q"]/c.visionHeads
		return nil
	},
}

// memorySource is a checkpoint in memory, with what its configuration would say.
type memorySource struct {
	tensors              []tensor.Tensor
	headDim, visionHeads int
	changed              error
}

func (s *memorySource) Tensors() []tensor.Tensor { return s.tensors }
func (s *memorySource) Unchanged() error         { return s.changed }
func (s *memorySource) Tensor(name string) (tensor.Tensor, bool) {
	for _, t := range s.tensors {
		if t.Name == name {
			return t, true
		}
	}
	return tensor.Tensor{}, false
}

// add adds an array of 32-bit floats.
func (s *memorySource) add(name string, shape []int, values []float32) {
	raw := narrowed(values, gguf.F32)
	s.tensors = append(s.tensors, tensor.Tensor{Name: name, DType: tensor.F32, Shape: shape,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }})
}

// withSchema has the tests of t know one more schema.
func withSchema(t *testing.T, s Schema) {
	known := Schemas
	Schemas = append(slices.Clone(known), s)
	t.Cleanup(func() { Schemas = known })
}

// flatten saves the tiny model as flat has it: the inverse of each mapping, applied to the tensors
// as they should be.
func flatten(o tinymodel.Options) *memorySource {
	r := newReference(o)
	t, v := o.Sizes()
	s := &memorySource{headDim: t.KeyLength, visionHeads: v.HeadCount}
	for _, x := range []struct {
		half   *Half
		layers int
		made   map[string]matrix
		sizes  map[string]int
	}{
		{&flat.Vision, v.BlockCount, r.vision, map[string]int{"d": v.EmbeddingLength, "q": v.EmbeddingLength, "c": 3,
			"y": v.PatchSize,
			"x": v.PatchSize, "t": v.Tokens(), "f": v.FeedForwardLength, "e": v.ProjectionDim}},
		{&flat.Text, t.BlockCount, r.text, map[string]int{"d": t.EmbeddingLength, "v": t.VocabSize,
			"f": t.FeedForwardLength,
			"q": t.HeadCount * t.KeyLength, "p": t.HeadCountKV * t.KeyLength}},
	} {
		for _, group := range x.half.byArray(t.Architecture == paligemma.Gemma2) {
			layers := 1
			if group[0].layered() {
				layers = x.layers
			}
			for layer := range layers {
				name := group[0].Source
				if group[0].layered() {
					name = fmt.Sprintf(x.half.OneLayer, layer) + strings.TrimPrefix(name, x.half.AllLayers)
				}
				shape, values := unmapped(group, layer, x.sizes, x.made)
				if group[0].Flags&AddOne != 0 {
					values = slices.Clone(r.norm(group[0].name(layer), layer))
				}
				s.add(name, shape, values)
			}
		}
	}
	return s
}

// unmapped returns the array, of one layer, from which the mappings make the tensors in made.
func unmapped(group []Mapping, layer int, sizes map[string]int, made map[string]matrix) (shape []int,
	values []float32) {
	for _, m := range group {
		pattern, _ := m.inner()
		var inner []int
		for _, letter := range pattern.Left {
			inner = append(inner, sizes[letter])
		}
		gather, err := pattern.Gather(inner)
		if err != nil {
			panic(err)
		}
		part := make([]float32, product(inner))
		for i, v := range made[m.name(layer)].values {
			part[gather.RowAt[i/len(gather.ColAt)]+gather.ColAt[i%len(gather.ColAt)]] = v
		}
		values = append(values, part...)
		if shape = inner; len(m.axes()) > len(inner) {
			shape = append([]int{len(group)}, inner...)
		}
	}
	return shape, values
}

// norm returns the values of the norm's scale that becomes the tensor of this name, as the
// checkpoint has them.
func (r *reference) norm(name string, layer int) []float32 {
	for _, m := range BigVision.Text.Mappings {
		if m.name(layer) == name {
			at := -1
			if m.layered() {
				at = layer
			}
			return vector(len(r.text[name].values), func(i int) float32 { return r.at(m.Source, at, i) }).values
		}
	}
	panic("no norm " + name)
}

// The same model in another program's words makes the same files.
func TestSecondSchema(t *testing.T) {
	withSchema(t, flat)
	for _, architecture := range families {
		for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.Q8_0} {
			t.Run(fmt.Sprintf("%s/%v", architecture, typ), func(t *testing.T) {
				o := tinymodel.Options{Architecture: architecture}
				want := mustRun(t, archive(t, tinymodel.Arrays(o)), options(t, typ))
				have := mustRun(t, flatten(o), options(t, typ))
				if hashes(t, have.Result) != hashes(t, want.Result) {
					compare(t, have.text, newReference(o).text)
					compare(t, have.vision, newReference(o).vision)
					t.Error("other bytes")
				}
			})
		}
	}
}

// What is wrong with a checkpoint is said in the words of its own schema.
func TestSecondSchemaFails(t *testing.T) {
	withSchema(t, flat)
	for _, c := range []struct {
		name, want string
		change     func(*memorySource)
	}{
		{"an array is missing", "\n  vision.layers.1.mlp.fc2.bias: missing", func(s *memorySource) {
			s.tensors = slices.DeleteFunc(s.tensors,
				func(t tensor.Tensor) bool { return t.Name == "vision.layers.1.mlp.fc2.bias" })
		}},
		{"an array is unknown", "\n  lm_head.weight: unknown", func(s *memorySource) {
			s.add("lm_head.weight", []int{1},
				[]float32{1})
		}},
		{"nothing of it", "none of its 0 arrays is below img/ or llm/ or vision. or model.",
			func(s *memorySource) { s.tensors = nil }},
		{"no configuration", "convert: flat: no head dim", func(s *memorySource) { s.headDim = 0 }},
		{"a head dim that is too large", "convert: axis k (key/value heads) of 0",
			func(s *memorySource) { s.headDim = 17 }},
		{"it changed", "it changed", func(s *memorySource) { s.changed = errors.New("it changed") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := flatten(tinymodel.Options{})
			c.change(s)
			if have := fails(t, s, vocab(t), options(t, gguf.F32)); !strings.Contains(have, c.want) {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}

// A schema that lacks a tensor is refused with the tensor's name.
func TestIncompleteSchema(t *testing.T) {
	short := flat
	short.Vision.Mappings = slices.DeleteFunc(slices.Clone(flat.Vision.Mappings),
		func(m Mapping) bool { return m.To == "v.post_ln.bias" })
	withSchema(t, short)
	s := flatten(tinymodel.Options{})
	s.tensors = slices.DeleteFunc(s.tensors,
		func(t tensor.Tensor) bool { return t.Name == "vision.post_layernorm.bias" })
	if have := fails(t, s, vocab(t),
		options(t, gguf.F32)); have != "convert: the schema has no array for v.post_ln.bias" {
		t.Errorf("have %q", have)
	}
}

// Run leaves what it was given open: who opened it closes it.
func TestRunClosesNothing(t *testing.T) {
	dir := t.TempDir()
	path, _, err := tinymodel.Write(dir, tinymodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := openFile(t, path)
	for range 2 {
		if _, err := Run(context.Background(), a, vocab(t), options(t, gguf.F32)); err != nil {
			t.Error(err)
		}
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	fails(t, a, vocab(t), options(t, gguf.F32))
}
