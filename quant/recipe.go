package quant

// This file: which tensor gets which type, in each recipe.
//
// Vectors, the position table and the patch kernel stay F32 in every recipe. All other tensors are
// matrices:
//
//	Table       token_embd: the input embedding and, tied, the classifier
//	Projector   mm.input_projection
//	Value       attn_v of both halves
//	Output      attn_output of the decoder, attn_out of the encoder
//	Down        ffn_down of both halves
//	Matrix      attn_q, attn_k, ffn_gate and ffn_up; and the three above in layers that the recipe
//	            does not take out
//
// Which layers get more bits is as in llama.cpp (src/llama-quant.cpp, llama_tensor_get_type), so
// that a name means here what it means there. Two columns are our own: llama.cpp has Q6_K for a
// tied token table, but for q8_0, and nothing apart for the projector.

import "github.com/pali-gguf/pali/gguf"

// Recipe says how a file of one type stores its matrices.
type Recipe struct {
	Name                     string // as it is typed; in capitals a part of files' names
	FileType                 uint32 // general.file_type (llama.h, enum llama_ftype)
	Matrix, Table, Projector gguf.Type
	Value, Output, Down      []rule
}

// rule gives a type to some layers. Of several the first that takes a layer counts.
type rule struct {
	takes func(layer) bool
	as    gguf.Type
}

// table is the type of the token table in every recipe of block types, and, as it is small, of the
// projector. It is to be measured whether Q6_K is as good: a PaliGemma 3B file would be 128 MB
// smaller.
const table = gguf.Q8_0

// Recipes are all there are, the widest first.
var Recipes = []Recipe{
	{Name: "f32", FileType: 0, Matrix: gguf.F32, Table: gguf.F32, Projector: gguf.F32},
	{Name: "f16", FileType: 1, Matrix: gguf.F16, Table: gguf.F16, Projector: gguf.F16},
	{Name: "bf16", FileType: 32, Matrix: gguf.BF16, Table: gguf.BF16, Projector: gguf.BF16},
	{Name: "q8_0", FileType: 7, Matrix: gguf.Q8_0, Table: table, Projector: table},
	{Name: "q6_k", FileType: 18, Matrix: gguf.Q6_K, Table: table, Projector: table},
	{Name: "q5_k_m", FileType: 17, Matrix: gguf.Q5_K, Table: table, Projector: table,
		Value: []rule{{moreBits, gguf.Q6_K}},
		Down:  []rule{{moreBits, gguf.Q6_K}}},
	{Name: "q5_k_s", FileType: 16, Matrix: gguf.Q5_K, Table: table, Projector: table},
	{Name: "q5_1", FileType: 9, Matrix: gguf.Q5_1, Table: table, Projector: table},
	{Name: "q5_0", FileType: 8, Matrix: gguf.Q5_0, Table: table, Projector: table,
		Down: []rule{{both(weighted, eighth), gguf.Q5_1}}},
	{Name: "q4_k_m", FileType: 15, Matrix: gguf.Q4_K, Table: table, Projector: table,
		Value: []rule{{moreBits, gguf.Q6_K}},
		Down:  []rule{{moreBits, gguf.Q6_K}}},
	{Name: "q4_k_s", FileType: 14, Matrix: gguf.Q4_K, Table: table, Projector: table,
		Value: []rule{{first(4), gguf.Q5_K}},
		Down:  []rule{{eighth, gguf.Q5_K}}},
	{Name: "q4_1", FileType: 3, Matrix: gguf.Q4_1, Table: table, Projector: table},
	{Name: "q4_0", FileType: 2, Matrix: gguf.Q4_0, Table: table, Projector: table,
		Down: []rule{{both(weighted, eighth), gguf.Q4_1}}},
	{Name: "iq4_nl", FileType: 25, Matrix: gguf.IQ4_NL, Table: table, Projector: table,
		Value: []rule{{shared, gguf.Q5_K}},
		Down:  []rule{{both(unweighted, eighth), gguf.Q5_K}}},
	{Name: "iq4_xs", FileType: 30, Matrix: gguf.IQ4_XS, Table: table, Projector: table,
		Value: []rule{{shared, gguf.Q5_K}},
		Down:  []rule{{both(unweighted, eighth), gguf.Q5_K}}},
	{Name: "q3_k_m", FileType: 12, Matrix: gguf.Q3_K, Table: table, Projector: table,
		Value:  []rule{{first(2), gguf.Q5_K}, {every, gguf.Q4_K}},
		Output: []rule{{every, gguf.Q4_K}},
		Down:   []rule{{sixteenth, gguf.Q5_K}, {every, gguf.Q4_K}}},
}

// aliases are the recipes that we recommend on processors, for the text file and for the mmproj
// file. IQ4_NL is as large as Q4_0 and diverges less (docs/quality.md); Q4_0 is encoded in a
// hundredth of the time, and the scores of both differ by less than their errors.
var aliases = map[string]struct{ text, vision string }{
	"int8": {"q8_0", "q8_0"},
	"int4": {"q4_0", "q4_0"},
}

// fallback gives the type that is taken instead where the blocks of 256 do not divide a row: the
// nearest with blocks of 32 that is not worse. Where those do not divide it either, it is F16.
var fallback = map[gguf.Type]gguf.Type{
	gguf.Q6_K: gguf.Q8_0, gguf.Q5_K: gguf.Q5_1, gguf.Q4_K: gguf.Q5_0, gguf.IQ4_XS: gguf.IQ4_NL, gguf.Q3_K: gguf.IQ4_NL,
}

// layer is what a rule may ask about a layer.
type layer struct {
	at, of   int  // its number, and how many there are
	gqaRatio int  // query heads for each key/value head
	weighted bool // an importance matrix is used
}

func every(layer) bool { return true }

// first takes the first n layers.
func first(n int) func(layer) bool { return func(l layer) bool { return l.at < n } }

// eighth and sixteenth take this share of the layers, at the beginning.
func eighth(l layer) bool    { return l.at < l.of/8 }
func sixteenth(l layer) bool { return l.at < l.of/16 }

// moreBits takes an eighth of the layers at the beginning, an eighth at the end, and every third
// between (llama.cpp's use_more_bits).
func moreBits(l layer) bool { return eighth(l) || l.at >= 7*l.of/8 || (l.at-l.of/8)%3 == 2 }

// shared takes layers whose values serve four query heads or more: they are small, and their
// rounding counts as often.
func shared(l layer) bool { return l.gqaRatio >= 4 }

func weighted(l layer) bool   { return l.weighted }
func unweighted(l layer) bool { return !l.weighted }

func both(a, b func(layer) bool) func(layer) bool {
	return func(l layer) bool { return a(l) && b(l) }
}
