// Package pali runs Google's PaliGemma models on this machine, offline: it captions images, answers
// questions about them, reads their text, and finds objects with boxes and masks.
//
// # A first program
//
// A model is a pair of GGUF files in one folder: a text file and an mmproj vision file, and for
// masks a third. The command "pali convert" makes them from a checkpoint, "pali pull" fetches a
// checkpoint and converts it. This program captions an image:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		"github.com/pali-gguf/pali"
//	)
//
//	func main() {
//		m, err := pali.Open("models", pali.Options{})
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer m.Close()
//		img, err := pali.OpenImage("photo.jpg")
//		if err != nil {
//			log.Fatal(err)
//		}
//		text, err := m.Caption(context.Background(), img, "en")
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Println(text)
//	}
//
// [Model.Describe], [Model.Ask] and [Model.OCR] return text too. The zero [Options] does what "pali
// run" does without flags: one thread for each fast core, the first GPU for which there is a
// library, a KV cache in f16, greedy decoding.
//
// # Objects and masks
//
// [Model.Detect] finds objects by their labels. Each [Detection] has a label, a score from 0 to 1,
// and a box in pixels of the image as a person sees it: left, top, right, bottom.
//
//	found, err := m.Detect(ctx, img, "cat", "red bicycle")
//	for _, d := range found {
//		fmt.Printf("%s %.2f %.0f\n", d.Label, d.Score.Score, d.XYXY)
//	}
//
// [Model.Segment] adds a mask to each, a bitmap of the image's size:
//
//	found, err := m.Segment(ctx, img, "cat")
//	for _, d := range found {
//		if d.Mask != nil {
//			fmt.Println(d.Label, d.Mask.Area(), "pixels")
//		}
//	}
//
// # Any prompt
//
// [Model.Generate] takes a [Request]: a prompt exactly as the model gets it, one or more images,
// sampling parameters. It yields the answer token by token; [Model.Run] returns it whole, with
// probabilities and timings.
//
//	q := pali.Request{
//		Images:   []*pali.Image{img},
//		Prompt:   "answer en how many cats are there?",
//		Sampling: pali.Sampling{Temperature: 0.8, TopP: 0.9, Seed: 1},
//	}
//	for step, err := range m.Generate(ctx, q) {
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Print(step.Text)
//	}
//
// Encoding an image takes a large part of the time. To ask several questions about one, call
// [Model.Embed] once and pass its result as Request.Embeddings.
//
// A [Model] answers one request at a time; goroutines that share it take turns. Every method ends
// soon after its context does.
//
// # Errors
//
// A request that cannot be answered is an [InvalidRequestError], whose text says what to ask
// instead. A size over a limit is a [LimitError], of [OpenImage] as well as inside an
// InvalidRequestError. Both are found with errors.As. The methods of a closed model return
// [ErrClosed].
//
// # Building
//
// The model runs in llama.cpp, which cgo compiles with this package: a C and a C++ compiler are
// needed, and the first build takes minutes. With CGO_ENABLED=0 the package compiles, and [Open]
// returns [ErrNoCgo]. Without further flags the build runs on any processor, slowly. In a clone of
// this repository, eval "$(make -s env)" sets the compiler flags for the processor at hand.
//
// # The other packages
//
// Package convert turns checkpoints into GGUF files and package quant stores them in smaller types;
// package tasks makes the prompts and reads the answers, package eval scores them, package server
// serves them over HTTP. ARCHITECTURE.md shows how they depend on each other.
package pali
