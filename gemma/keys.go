package gemma

// This file: the names of the keys, as in llama.cpp's src/llama-arch.cpp.

// Keys that have the same name in both architectures.
const (
	KeyArchitecture        = "general.architecture"         // string: paligemma.Gemma or paligemma.Gemma2
	KeyType                = "general.type"                 // string: "model"
	KeyName                = "general.name"                 // string
	KeySizeLabel           = "general.size_label"           // string: "3B"
	KeyFileType            = "general.file_type"            // uint32: llama.cpp's enum llama_ftype
	KeyQuantizationVersion = "general.quantization_version" // uint32: QuantizationVersion, of ggml's block formats

	KeyTokenizerModel = "tokenizer.ggml.model"            // string: "llama", llama.cpp's name for SentencePiece
	KeyTokenizerPre   = "tokenizer.ggml.pre"              // string: "default"
	KeyTokens         = "tokenizer.ggml.tokens"           // []string, V pieces
	KeyScores         = "tokenizer.ggml.scores"           // []float32, V
	KeyTokenTypes     = "tokenizer.ggml.token_type"       // []int32, V: paligemma.PieceNormal to PieceByte
	KeyBOS            = "tokenizer.ggml.bos_token_id"     // uint32: 2
	KeyEOS            = "tokenizer.ggml.eos_token_id"     // uint32: 1
	KeyUnknown        = "tokenizer.ggml.unknown_token_id" // uint32: 3
	KeyPadding        = "tokenizer.ggml.padding_token_id" // uint32: 0
	KeyEOT            = "tokenizer.ggml.eot_token_id"     // uint32: end of a turn, for chat; PaliGemma has none
	KeyAddBOS         = "tokenizer.ggml.add_bos_token"    // bool
	KeyAddEOS         = "tokenizer.ggml.add_eos_token"    // bool
	// bool: false; without it llama.cpp would put a blank before the text
	KeyAddSpacePrefix  = "tokenizer.ggml.add_space_prefix"
	KeyChatTemplate    = "tokenizer.chat_template" // string
	TokenizerModelName = "llama"
	TokenizerPreName   = "default"
)

// QuantizationVersion is the value of KeyQuantizationVersion (ggml.h, GGML_QNT_VERSION).
const QuantizationVersion uint32 = 2

// Key is the name of a key without the architecture that precedes it:
// KeyBlockCount.Of(paligemma.Gemma2) is "gemma2.block_count".
type Key string

// Of returns the full name of k in architecture.
func (k Key) Of(architecture string) string { return architecture + "." + string(k) }

// Keys that begin with the architecture. Only gemma2 has the last three.
const (
	KeyContextLength     Key = "context_length"                   // uint32: tokens
	KeyEmbeddingLength   Key = "embedding_length"                 // uint32: D
	KeyBlockCount        Key = "block_count"                      // uint32: L
	KeyFeedForwardLength Key = "feed_forward_length"              // uint32: F
	KeyHeadCount         Key = "attention.head_count"             // uint32: N
	KeyHeadCountKV       Key = "attention.head_count_kv"          // uint32: K
	KeyKeyLength         Key = "attention.key_length"             // uint32: H
	KeyValueLength       Key = "attention.value_length"           // uint32: H
	KeyRMSEpsilon        Key = "attention.layer_norm_rms_epsilon" // float32
	KeyRopeFreqBase      Key = "rope.freq_base"                   // float32, optional: 10000
	KeyRopeDimension     Key = "rope.dimension_count"             // uint32, optional: H
	KeyVocabSize         Key = "vocab_size"                       // uint32, optional: V

	KeySlidingWindow    Key = "attention.sliding_window" // uint32: tokens
	KeyAttentionSoftcap Key = "attn_logit_softcapping"   // float32
	KeyFinalSoftcap     Key = "final_logit_softcapping"  // float32; llama.cpp divides by it
)
