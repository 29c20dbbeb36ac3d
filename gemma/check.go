package gemma

// This file: the check of a text file before llama.cpp loads it, so that llama.cpp finds everything
// that it asserts.

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Limits of what Check accepts, all far above the published models. The weights are in the file,
// which bounds their size; these bound what llama.cpp allocates besides, and sums in its 32-bit
// integers.
const (
	maxLayers  = 512 // llama.cpp's LLAMA_MAX_LAYERS
	maxHeads   = 256
	maxHeadDim = 1024
	maxWidth   = 1 << 17 // D and F
	maxVocab   = 1 << 20
	maxContext = 1 << 20 // tokens, also of the sliding window
	maxCap     = 1e7
)

// minLayers is 2 for gemma2: its layers with and without a window have a cache each, and
// llama.cpp aborts if one of the two has no layer (llama-graph.cpp,
// llm_graph_input_attn_kv_iswa::set_input).
var minLayers = map[string]uint32{paligemma.Gemma: 1, paligemma.Gemma2: 2}

// Model is what a checked file says about its model.
type Model struct {
	paligemma.TextConfig
	ContextLength    int     // tokens the decoder was trained for
	RMSEpsilon       float32 // of every norm
	RopeFreqBase     float32
	SlidingWindow    int     // tokens that every other layer looks back; 0 for gemma, which has no window
	AttentionSoftcap float32 // 0 for gemma, which has none
	FinalSoftcap     float32 // 0 for gemma, which has none

	Pieces  []string  // V
	Scores  []float32 // V
	Types   []int32   // V: paligemma.PieceNormal to PieceByte
	Unknown int32     // the piece for what no other piece covers
}

// Check reads the keys of f, a text file, and checks everything that llama.cpp relies on: the keys
// and their ranges, the vocabulary, and exactly the tensors that its graph uses, with their shapes
// and types. It reads no tensor data.
//
// Keys that begin with general., quantize. or pali. are free: nothing in llama.cpp acts on them,
// except those of general.* that are checked. Any other key that this package does not name is
// refused, since it could change what llama.cpp computes (rope.scaling.*, expert_count,
// split.count, adapter.*).
func Check(f *gguf.File) (*Model, error) {
	m, err := check(f)
	if err != nil {
		return nil, fmt.Errorf("gemma: %w", err)
	}
	return m, nil
}

func check(f *gguf.File) (*Model, error) {
	arch, err := architecture(f)
	if err != nil {
		return nil, err
	}
	if n, ok := f.Lookup("split.count"); ok {
		return nil,
			fmt.Errorf("this is one part of a model split into %v; merge the parts first (llama-gguf-split --merge)", n)
	}
	if err := gguf.CheckKeys(f, rules(arch), "general.", "quantize.", "pali."); err != nil {
		return nil, err
	}
	m, err := read(f, arch)
	if err != nil {
		return nil, err
	}
	if err := m.checkSizes(f); err != nil {
		return nil, err
	}
	if err := m.checkVocabulary(f); err != nil {
		return nil, err
	}
	return m, gguf.CheckTensors(f, Tensors(m.TextConfig), func(t gguf.Tensor) []gguf.Type {
		if len(t.Shape) == 1 {
			return gguf.Vectors
		}
		return gguf.Matrices
	})
}

// architecture returns paligemma.Gemma or paligemma.Gemma2, or an error that says which other kind
// of file f is.
func architecture(f *gguf.File) (string, error) {
	switch kind, _ := f.Lookup(KeyType); kind {
	case "adapter":
		return "", errors.New("this is a LoRA adapter, which holds changes to a model, not a model, and is not read")
	case "imatrix":
		return "", errors.New("this is an importance matrix, not a model")
	}
	arch, err := gguf.Get[string](f, KeyArchitecture)
	if err != nil {
		return "", err
	}
	switch kind := paligemma.KindOf(arch); kind {
	case paligemma.TextFile:
		return arch, nil
	case "":
		return "", fmt.Errorf("%s: have %.40q, want %s or %s: this is not a PaliGemma",
			KeyArchitecture, arch, paligemma.Gemma, paligemma.Gemma2)
	default:
		return "", paligemma.FileKindError{Have: kind, Want: paligemma.TextFile}
	}
}

