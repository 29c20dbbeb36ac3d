package pali

// This file: how a model is opened, what a request is, and the types of answers.

import (
	"fmt"
	"image"

	"github.com/pali-gguf/pali/mmproj/imageproc"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Options says how to open a model and how its methods answer. The zero Options does what "pali
// run" does without flags.
type Options struct {
	// Vision and Masks are the paths of the mmproj file and of the mask file. "": the ones in the
	// folder of the text file.
	Vision, Masks string

	Threads int // threads on the processor; 0: one for each fast core that the process may use
	// Device is "cpu", "cuda", "metal", "vulkan", one device of these ("cuda1") or "auto"; "" is
	// "auto": a GPU if there is one.
	Device string
	// OffloadLayers is how many layers of the decoder run on a GPU. 0: all; negative: none.
	OffloadLayers int
	KV            string // type of the KV cache: "f16", "f32" or "q8_0"; "" is "f16"
	// MaxContext is the maximum number of positions of a request: its images, prompt and answer
	// together. 0: as many as the request needs.
	MaxContext int
	Beams      int // maximum of Request.Beams; 0: no beam search

	Resize Resize // how images are resized to the model's size; "" is Antialias

	// The rest applies to Caption, Describe, Ask, OCR, Detect and Segment only: Generate and Run
	// take it from their Request.

	MaxTokens int     // longest answer in tokens; 0: DefaultMaxTokens
	MinScore  float64 // Detect and Segment leave out objects with a lower score, 0 to 1
	// Free lets the model answer Detect and Segment in any form. Otherwise it is constrained to
	// well-formed objects with the labels asked for, which fails where MaxTokens cannot hold one.
	Free bool
	// Lost, if it is not nil, is called by all of these methods when an answer lost something.
	Lost func(Losses)
}

// DefaultMaxTokens is the longest answer in tokens if none is given.
const DefaultMaxTokens = 256

func (o Options) validate() error {
	refuse := func(field string, value any, want string, args ...any) error {
		return InvalidRequestError{Err: runner.ValueError{Field: field, Value: value, Want: fmt.Sprintf(want, args...)}}
	}
	_, err := imageproc.ParseResize(string(o.resize()))
	switch {
	case !(o.MinScore >= 0 && o.MinScore <= 1):
		return refuse("min_score", o.MinScore, "0 to 1")
	case o.MaxTokens < 0 || o.MaxTokens > runner.MaxAnswerTokens:
		return refuse("max_tokens", o.MaxTokens, "0 to %d", runner.MaxAnswerTokens)
	case o.MaxContext < 0:
		return refuse("max_context", o.MaxContext, "0 or more")
	case o.Beams < 0 || o.Beams > runner.MaxBeams:
		return refuse("beams", o.Beams, "0 to %d", runner.MaxBeams)
	case err != nil:
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
	Constraint  runner.Constraint // which tokens may come, such as Model.Grammar's; nil: all
	Beams       int               // over 1: beam search, which ignores Sampling and Constraint
	TopLogprobs int               // number of most probable tokens that each step reports
	Trace       bool              // keep the logits in the result
}

// Image is a decoded image: Width x Height pixels of RGB in Pix, row by row, upright.
type Image = imageproc.Image

// Resize is a method of resizing an image to the square that the model sees. None keeps the aspect
// ratio. The best is the one that the model was trained with.
type Resize = imageproc.Resize

// The methods of resizing.
const (
	Antialias = imageproc.Antialias // TensorFlow's, as the authors' notebook; the default
	Bilinear  = imageproc.Bilinear  // TensorFlow's without antialias, as most fine-tunes
	Bicubic   = imageproc.Bicubic   // Pillow's, as Hugging Face
)

// Sampling says how each token is chosen. The zero Sampling is greedy: the most probable token,
// always the same answer. Otherwise Temperature is over 0, TopK, TopP and MinP restrict the choice,
// and equal Seeds give equal answers.
type Sampling = runner.Sampling

// Step is one token of an answer: its Text, its log-probability, and in Top the alternatives that
// Request.TopLogprobs asks for.
type Step = runner.Step

// Alternative is a token that could have been chosen, with its log-probability.
type Alternative = runner.Alternative

// Result is a whole answer: its Text, a Step for each token, and how long each part took.
type Result = runner.Result

// Detection is an object that the model found: Label, Score.Score from 0 to 1, the box XYXY (left,
// top, right, bottom, in pixels of the image), and after Segment the Mask with its Area and its
// outlines, Polygons. Loc and Seg are the box and the mask as the model gave them.
type Detection = tasks.Detection

// Losses counts what answers lost on their way to a result: objects that are left out, answers that
// the limit of tokens ended, and the like. Its method Sentences says it in words.
type Losses = tasks.Losses

// Prompt is a prompt with its parts, as the functions of package tasks make and parse them.
type Prompt = tasks.Prompt

// InvalidRequestError is a request that cannot be answered. Its text says what to ask instead.
type InvalidRequestError = runner.InvalidRequestError

// LimitError is a size that is too large: what is counted, how much there is, and the maximum.
type LimitError = paligemma.LimitError

// OpenImage reads the image file at path: JPEG, PNG, WebP, BMP or a GIF's first frame. The image is
// turned upright as its EXIF data say. A file of more than 20 MiB, more than 50 million pixels or a
// side of more than 32,768 pixels is a [LimitError].
func OpenImage(path string) (*Image, error) { return imageproc.Open(path, imageproc.DefaultLimits) }

// DecodeImage is OpenImage for the bytes of a file.
func DecodeImage(data []byte) (*Image, error) { return imageproc.Decode(data, imageproc.DefaultLimits) }

// FromImage copies an image of the standard library, without its alpha. A JPEG that image/jpeg has
// decoded differs slightly from what OpenImage makes of it, which is what the model was trained on.
func FromImage(m image.Image) *Image { return imageproc.FromImage(m) }
