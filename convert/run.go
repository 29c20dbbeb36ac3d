package convert

// This file: one conversion from beginning to end, and what it reports.
// Before it: opened archives and a vocabulary. After it: two files, with masks three, or none and an error.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
)

// Policy says how one of the files is stored. A *quant.Plan is one. Encode is called from several goroutines at once, the others from one.
type Encoder interface {
	Name() string     // of the type, in the file's name: "Q4_0"
	FileType() uint32 // general.file_type (llama.h, enum llama_ftype)
	Blocks() bool     // whether the file is one of blocks, for which the vision MLP is padded

	// Choose sets the types of all tensors of the file, whose names and shapes are given.
	Choose(tensors []gguf.Tensor) error
	// Keys returns keys that the file gets beside its own, after Choose.
	Keys() []gguf.KV
	// Encode writes src, some rows of t, to dst. It returns the position of a value that t's type cannot hold, -1 if it holds all.
	Encode(t gguf.Tensor, dst []byte, src []float32) (unfit int, err error)
}

// Options says what to make.
type Options struct {
	Name         string // of the model; the files' names begin with it. See DefaultName
	Text, Vision Encoder
	OutDir       string       // "": the current folder
	Force        bool         // replace files that are there
	Threads      int          // that rearrange and encode; 0: one for each processor
	Masks        *npz.Archive // mask checkpoint, for a mask file beside the two; nil: none
	MaskType     gguf.Type    // of the mask file's weights: F32 or F16
	// Progress is called now and then, from one goroutine at a time, with the bytes of the checkpoint read so far and in all.
	Progress func(done, total int64)

	fs atomicfile.FS // nil: the real one; tests let it fail
}

// Result says what was made.
type Result struct {
	TextPath, VisionPath   string
	TextBytes, VisionBytes int64
	MaskPath               string // "": no mask file was asked for
	Text                   paligemma.TextConfig
	Vision                 paligemma.VisionConfig // with the width that the MLP is stored with
	Parameters             int64                  // of the checkpoint
	TextTypes, VisionTypes map[gguf.Type]int      // how many tensors are stored in each type
	HiddenFrom, HiddenTo   int                    // width of the vision MLP in the checkpoint and in the file
}

// Run converts the checkpoint in src. The files appear under their names when all are complete; on any error, and when ctx ends,
// none does. The same input gives the same bytes. Run closes src and o.Masks, whose Close fails if the checkpoint's file changed meanwhile.
func Run(ctx context.Context, src *npz.Archive, vocab *sentencepiece.Model, o Options) (*Result, error) {
	defer o.close(src)
	p, r, err := prepare(src, vocab, o)
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
	set, err := atomicfile.Begin(targets, atomicfile.Options{Force: o.Force, FS: o.fs})
	if err != nil {
		return nil, err
	}
	defer set.Abort()
	if third != nil {
		if err := third.write(set.WriterAt(len(targets) - 1)); err != nil {
			return nil, err
		}
	}
	if err := p.write(ctx, set, o); err != nil {
		return nil, err
	}
	if err := o.close(src); err != nil {
		return nil, err
	}
	return r, set.Commit()
}

// Measure returns what Run would, but for the masks, and writes nothing. It reads the checkpoint's directory only, and closes src.
func Measure(src *npz.Archive, vocab *sentencepiece.Model, o Options) (*Result, error) {
	_, r, err := prepare(src, vocab, o)
	if closed := src.Close(); err == nil {
		err = closed
	}
	return r, err
}

// prepare does all of a conversion that comes before the first byte is written.
func prepare(src *npz.Archive, vocab *sentencepiece.Model, o Options) (*plan, *Result, error) {
	if err := checkName(o.Name); err != nil {
		return nil, nil, err
	}
	policies := [2]Encoder{textFile: o.Text, visionFile: o.Vision}
	c, err := readCheckpoint(src)
	if err != nil {
		return nil, nil, err
	}
	pieces, err := vocabulary(vocab, c.text.VocabSize)
	if err != nil {
		return nil, nil, err
	}
	p, err := newPlan(c, policies)
	if err != nil {
		return nil, nil, err
	}
	if err := p.layOut(c, o.Name, policies, pieces); err != nil {
		return nil, nil, err
	}
	if err := verify(p.layouts); err != nil {
		return nil, nil, err
	}
	r := p.result(c)
	names := FileNames(o.Name, [2]string{textFile: o.Text.Name(), visionFile: o.Vision.Name()})
	r.TextPath, r.VisionPath = filepath.Join(o.OutDir, names[textFile]), filepath.Join(o.OutDir, names[visionFile])
	return p, r, nil
}

// close closes the checkpoint and the mask checkpoint.
func (o *Options) close(src *npz.Archive) error {
	err := src.Close()
	if o.Masks != nil {
		err = errors.Join(err, o.Masks.Close())
	}
	return err
}

// layOut lays the two files out and tells every target where it lies.
func (p *plan) layOut(c *checkpoint, name string, policies [2]Encoder, pieces []sentencepiece.Piece) error {
	for file := range p.layouts {
		kvs := visionKVs(c, name, policies[file].FileType(), p.hidden)
		if file == textFile {
			kvs = textKVs(c, name, policies[file].FileType(), pieces)
		}
		var err error
		if p.layouts[file], err = gguf.NewLayout(append(kvs, policies[file].Keys()...), p.tensors(file)); err != nil {
			return fmt.Errorf("convert: %w", err)
		}
		for i, t := range p.targets[file] {
			t.tensor.Offset = p.layouts[file].Tensors[i].Offset
		}
	}
	return nil
}

// result fills in what is known before anything is written.
func (p *plan) result(c *checkpoint) *Result {
	r := &Result{
		TextBytes: p.layouts[textFile].Size, VisionBytes: p.layouts[visionFile].Size,
		Text: c.text, Vision: c.vision, Parameters: c.parameters,
		TextTypes: map[gguf.Type]int{}, VisionTypes: map[gguf.Type]int{},
		HiddenFrom: c.vision.FeedForwardLength, HiddenTo: p.hidden,
	}
	r.Vision.FeedForwardLength = p.hidden
	for _, t := range p.targets[textFile] {
		r.TextTypes[t.tensor.Type]++
	}
	for _, t := range p.targets[visionFile] {
		r.VisionTypes[t.tensor.Type]++
	}
	return r
}

// write writes the headers and all tensors.
func (p *plan) write(ctx context.Context, set *atomicfile.Set, o Options) error {
	for file, l := range p.layouts {
		if _, err := set.WriterAt(file).WriteAt(l.Header, 0); err != nil {
			return fmt.Errorf("convert: header: %w", err)
		}
	}
	return p.run(ctx, set.WriterAt, o)
}