// rules returns the keys that llama.cpp reads for the architecture arch, and the values it may find
// there.
func rules(arch string) []gguf.Rule {
	size := func(max uint32) func(any) error { return gguf.Between[uint32](1, max) }
	positive := func(max float32) func(any) error { return gguf.Between[float32](math.SmallestNonzeroFloat32, max) }
	id := gguf.Between[uint32](0, maxVocab)
	out := []gguf.Rule{
		{Key: KeyArchitecture},
		{Key: KeyType, Optional: true, Check: gguf.Equal("model")},
		{Key: KeyName, Optional: true, Check: checkModelName},
		{Key: KeyFileType, Optional: true, Check: gguf.Is[uint32]},
		{Key: KeyQuantizationVersion, Optional: true, Check: gguf.Equal(QuantizationVersion)},

		{Key: KeyContextLength.Of(arch), Check: size(maxContext)},
		{Key: KeyEmbeddingLength.Of(arch), Check: size(maxWidth)},
		{Key: KeyBlockCount.Of(arch), Check: gguf.Between(minLayers[arch], maxLayers)},
		{Key: KeyFeedForwardLength.Of(arch), Check: size(maxWidth)},
		{Key: KeyHeadCount.Of(arch), Check: size(maxHeads)},
		{Key: KeyHeadCountKV.Of(arch), Check: size(maxHeads)},
		{Key: KeyKeyLength.Of(arch), Check: gguf.Between[uint32](2, maxHeadDim)},
		{Key: KeyValueLength.Of(arch), Check: gguf.Between[uint32](2, maxHeadDim)},
		{Key: KeyRMSEpsilon.Of(arch), Check: positive(1)},
		{Key: KeyRopeFreqBase.Of(arch), Optional: true, Check: gguf.Between[float32](1, 1e9)},
		{Key: KeyRopeDimension.Of(arch), Optional: true, Check: size(maxHeadDim)},
		{Key: KeyVocabSize.Of(arch), Optional: true, Check: size(maxVocab)},

		{Key: KeyTokenizerModel, Check: gguf.Equal(TokenizerModelName)},
		// others switch on attributes that this vocabulary does not have
		{Key: KeyTokenizerPre, Optional: true, Check: gguf.Equal(TokenizerPreName)},
		{Key: KeyTokens, Check: gguf.Is[[]string]},
		{Key: KeyScores, Check: gguf.Is[[]float32]},
		{Key: KeyTokenTypes, Check: gguf.Is[[]int32]},
		{Key: KeyBOS, Check: gguf.Equal(uint32(paligemma.BOS))},
		{Key: KeyEOS, Check: gguf.Equal(uint32(paligemma.EOS))},
		{Key: KeyPadding, Check: gguf.Equal(uint32(paligemma.PAD))},
		{Key: KeyUnknown, Check: id},
		{Key: KeyEOT, Optional: true, Check: id},
		{Key: KeyAddBOS, Optional: true, Check: gguf.Is[bool]},
		{Key: KeyAddEOS, Optional: true, Check: gguf.Is[bool]},
		{Key: KeyAddSpacePrefix, Check: gguf.Equal(false)},
		{Key: KeyChatTemplate, Optional: true, Check: gguf.Is[string]},
	}
	if arch == paligemma.Gemma2 {
		out = append(out,
			gguf.Rule{Key: KeySlidingWindow.Of(arch), Check: size(maxContext)},
			gguf.Rule{Key: KeyAttentionSoftcap.Of(arch), Check: positive(maxCap)},
			gguf.Rule{Key: KeyFinalSoftcap.Of(arch), Check: positive(maxCap)})
	}
	return out
}

// checkModelName refuses the names by which llama.cpp recognises a Phi-3: it would look for that
// model's special pieces and fail.
func checkModelName(value any) error {
	if err := gguf.Is[string](value); err != nil {
		return err
	}
	if s := strings.ToLower(value.(string)); strings.Contains(s, "phi3") || strings.Contains(s, "phi-3") {
		return fmt.Errorf("have %.60q: llama.cpp takes a model with phi3 in its name for a Phi-3", value)
	}
	return nil
}

// read returns the values of f, whose types have been checked.
func read(f *gguf.File, arch string) (*Model, error) {
	var err error
	m := &Model{}
	m.Architecture, m.RopeFreqBase = arch, 10000
	number := func(k Key) int {
		v, e := gguf.Get[uint32](f, k.Of(arch))
		err = errors.Join(err, e)
		return int(v)
	}
	float := func(k Key) float32 {
		v, e := gguf.Get[float32](f, k.Of(arch))
		err = errors.Join(err, e)
		return v
	}
	m.ContextLength = number(KeyContextLength)
	m.EmbeddingLength = number(KeyEmbeddingLength)
	m.BlockCount = number(KeyBlockCount)
	m.FeedForwardLength = number(KeyFeedForwardLength)
	m.HeadCount, m.HeadCountKV = number(KeyHeadCount), number(KeyHeadCountKV)
	m.KeyLength = number(KeyKeyLength)
	m.RMSEpsilon = float(KeyRMSEpsilon)
	if _, ok := f.Lookup(KeyRopeFreqBase.Of(arch)); ok {
		m.RopeFreqBase = float(KeyRopeFreqBase)
	}
	if arch == paligemma.Gemma2 {
		m.SlidingWindow = number(KeySlidingWindow)
		m.AttentionSoftcap, m.FinalSoftcap = float(KeyAttentionSoftcap), float(KeyFinalSoftcap)
	}
	var e1, e2, e3 error
	m.Pieces, e1 = gguf.Get[[]string](f, KeyTokens)
	m.Scores, e2 = gguf.Get[[]float32](f, KeyScores)
	m.Types, e3 = gguf.Get[[]int32](f, KeyTokenTypes)
	m.VocabSize = len(m.Pieces)
	return m, errors.Join(err, e1, e2, e3)
}

// checkSizes checks the sizes of m against each other and the optional keys of f against them.
func (m *Model) checkSizes(f *gguf.File) error {
	switch {
	case m.HeadCount%m.HeadCountKV != 0:
		return fmt.Errorf("%d query heads, want a multiple of the %d key/value heads", m.HeadCount, m.HeadCountKV)
	case m.KeyLength%2 != 0:
		return fmt.Errorf("a head dim of %d, want an even one: rotary positions turn halves against each other",
			m.KeyLength)
	case m.EmbeddingLength < m.HeadCount: // the 28B's attention scale divides by D/N in integers
		return fmt.Errorf("an embedding of %d for %d heads, want at least one element a head", m.EmbeddingLength,
			m.HeadCount)
	}
	for _, same := range []struct {
		key  Key
		want int
	}{{KeyValueLength, m.KeyLength}, {KeyRopeDimension, m.KeyLength}, {KeyVocabSize, m.VocabSize}} {
		if v, ok := f.Lookup(same.key.Of(m.Architecture)); ok && v != uint32(same.want) {
			return fmt.Errorf("%s: have %v, want %d", same.key.Of(m.Architecture), v, same.want)
		}
	}
	return nil
}
