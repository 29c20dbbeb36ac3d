package paligemma

// This file: the types of the vocabulary's pieces.

// Types of pieces, as SentencePiece and llama.cpp both number them.
const (
	PieceNormal      int32 = 1
	PieceUnknown     int32 = 2
	PieceControl     int32 = 3
	PieceUserDefined int32 = 4
	PieceUnused      int32 = 5
	PieceByte        int32 = 6
)
