package quant

// This file: a GGUF file stored in other types: its description, and the new file's. work.go does
// the tensors.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// Source is an opened text file or mmproj file that has passed the check of a run.
type Source struct {
	Vision bool // an mmproj file

	path     string
	file     *gguf.File
	ffnWidth int // of the vision MLP; 0 in a text file
}

// Open opens the text file or mmproj file at path and checks it as a run does. It reads no tensors.
func Open(path string) (*Source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Source{path: path, file: f}
	if err := s.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Source) check() error {
	architecture, err := gguf.Get[string](s.file, gemma.KeyArchitecture)
	if err != nil {
		return err
	}
	switch paligemma.KindOf(architecture) {
	case paligemma.VisionFile:
		c, err := mmproj.Check(s.file)
		s.Vision, s.ffnWidth = true, c.FeedForwardLength
		return err
	case paligemma.MaskFile:
		return errors.New("this is a mask file, which is small and keeps its type")
	}
	_, err = gemma.Check(s.file)
	return err
}

// Close closes the file.
func (s *Source) Close() error { return s.file.Close() }

// Options says how a file is stored.
type Options struct {
	Requantize bool // take matrices that are in blocks already: rounding twice loses more than rounding once
	Force      bool // replace the file if it is there
	Threads    int  // 0: one for each processor
	// Progress is called now and then, from one goroutine at a time, with the bytes of the tensors
	// read so far and in all.
	Progress func(done, total int64)

	fs atomicfile.FS // nil: the real one; tests make it fail
}

// Result says what Quantize made.
type Result struct {
	Bytes, SourceBytes       int64
	Types                    map[gguf.Type]int // how many tensors are stored in each type
	FFNWidth, PaddedFFNWidth int               // of the vision MLP in the source and in the file; 0 in a text file
}

// Quantize writes the file at path, with the types that p chooses, as o says. The file appears
// under its name when it is complete; on any error, and when ctx ends, it does not; nor where the
// source changed meanwhile. The same input gives the same bytes, those that package convert makes
// of the checkpoint if the source is F32.
func (s *Source) Quantize(ctx context.Context, path string, p *Plan, o Options) (*Result, error) {
	if same(s.path, path) {
		return nil, fmt.Errorf("%s is the file to be read; write to another", path)
	}
	layout, r, err := s.measure(p)
	if err != nil {
		return nil, err
	}
	jobs, err := s.jobs(layout, o.Requantize)
	if err != nil {
		return nil, fmt.Errorf("quant: %s: %w", s.path, err)
	}
	set, err := atomicfile.Begin([]atomicfile.Target{{Path: path, Size: layout.Size}},
		atomicfile.Options{Force: o.Force, FS: o.fs})
	if err != nil {
		return nil, err
	}
	defer set.Abort()
	to := set.WriterAt(0)
	if _, err := to.WriteAt(layout.Header, 0); err != nil {
		return nil, fmt.Errorf("quant: header: %w", err)
	}
	if err := s.run(ctx, jobs, to, p, o); err != nil {
		return nil, err
	}
	if err := s.file.Unchanged(); err != nil {
		return nil, err
	}
	return r, set.Commit()
}

// Measure returns what Quantize would return with p, of any source, and writes nothing.
func (s *Source) Measure(p *Plan) (*Result, error) {
	_, r, err := s.measure(p)
	return r, err
}

func (s *Source) measure(p *Plan) (*gguf.Layout, *Result, error) {
	r := &Result{SourceBytes: s.file.Size, Types: map[gguf.Type]int{}, FFNWidth: s.ffnWidth, PaddedFFNWidth: s.ffnWidth}
	if s.Vision && p.Blocks() {
		r.PaddedFFNWidth = mmproj.PaddedWidth(s.ffnWidth)
	}
	layout, err := s.layOut(p, r.PaddedFFNWidth)
	if err != nil {
		return nil, nil, fmt.Errorf("quant: %s: %w", s.path, err)
	}
	r.Bytes = layout.Size
	for _, t := range layout.Tensors {
		r.Types[t.Type]++
	}
	return layout, r, nil
}

// same reports whether two paths lead to one file.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// layOut lays the file out as p says: the source's keys and tensors in their order, and checks that
// a reader will accept it.
func (s *Source) layOut(p *Plan, paddedFFNWidth int) (*gguf.Layout, error) {
	kvs := slices.DeleteFunc(slices.Clone(s.file.KVs), func(kv gguf.KV) bool {
		// ours is the default; how the source was rounded
		return kv.Key == "general.alignment" || strings.HasPrefix(kv.Key, "quantize.imatrix.")
	})
	set := func(key string, value any) {
		i := slices.IndexFunc(kvs, func(kv gguf.KV) bool { return kv.Key == key })
		if i < 0 {
			i, kvs = len(kvs), append(kvs, gguf.KV{Key: key})
		}
		kvs[i].Value = value
	}
	set(gemma.KeyFileType, p.FileType())
	set(gemma.KeyQuantizationVersion, gemma.QuantizationVersion)
	if s.Vision {
		set(mmproj.KeyFeedForwardLength, uint32(paddedFFNWidth))
	}
	tensors := slices.Clone(s.file.Tensors)
	for i := range tensors {
		t := &tensors[i]
		t.Shape = slices.Clone(t.Shape)
		if axis := mmproj.PaddedAxis(t.Name); axis >= 0 {
			t.Shape[axis] = paddedFFNWidth
		}
	}
	if err := p.Choose(tensors); err != nil {
		return nil, err
	}
	layout, err := gguf.NewLayout(append(kvs, p.Keys()...), tensors)
	if err != nil {
		return nil, err
	}
	file, err := layout.File()
	if err == nil {
		err = (&Source{file: file}).check()
	}
	if err != nil {
		return nil, fmt.Errorf("would make a file that cannot be read: %w", err)
	}
	return layout, nil
}
