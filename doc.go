// Package pali runs Google's PaliGemma models on this machine, offline: it captions images, answers
// questions about them, reads their text, and finds objects with boxes and masks.
//
// A model is a pair of GGUF files, a text file and an mmproj vision file beside it; for masks there
// is a third. The command "pali convert" makes them from a checkpoint, "pali pull" fetches one.
//
//	m, err := pali.Open("models", pali.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer m.Close()
//	img, err := pali.OpenImage("photo.jpg")
//	if err != nil {
//		log.Fatal(err)
//	}
//	text, err := m.Caption(ctx, img, "en")
//
// Objects come with a label, a score, and a box in pixels of the image as a person sees it:
//
//	cats, err := m.Detect(ctx, img, "cat", "red bicycle")
//	for _, c := range cats {
//		fmt.Println(c.Label, c.Score.Score, c.XYXY)
//	}
//
// [Model.Segment] adds a mask to each. [Model.Generate] takes any prompt, several images, sampling
// parameters, and gives the answer token by token. [Model.Embed] returns the image embeddings.
//
// The zero [Options] does what "pali run" does without flags: one thread for each fast core, the
// first GPU for which there is a library, an f16 KV cache, greedy decoding.
//
// # Errors
//
// A request that cannot be answered is an [InvalidRequestError]; if it is a size that is too large,
// it wraps a [LimitError], as the error of [OpenImage] does. [ErrClosed] follows [Model.Close].
//
// # Building
//
// The model runs in llama.cpp, which cgo compiles with the package: a C and a C++ compiler are
// needed. With CGO_ENABLED=0 the package compiles, and [Open] returns [ErrNoCgo]. The Makefile of
// this module exports compiler flags for the processor at hand: eval "$(make -s env)".
//
// # The other packages
//
// Package convert turns checkpoints into GGUF files and package quant stores them in smaller types;
// package tasks knows the prompts and reads the answers, package eval scores them, package server
// serves them over HTTP. ARCHITECTURE.md draws how they hang together.
package pali
