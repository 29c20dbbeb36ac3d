// Package convert turns a PaliGemma checkpoint into two GGUF files: the decoder for llama.cpp, and
// the vision encoder with the projector ("mmproj").
//
//	Source ──schema.go──▶ which array, axes and name ──shapes.go──▶ sizes inferred, shapes checked
//	       ──layout.go──▶ spans in the source's order, each tensor's type (Encoder), fixed offsets
//	       ──pipeline.go▶ read, rearrange, widen, encode ──atomicfile──▶ both files or neither
//
// Before it: a Source, which package npz has, which gives the arrays; convert/sentencepiece, which
// gives the vocabulary; and an Encoder, which package quant has. After it: packages gemma and
// mmproj, which read the two files back.
//
// A Schema says how one program saves PaliGemma; the tables in bigvision.go are the whole mapping
// of the published checkpoints. For another program's files it takes a Source that reads them, and
// one Schema more in Schemas. A source is read once, from its first byte to its last, by one
// reader; the work in between is spread over threads, and the bytes written do not depend on how
// many there are.
package convert
