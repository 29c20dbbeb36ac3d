// Package worker puts the model into a process of its own: an abort, a fault or a hang of the C
// library costs one request, not the server.
//
// Before it: pixels, or image embeddings, and a prompt (package server/engine). After it:
// runner.Runner in the worker process, and its tokens back. The package holds both sides and no C:
// Start and Process.Generate are the server's, Serve is the worker's. Each side treats what it
// reads as hostile.
//
// # The connection
//
// The worker inherits one end of a socket pair as descriptor 3 (on Windows two pipes, as standard
// input and output). Frames go both ways:
//
//	Offset  Size  Field
//	0       4     "PLW1"
//	4       1     kind: a letter of the table
//	5       3     0
//	8       4     H, bytes of the head, little-endian; at most 1 MiB
//	12      4     F, floats of the body, little-endian; at most those of runner.MaxImages images
//	16      H     head: JSON
//	16+H    4F    body: 32-bit floats, little-endian
//
// The server sends requests, the worker answers; one request at a time:
//
//	kind  from    head         body
//	r     worker  Ready                    once, when the model is loaded
//	a     server  Request      images      each pixels [3,S,S], or [T,E] if Request.Encoded
//	x     server                           cancel the request
//	i     worker               [T,E]       the embeddings of an image of pixels, in order
//	s     worker  runner.Step              a token of the answer
//	b     worker                           heartbeat: progress since the last frame
//	d     worker  Done                     the end of the answer
//	f     worker  Failed                   the request failed; before Ready: loading did
package worker

import (
	"time"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// Kinds of frames.
const (
	kindReady    = 'r'
	kindRequest  = 'a'
	kindCancel   = 'x'
	kindImage    = 'i'
	kindStep     = 's'
	kindProgress = 'b'
	kindDone     = 'd'
	kindFailed   = 'f'
)

// Request is a request as the worker gets it: runner.Request in a form that can be sent.
type Request struct {
	Prompt      string
	Encoded     []bool // for each image, whether it comes as embeddings; Generate fills it in
	MaxTokens   int
	Sampling    runner.Sampling
	TopLogprobs int
	Strict      *Strict // nil: a free answer
}

// Strict asks for the form of tasks.Grammar.
type Strict struct {
	Labels []string
	Masks  bool
}

// Ready says what a worker has loaded.
type Ready struct {
	Vision     paligemma.VisionConfig
	Vocabulary int // tokens
	GPU        bool
	Load       time.Duration
}

// Done is what a runner.Result has beside its steps.
type Done struct {
	PrefixTokens []int32
	Timings      runner.Timings
}

// Failed says why a request failed.
type Failed struct {
	Text    string
	Refused bool // the request is at fault
}

// floats returns the number of floats of an image, as embeddings or as pixels.
func floats(c paligemma.VisionConfig, encoded bool) int {
	if encoded {
		return c.Tokens() * c.ProjectionDim
	}
	return 3 * c.ImageSize * c.ImageSize
}

// maxFloats returns the largest number of floats of a frame's body.
func maxFloats(c paligemma.VisionConfig) int {
	return runner.MaxImages * max(floats(c, false), floats(c, true))
}

// shorten keeps the text of an error short.
func shorten(text string) string { return text[:min(len(text), 1000)] }
