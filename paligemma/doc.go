// Package paligemma says what the PaliGemma models have in common: the sizes of a checkpoint, the
// published variants, the special pieces of the vocabulary and the order of a prompt. It reads and
// writes nothing.
//
// Everything else in this module is built on it: package convert turns a checkpoint into
// two GGUF files, package runner turns an image and a prompt into text.
//
// # Axis letters
//
// Comments and patterns in the whole module use one letter for one axis:
//
//	B batch        T image tokens (patches)    L layers (l: one of them)
//	N query heads  K key/value heads           H head dim
//	D embedding    F feed-forward              V vocabulary
//	E projection (the decoder's D)             x, y, c: image column, row, channel
//
// Shapes are in NumPy order (last axis fastest) everywhere but in package gguf's file format, in
// bindings/ggml and in mmproj/siglip, where ggml's reversed "ne" order is used.
package paligemma
