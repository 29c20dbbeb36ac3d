// Package estimate calculates how large the files of a model are in a type, and how much memory a
// request takes, before anything is converted or loaded.
//
//	a checkpoint, files of another type, or a published size ──▶ Model ──▶ Memory of a request
//
// Before it: quant.Plan, which says how the files are stored. After it: numbers for a person, and
// for the server's bound. This file: the sizes of the files; memory.go: the memory of a request.
package estimate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/convert/sentencepiece"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/checkpoint"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/quant"
)

// Model is a model as its two files hold it, or would.
type Model struct {
	Text                   paligemma.TextConfig
	Vision                 paligemma.VisionConfig // with the width that the MLP is stored with
	TextBytes, VisionBytes int64
}

// Plans say how the two files are stored.
type Plans struct{ Text, Vision *quant.Plan }

// OfInfo returns the model whose files m describes, as they are.
func OfInfo(m store.Info) Model { return Model{m.Text, m.Vision, m.TextFile.Bytes, m.VisionFile.Bytes} }

// Of returns the model that paths mean, as p says: a checkpoint or all its parts in order, with its
// tokenizer and the name its files will have; a size; or a model's text file or folder.
func Of(paths []string, tokenizer, name string, p Plans) (Model, error) {
	if checkpoint.Format(paths[0]) != "" {
		return OfCheckpoint(paths, tokenizer, name, p)
	}
	if size, ok := ParseSize(paths[0]); ok {
		return OfSize(size, p)
	}
	files, err := store.Find(paths[0], "", "")
	if err != nil {
		return Model{}, fmt.Errorf("%v; want a model, a checkpoint (.npz), or a size: %s", err, SizesText())
	}
	return OfFiles(files, p)
}

// OfCheckpoint returns the model that package convert would make as p says, exactly: paths are a
// checkpoint or its parts in order, tokenizer is its SentencePiece model, and name the name
// that the files will have, "" for the default.
func OfCheckpoint(paths []string, tokenizer, name string, p Plans) (Model, error) {
	vocabulary, err := sentencepiece.Open(tokenizer)
	if err != nil {
		return Model{}, err
	}
	if name == "" {
		name = convert.DefaultName(paths[0])
	}
	src, err := checkpoint.Open(paths...)
	if err != nil {
		return Model{}, err
	}
	defer src.Close()
	r, err := convert.Measure(src, vocabulary, convert.Options{Name: name, Text: p.Text, Vision: p.Vision})
	if err != nil {
		return Model{}, err
	}
	return Model{r.Text, r.Vision, r.TextBytes, r.VisionBytes}, nil
}

// OfFiles returns the model that package quant would make of the pair f as p says, exactly.
func OfFiles(f store.Files, p Plans) (Model, error) {
	text, err := requantized(f.Text, p.Text)
	if err != nil {
		return Model{}, err
	}
	vision, err := requantized(f.Vision, p.Vision)
	if err != nil {
		return Model{}, err
	}
	info, err := store.Read(f)
	info.Vision.FeedForwardLength = vision.PaddedFFNWidth
	return Model{info.Text, info.Vision, text.Bytes, vision.Bytes}, err
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

// Size is a published model: one of paligemma.Variants, for images of Side pixels.
type Size struct {
	paligemma.Variant
	Side int
}

// sides are those of the published checkpoints' images, in pixels; the first is the default.
var sides = []int{224, 448, 896}

var sideSuffix = regexp.MustCompile(`^(.+)-(\d{3})$`)

// ParseSize reads a size: a variant's key, as it is or with a side, "2-10b-448", capitals or not.
func ParseSize(s string) (Size, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if v, ok := paligemma.Find(s); ok {
		return Size{v, sides[0]}, true
	}
	m := sideSuffix.FindStringSubmatch(s)
	if m == nil {
		return Size{}, false
	}
	side, _ := strconv.Atoi(m[2]) // digits
	v, ok := paligemma.Find(m[1])
	return Size{v, side}, ok && slices.Contains(sides, side)
}

// SizesText names the sizes for a person.
func SizesText() string {
	return fmt.Sprintf("%s, with -%d or -%d", strings.Join(paligemma.Keys(), ", "), sides[1], sides[2])
}

// Bytes of the keys of a published model's files, padded: those of the architecture and, in the
// text file, Gemma's 257,152 pieces with their scores and types.
const (
	sizeTextKeys   = 6_058_176
	sizeVisionKeys = 1_152
)

// OfSize returns the published model of this size in the types of p, to a few hundred bytes.
func OfSize(size Size, p Plans) (m Model, err error) {
	m.Text = size.Text
	m.Vision = paligemma.So400m(size.Side, m.Text.EmbeddingLength)
	if p.Vision.Blocks() {
		m.Vision.FeedForwardLength = mmproj.PaddedWidth(m.Vision.FeedForwardLength)
	}
	if m.TextBytes, err = fileBytes(p.Text, gemma.Tensors(m.Text), sizeTextKeys); err != nil {
		return m, err
	}
	m.VisionBytes, err = fileBytes(p.Vision, mmproj.Tensors(m.Vision), sizeVisionKeys)
	return m, err
}

// fileBytes returns the size of a file with these tensors, in the types of a plan, and about keys
// bytes of keys.
func fileBytes(plan *quant.Plan, tensors []gguf.Tensor, keys int64) (int64, error) {
	if err := plan.Choose(tensors); err != nil {
		return 0, err
	}
	l, err := gguf.NewLayout(plan.Keys(), tensors)
	if err != nil {
		return 0, err
	}
	return l.Size + keys, nil
}
