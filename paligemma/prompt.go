package paligemma

// This file: the special tokens and the order of a prompt.

import "fmt"

// Token ids that every PaliGemma vocabulary shares (the SentencePiece model's control pieces).
const (
	PAD int32 = 0
	EOS int32 = 1
	BOS int32 = 2
)

// Separator is the text between prompt and answer. It is tokenized on its own, never together with
// the prompt (big_vision configs/proj/paligemma/transfers/common.py).
const Separator = "\n"

// Locations and SegmentCodes are the numbers of pieces that PaliGemma appends to Gemma's
// vocabulary, in this order.
const (
	Locations    = 1024 // <loc0000> .. <loc1023>
	SegmentCodes = 128  // <seg000> .. <seg127>
)

// Location returns which location token is, given the number of tokens of the vocabulary, and false
// for any other token.
func Location(token int32, vocabulary int) (int, bool) {
	first := vocabulary - Locations - SegmentCodes
	i := int(token) - first
	return i, first >= 0 && i >= 0 && i < Locations
}

// LocPiece returns the text of location i: "<loc0042>".
func LocPiece(i int) string { return fmt.Sprintf("<loc%04d>", i) }

// SegPiece returns the text of segment code i: "<seg007>".
func SegPiece(i int) string { return fmt.Sprintf("<seg%03d>", i) }

// PrefixTokens lays out the text part of the prefix: BOS, the prompt, the separator. The image
// tokens come before it, and image and text together attend to each other fully.
func PrefixTokens(prompt, separator []int32) []int32 {
	out := make([]int32, 0, len(prompt)+len(separator)+1)
	out = append(out, BOS)
	out = append(out, prompt...)
	return append(out, separator...)
}
