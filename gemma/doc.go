// Package gemma says what PaliGemma's text file holds: a GGUF of llama.cpp's architecture gemma
// (PaliGemma 1) or gemma2 (PaliGemma 2), with the SentencePiece vocabulary followed by PaliGemma's
// locations and segment codes.
//
// Before it: package gguf, which has read a file. After it: package convert, which writes the keys
// and tensors named here, and package runner/llamacpp, which gives llama.cpp only files that Check
// has accepted.
//
// Names of keys and tensors and the rules about them come from llama.cpp as ollama v0.17.4 has it
// (commit ec98e2002): src/llama-arch.cpp, src/llama-model.cpp (load_hparams, load_vocab,
// load_tensors), src/llama-model-loader.cpp, src/llama-vocab.cpp.
package gemma
