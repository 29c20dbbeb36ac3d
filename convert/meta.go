package convert

// This file: the keys of the two files. Their names are those of packages gemma and mmproj.

import (
	"strings"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// What a checkpoint does not say, from big_vision (commit 0127fb6b) models/ppp/gemma.py.
const (
	contextLength = 8192 // Gemma's trained length in tokens
	// big_vision has none; one longer than the context changes nothing. llama.cpp's default is 4096
	slidingWindow         = 16384
	rmsEpsilon    float32 = 1e-6
	ropeBase      float32 = 10000
	attentionCap  float32 = 50 // soft caps of Gemma 2: c * tanh(x / c)
	logitCap      float32 = 30

	unknownID = 3 // <unk> of Gemma's vocabulary
)

func kv(key string, value any) gguf.KV { return gguf.KV{Key: key, Value: value} }

// general returns the keys that every GGUF file has, for tools that list models. The licence is
// known of the published sizes only.
func general(c *checkpoint, architecture, kind, name string, fileType uint32) []gguf.KV {
	v, published := paligemma.Lookup(c.textConfig, c.parameters)
	kvs := []gguf.KV{
		kv(gemma.KeyArchitecture, architecture),
		kv(gemma.KeyType, kind),
		kv(gemma.KeyName, name),
		kv("general.basename", strings.ReplaceAll(v.Name, " ", "-")),
		kv(gemma.KeySizeLabel, v.SizeLabel),
	}
	if published {
		kvs = append(kvs,
			kv("general.organization", "Google"),
			kv("general.license", "gemma"),
			kv("general.license.name", "Gemma Terms of Use"),
			kv("general.license.link", "https://ai.google.dev/gemma/terms"))
	}
	return append(kvs,
		kv("general.tags", []string{"image-text-to-text"}),
		kv(gemma.KeyFileType, fileType),
		kv(gemma.KeyQuantizationVersion, gemma.QuantizationVersion))
}

// textKVs returns the decoder file's keys. All that llama.cpp reads is written out, also where its
// default would do.
func textKVs(c *checkpoint, name string, fileType uint32, pieces []sentencepiece.Piece) []gguf.KV {
	t := c.textConfig
	a := t.Architecture
	kvs := append(general(c, a, "model", name, fileType),
		kv(gemma.KeyContextLength.Of(a), uint32(contextLength)),
		kv(gemma.KeyEmbeddingLength.Of(a), uint32(t.EmbeddingLength)),
		kv(gemma.KeyBlockCount.Of(a), uint32(t.BlockCount)),
		kv(gemma.KeyFeedForwardLength.Of(a), uint32(t.FeedForwardLength)),
		kv(gemma.KeyHeadCount.Of(a), uint32(t.HeadCount)),
		kv(gemma.KeyHeadCountKV.Of(a), uint32(t.HeadCountKV)),
		kv(gemma.KeyKeyLength.Of(a), uint32(t.KeyLength)),
		kv(gemma.KeyValueLength.Of(a), uint32(t.KeyLength)),
		kv(gemma.KeyRMSEpsilon.Of(a), rmsEpsilon),
		kv(gemma.KeyRopeFreqBase.Of(a), ropeBase),
		kv(gemma.KeyRopeDimension.Of(a), uint32(t.KeyLength)),
		kv(gemma.KeyVocabSize.Of(a), uint32(t.VocabSize)))
	if a == paligemma.Gemma2 {
		kvs = append(kvs,
			kv(gemma.KeySlidingWindow.Of(a), uint32(slidingWindow)),
			kv(gemma.KeyAttentionSoftcap.Of(a), attentionCap),
			kv(gemma.KeyFinalSoftcap.Of(a), logitCap))
	}
	return append(kvs, tokenizerKVs(pieces)...)
}

// tokenizerKVs returns the vocabulary. BOS is added where no image comes before it; no blank is
// put before the text.
func tokenizerKVs(pieces []sentencepiece.Piece) []gguf.KV {
	tokens, scores, types := make([]string, len(pieces)), make([]float32, len(pieces)), make([]int32, len(pieces))
	for i, p := range pieces {
		tokens[i], scores[i], types[i] = p.Text, p.Score, p.Type
	}
	return []gguf.KV{
		kv(gemma.KeyTokenizerModel, gemma.TokenizerModelName),
		kv(gemma.KeyTokenizerPre, gemma.TokenizerPreName),
		kv(gemma.KeyTokens, tokens),
		kv(gemma.KeyScores, scores),
		kv(gemma.KeyTokenTypes, types),
		kv(gemma.KeyBOS, uint32(paligemma.BOS)),
		kv(gemma.KeyEOS, uint32(paligemma.EOS)),
		kv(gemma.KeyUnknown, uint32(unknownID)),
		kv(gemma.KeyPadding, uint32(paligemma.PAD)),
		kv(gemma.KeyAddBOS, true),
		kv(gemma.KeyAddEOS, false),
		kv(gemma.KeyAddSpacePrefix, false),
	}
}

// visionKVs returns the mmproj file's keys; paddedFFNWidth is the stored width of the MLP.
func visionKVs(c *checkpoint, name string, fileType uint32, paddedFFNWidth int) []gguf.KV {
	v := c.visionConfig
	half := []float32{0.5, 0.5, 0.5} // pixels of 0..1 become -1..1
	return append(general(c, mmproj.Architecture, "mmproj", name, fileType),
		kv(mmproj.KeyHasVision, true),
		kv(mmproj.KeyProjectorType, mmproj.ProjectorType),
		kv(mmproj.KeyUseGELU, true),
		kv(mmproj.KeyImageSize, uint32(v.ImageSize)),
		kv(mmproj.KeyPatchSize, uint32(v.PatchSize)),
		kv(mmproj.KeyEmbeddingLength, uint32(v.EmbeddingLength)),
		kv(mmproj.KeyFeedForwardLength, uint32(paddedFFNWidth)),
		kv(mmproj.KeyBlockCount, uint32(v.BlockCount)),
		kv(mmproj.KeyHeadCount, uint32(v.HeadCount)),
		kv(mmproj.KeyProjectionDim, uint32(v.ProjectionDim)),
		kv(mmproj.KeyEpsilon, mmproj.Epsilon),
		kv(mmproj.KeyImageMean, half),
		kv(mmproj.KeyImageStd, half))
}
