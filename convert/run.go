package convert

// This file: one conversion from beginning to end, and what it reports.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/strips"
	"github.com/pali-gguf/pali/paligemma"
)

// Encoder says how one of the files is stored. A *quant.Plan is one. Encode is called from several
// goroutines at once, the others from one.
type Encoder interface {
	Name() string     // of the type, in the file's name: "Q4_0"
	FileType() uint32 // general.file_type (llama.h, enum llama_ftype)
	Blocks() bool     // whether the file is one of blocks, for which the vision MLP is padded

	// Choose sets the types of all tensors of the file, whose names and shapes are given.
	Choose(tensors []gguf.Tensor) error
	// Keys returns keys that the file gets besides its own, after Choose.
	Keys() []gguf.KV
	// Encode writes src, some rows of t, to dst. It returns the position of a value that t's type
	// cannot hold, -1 if it holds all.
	Encode(t gguf.Tensor, dst []byte, src []float32) (overflow int, err error)
}

// Options says what a conversion makes.
type Options struct {
	Name         string // of the model; the files' names begin with it. See DefaultName
	Text, Vision Encoder
	OutDir       string    // made if it is not there; "": the current folder
	Force        bool      // replace files that are there
	Threads      int       // that rearrange and encode; 0: one for each processor
	Masks        Source    // mask checkpoint, for a mask file besides the two; nil: none
	MaskType     gguf.Type // of the mask file's weights: F32 or F16
	// Progress is called now and then, from one goroutine at a time, with the bytes of the
	// checkpoint read so far and in all.
	Progress func(done, total int64)

	fs atomicfile.FS // nil: the real one; tests make it fail
}

// Result says what a conversion made.
type Result struct {
	TextPath, VisionPath     string
	TextBytes, VisionBytes   int64
	MaskPath                 string // "": no mask file was asked for
	Text                     paligemma.TextConfig
	Vision                   paligemma.VisionConfig // with the width that the MLP is stored with
	Parameters               int64                  // of the checkpoint
	TextTypes, VisionTypes   map[gguf.Type]int      // how many tensors are stored in each type
	FFNWidth, PaddedFFNWidth int                    // of the vision MLP in the checkpoint and in the file
}

// Run converts the checkpoint in src, with the vocabulary vocab, to the files that o describes. The
// files appear under their names when all are complete; on any error, and when ctx ends, none does;
// nor where src or o.Masks changed meanwhile. The same input gives the same bytes. Run closes
// neither src nor o.Masks.
func Run(ctx context.Context, src Source, vocab *sentencepiece.Model, o Options) (*Result, error) {
	l, r, err := prepare(src, vocab, o)
	if err != nil {
		return nil, err
	}
	targets := []atomicfile.Target{{Path: r.TextPath, Size: r.TextBytes}, {Path: r.VisionPath, Size: r.VisionBytes}}
	var third *maskFile
	if o.Masks != nil {
		if third, err = readMasks(o.Masks, o.Name, o.MaskType); err != nil {
			return nil, err
		}
		r.MaskPath = maskPath(o.OutDir, o.Name)
		targets = append(targets, atomicfile.Target{Path: r.MaskPath, Size: third.Size})
	}
	if err := makeFolder(o.OutDir); err != nil {
		return nil, err
	}
	set, err := atomicfile.Begin(targets, atomicfile.Options{Force: o.Force, FS: o.fs})
	if err != nil {
		return nil, err
	}
	defer set.Abort()
	if third != nil {
		if err := third.write(set.WriterAt(2)); err != nil {
			return nil, err
		}
	}
	l.text.to, l.vision.to = set.WriterAt(0), set.WriterAt(1)
	if err := l.write(ctx, o); err != nil {
		return nil, err
	}
	if err := src.Unchanged(); err != nil {
		return nil, err
	}
	if o.Masks != nil {
		if err := o.Masks.Unchanged(); err != nil {
			return nil, err
		}
	}
	return r, set.Commit()
}

// Measure returns what Run would return for src, vocab and o, but for the masks, and writes
// nothing. It reads no elements of src.
func Measure(src Source, vocab *sentencepiece.Model, o Options) (*Result, error) {
	_, r, err := prepare(src, vocab, o)
	return r, err
}

// prepare does all of a conversion that comes before the first byte is written.
func prepare(src Source, vocab *sentencepiece.Model, o Options) (*layout, *Result, error) {
	if err := checkName(o.Name); err != nil {
		return nil, nil, err
	}
	if o.Text == nil || o.Vision == nil {
		return nil, nil, errors.New("convert: no encoder: Options.Text and Options.Vision say in which types " +
			"the files are stored")
	}
	c, err := readCheckpoint(src)
	if err != nil {
		return nil, nil, err
	}
	pieces, err := vocabulary(vocab, c.textConfig.VocabSize)
	if err != nil {
		return nil, nil, err
	}
	l, err := newLayout(c, o.Text, o.Vision)
	if err != nil {
		return nil, nil, err
	}
	if err := l.layOut(c, o.Name, pieces); err != nil {
		return nil, nil, err
	}
	if err := l.verify(); err != nil {
		return nil, nil, err
	}
	r := l.result(c)
	text, vision := FileNames(o.Name, o.Text.Name(), o.Vision.Name())
	r.TextPath, r.VisionPath = filepath.Join(o.OutDir, text), filepath.Join(o.OutDir, vision)
	return l, r, nil
}

// result fills in what is known before anything is written.
func (l *layout) result(c *checkpoint) *Result {
	r := &Result{
		TextBytes: l.text.gguf.Size, VisionBytes: l.vision.gguf.Size,
		Text: c.textConfig, Vision: c.visionConfig, Parameters: c.parameters,
		TextTypes: l.text.types(), VisionTypes: l.vision.types(),
		FFNWidth: c.visionConfig.FeedForwardLength, PaddedFFNWidth: l.paddedFFNWidth,
	}
	r.Vision.FeedForwardLength = l.paddedFFNWidth
	return r
}

// write writes the headers and all tensors.
func (l *layout) write(ctx context.Context, o Options) error {
	for _, out := range []*output{&l.text, &l.vision} {
		if _, err := out.to.WriteAt(out.gguf.Header, 0); err != nil {
			return fmt.Errorf("convert: header: %w", err)
		}
	}
	return l.run(ctx, o.Threads, newWriter, o.Progress)
}

func newWriter() strips.Worker[strip] { return &writer{} }
