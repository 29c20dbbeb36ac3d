package main

// This file: pali estimate: what a model needs in another type, before anything is loaded or converted. Before it: types.go's plans. After it: nothing.

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/npz"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/quant"
)

type estimateFlags struct {
	types           typeFlags
	vision          string
	tokenizer, name string
	kv              string
	context         int
	images          int
	asJSON          bool
}

func newEstimate() *cobra.Command {
	var f estimateFlags
	cmd := &cobra.Command{
		Use:   "estimate MODEL|SIZE TYPE",
		Short: "Tells what a model needs in a type: disk, memory, and whether it fits here",
		Long: `Tells what a model would need in a type, before anything is converted or loaded: the bytes of its two files, the memory of a run, and whether
that fits into what this machine has free. MODEL is a text GGUF, or the folder that holds it and its mmproj file, or a checkpoint (.npz, or all its
pieces in order) with its tokenizer; SIZE is 3b, 2-3b, 2-10b or 2-28b, with -448 or -896 for larger images. The types are those of pali quantize.

The files of a MODEL are told to the byte; of a SIZE to a few hundred bytes, with Gemma's tokenizer. Memory is that of one request on the processor:
the weights, the KV cache of its positions, and the working memory of both halves.`,
		Example: `  pali estimate 3b int4
  pali estimate 2-10b-448 q4_k_m --mmproj-type q8_0 --images 2
  pali estimate models q4_0 --json
  pali estimate paligemma-3b-mix-224.npz int8 --tokenizer paligemma_tokenizer.model`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("%d arguments, want two: MODEL or SIZE, and TYPE", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[:len(args)-1], args[len(args)-1])
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.vision, "mmproj-type", "", "type of the mmproj file (default: as TYPE)")
	f.types.add(fs)
	fs.StringVar(&f.tokenizer, "tokenizer", "", "SentencePiece model of a checkpoint")
	fs.StringVar(&f.name, "name", "", "name that the files of a checkpoint will have (default: from the checkpoint's name)")
	fs.IntVar(&f.images, "images", 1, "images of a request")
	fs.IntVar(&f.context, "ctx", 0, "positions of a request (0: the images, and 320 of prompt and answer)")
	fs.StringVar(&f.kv, "kv", "f16", "type of the KV cache: f16, f32 or q8_0")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

// What a request takes beside its images if nobody says: a prompt of up to 64 tokens, and pali run's longest answer.
const (
	promptPositions = 64
	answerPositions = 256
)

// estimateJSON is what pali estimate --json prints, in bytes but for the positions.
type estimateJSON struct {
	Text      int64 `json:"text_bytes"`
	Vision    int64 `json:"mmproj_bytes"`
	Positions int   `json:"positions"`
	KV        int64 `json:"kv_bytes"`
	Work      int64 `json:"work_bytes"`
	Memory    int64 `json:"memory_bytes"`
	Free      int64 `json:"free_bytes,omitempty"` // of this machine, where it tells
	Fits      *bool `json:"fits,omitempty"`
}

func (f *estimateFlags) run(cmd *cobra.Command, paths []string, typ string) error {
	if f.vision == "" {
		f.vision = typ
	}
	cell, ok := kvTypes[f.kv]
	switch {
	case !ok:
		return usagef("--kv %s: want f16, f32 or q8_0", f.kv)
	case f.images < 1 || f.images > maxImages:
		return usagef("--images %d: want 1 to %d", f.images, maxImages)
	case f.context < 0 || f.context > 1<<20:
		return usagef("--ctx %d: want 0 to %d", f.context, 1<<20)
	}
	s, err := f.stored(paths, typ)
	if err != nil {
		return err
	}
	prefix := f.images*s.vision.Tokens() + promptPositions
	total := prefix + answerPositions
	if f.context > 0 {
		prefix, total = min(prefix, f.context), f.context
	}
	e := s.memory(cell, prefix, total)
	if free := availableMemory(); free > 0 {
		fits := e.Memory <= int64(free)
		e.Free, e.Fits = int64(free), &fits
	}
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return e.print(cmd.OutOrStdout())
}

// stored measures the files that a model would have.
func (f *estimateFlags) stored(paths []string, typ string) (s stored, err error) {
	text, err := f.types.plan(typ, false)
	if err != nil {
		return s, err
	}
	vision, err := f.types.plan(f.vision, true)
	if err != nil {
		return s, err
	}
	switch size := sizeName.FindStringSubmatch(paths[0]); {
	case isCheckpoint(paths[0]):
		return f.ofCheckpoint(paths, text, vision)
	case len(paths) > 1:
		return s, usagef("%d files: want a model, a size, or the pieces of one checkpoint, and then a type", len(paths))
	case size != nil:
		return ofSize(size[1], size[2], text, vision)
	}
	return ofFiles(paths[0], text, vision)
}

// isCheckpoint reports whether a path is a file that looks like an .npz archive, or its first piece.
func isCheckpoint(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	magic, err := firstBytes(path, 2)
	return err == nil && magic == "PK"
}

// ofCheckpoint measures what pali convert would write.
func (f *estimateFlags) ofCheckpoint(paths []string, text, vision *quant.Plan) (s stored, err error) {
	if f.tokenizer == "" {
		return s, usagef("no tokenizer: give the checkpoint's SentencePiece model with --tokenizer")
	}
	vocabulary, err := sentencepiece.Open(f.tokenizer)
	if err != nil {
		return s, err
	}
	if f.name == "" {
		f.name = convert.DefaultName(paths[0])
	}
	archive, err := npz.Open(paths...)
	if err != nil {
		return s, err
	}
	defer archive.Close()
	r, err := convert.Measure(archive, vocabulary, convert.Options{Name: f.name, Text: text, Vision: vision})
	if err != nil {
		return s, err
	}
	return stored{r.Text, r.Vision, r.TextBytes, r.VisionBytes}, nil
}

// ofFiles measures what pali quantize would write.
func ofFiles(path string, text, vision *quant.Plan) (s stored, err error) {
	textPath, visionPath, err := findPair(path, "")
	if err != nil {
		return s, fmt.Errorf("%w; want a model, a checkpoint (.npz), or a size: 3b, 2-3b, 2-10b, 2-28b, with -448 or -896", err)
	}
	t, err := requantized(textPath, text)
	if err != nil {
		return s, err
	}
	v, err := requantized(visionPath, vision)
	if err != nil {
		return s, err
	}
	s.textBytes, s.visionBytes = t.Bytes, v.Bytes
	err = withFile(textPath, func(f *gguf.File) error {
		m, err := gemma.Check(f)
		if err == nil {
			s.text = m.TextConfig
		}
		return err
	})
	if err != nil {
		return s, err
	}
	err = withFile(visionPath, func(f *gguf.File) error {
		s.vision, err = mmproj.Check(f)
		s.vision.FeedForwardLength = v.PaddedFFNWidth
		return err
	})
	return s, err
}

// requantized measures a file as a plan would store it.
func requantized(path string, plan *quant.Plan) (*quant.Result, error) {
	src, err := quant.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return src.Measure(plan)
}

var sizeName = regexp.MustCompile(`^(3b|2-3b|2-10b|2-28b)(?:-(224|448|896))?$`)

// Bytes of a file's keys for a size, padded: those of the architecture, and of the text file Gemma's 257,152 pieces, their scores and types.
const (
	sizeTextKeys   = 6_058_176
	sizeVisionKeys = 1_152
)

// ofSize measures a published size, for images of a side.
func ofSize(name, side string, text, vision *quant.Plan) (s stored, err error) {
	at := slices.Index([]string{"3b", "2-3b", "2-10b", "2-28b"}, name)
	pixels := map[string]int{"": 224, "224": 224, "448": 448, "896": 896}[side]
	s.text = paligemma.Variants[at].Text
	s.vision = paligemma.So400m(pixels, s.text.EmbeddingLength)
	if vision.Blocks() {
		s.vision.FeedForwardLength = mmproj.PaddedWidth(s.vision.FeedForwardLength)
	}
	if s.textBytes, err = sizeBytes(text, gemma.Tensors(s.text), sizeTextKeys); err != nil {
		return s, err
	}
	s.visionBytes, err = sizeBytes(vision, mmproj.Tensors(s.vision), sizeVisionKeys)
	return s, err
}

// sizeBytes returns the size of a file with these tensors in the types that a plan gives them, and about so many bytes of keys.
func sizeBytes(plan *quant.Plan, tensors []gguf.Tensor, keys int64) (int64, error) {
	if err := plan.Choose(tensors); err != nil {
		return 0, err
	}
	l, err := gguf.NewLayout(plan.Keys(), tensors)
	if err != nil {
		return 0, err
	}
	return l.Size + keys, nil
}

func withFile(path string, read func(*gguf.File) error) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (e estimateJSON) print(w io.Writer) error {
	p := &linePrinter{w: w}
	p.line("disk    %10s  text %s, mmproj %s", bytesText(e.Text+e.Vision), bytesText(e.Text), bytesText(e.Vision))
	p.line("memory  %10s  weights %s, KV cache of %d positions %s, working memory %s", bytesText(e.Memory), bytesText(e.Text+e.Vision), e.Positions, bytesText(e.KV), bytesText(e.Work))
	switch {
	case e.Fits == nil:
	case *e.Fits:
		p.line("It fits: %s are free here.", bytesText(e.Free))
	default:
		p.line("It does not fit: %s are free here.", bytesText(e.Free))
	}
	return p.err
}
