package pali

// This file: how a model is opened, and what can be asked of it.

import (
	"fmt"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Options says how to open a model and how its methods answer. The zero Options does what "pali
// run" does without flags.
type Options struct {
	// Vision and Masks are the paths of the mmproj file and of the mask file. "": those beside the
	// text file.
	Vision, Masks string

	Threads int    // of the processor; 0: one for each fast core that the process may use
	Device  string // "cpu", "cuda", "metal", "vulkan" or "auto"; "" is "auto": the first GPU, else the processor
	// OffloadLayers is how many layers of the decoder run on a GPU. 0: all; negative: none.
	OffloadLayers int
	KV            string // type of the KV cache: "f16", "f32" or "q8_0"; "" is "f16"
	MaxContext    int    // most positions of a request, images, prompt and answer together; 0: as many as it needs
	Beams         int    // most beams of a Request; 0: it cannot search

	Resize Resize // how images get the model's size; "" is Antialias

	// The following are of Caption, Describe, Ask, OCR, Detect and Segment.

	MaxTokens int     // longest answer in tokens; 0: DefaultMaxTokens
	MinScore  float64 // objects with a lower score are left out; 0 to 1
	Strict    bool    // constrains the answers of Detect and Segment to well-formed objects with the labels asked for
}

// DefaultMaxTokens is the longest answer where none is given.
const DefaultMaxTokens = 256

func (o Options) validate() error {
	if !(o.MinScore >= 0 && o.MinScore <= 1) {
		return InvalidRequestError{Err: runner.ValueError{Field: "min_score", Value: o.MinScore, Want: "0 to 1"}}
	}
	if o.MaxTokens < 0 || o.MaxTokens > runner.MaxAnswerTokens {
		return InvalidRequestError{Err: runner.ValueError{Field: "max_tokens", Value: o.MaxTokens,
			Want: fmt.Sprintf("0 to %d", runner.MaxAnswerTokens)}}
	}
	if _, err := imageproc.ParseResize(string(o.resize())); err != nil {
		return InvalidRequestError{Err: err}
	}
	return nil
}

func (o Options) resize() Resize {
	if o.Resize == "" {
		return Antialias
	}
	return o.Resize
}

func (o Options) maxTokens() int {
	if o.MaxTokens == 0 {
		return DefaultMaxTokens
	}
	return o.MaxTokens
}

// Request is a prompt about images, for [Model.Generate] and [Model.Run].
type Request struct {
	Images []*Image
	// Embeddings are the image embeddings [n*T,E] of the images, if Embed has been called for them:
	// then Images are not encoded again.
	Embeddings []float32
	Prompt     string // reaches the model exactly as it is, as in "caption en"
	MaxTokens  int    // longest answer in tokens; 0: DefaultMaxTokens

	Sampling    Sampling          // the zero Sampling is greedy: always the same answer
	Constraint  runner.Constraint // which tokens may come, as Model.Grammar returns it; nil: all
	Beams       int               // over 1: a beam search; Sampling and Constraint say nothing there
	TopLogprobs int               // how many of the most probable tokens each step reports
	Trace       bool              // keep the logits in the result
}

// What requests and answers are made of.
type (
	Image       = imageproc.Image // RGB, upright
	Resize      = imageproc.Resize
	Sampling    = runner.Sampling
	Step        = runner.Step
	Result      = runner.Result
	Alternative = runner.Alternative

	Detection = tasks.Detection // an object: label, score, box and mask in pixels
	Prompt    = tasks.Prompt
)

// The ways to resize an image to the model's size.
const (
	Antialias = imageproc.Antialias // TensorFlow's, as the authors' notebook
	Bilinear  = imageproc.Bilinear  // TensorFlow's without antialias, as most fine-tunes
	Bicubic   = imageproc.Bicubic   // Pillow's, as Hugging Face
)

// Errors that callers tell apart with errors.As.
type (
	// a request that cannot be answered; its text says what to ask instead
	InvalidRequestError = runner.InvalidRequestError
	LimitError          = paligemma.LimitError // a size that is too large
)

// OpenImage reads the image file at path: JPEG, PNG, WebP, BMP or a GIF's first frame. It is turned
// upright as its EXIF data say. A file of more than 20 MiB, more than 50 million pixels or a side
// of more than 32,768 pixels is a [LimitError].
func OpenImage(path string) (*Image, error) { return imageproc.Open(path, imageproc.DefaultLimits) }

// DecodeImage is OpenImage for a file's bytes.
func DecodeImage(data []byte) (*Image, error) { return imageproc.Decode(data, imageproc.DefaultLimits) }
