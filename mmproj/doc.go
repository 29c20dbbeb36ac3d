// Package mmproj says what PaliGemma's vision file holds.
//
// The file is a GGUF of architecture clip: the SigLIP encoder (v.*) and the one linear layer that
// projects its output to the decoder's width (mm.input_projection). Names of keys and tensors are
// llama.cpp's (tools/mtmd/clip-impl.h) as far as it has them; the projector type "paligemma" and
// its tensors' names are ours, since llama.cpp has none.
//
// Before it: package gguf, which has read a file. After it: package convert, which writes the keys
// and tensors named here, package mmproj/siglip, which runs only files that Check has accepted, and
// package runner.
package mmproj
