// Package masks draws the masks of a segmentation: 16 codes of an answer to 64 x 64 values, and
// these to pixels of the image.
//
// Before it: a mask file, which convert.Masks makes from vae-oid.npz, and an object's segment codes
// (package tasks). After it: a Bitmap in the image's size, as run lengths, polygons or a PNG.
//
// The network is the decoder of a VQ-VAE (arXiv 2301.02229), as big_vision's evaluator has it:
// evaluators/proj/paligemma/transfers/segmentation.py.
//
//	16 codes -> rows of the code book [4,4,C] -> conv 1x1, ReLU [4,4,128] -> 2 residual blocks
//	-> 4 transposed convs 4x4 of stride 2, ReLU: [8,8,128], [16,16,64], [32,32,32], [64,64,16]
//	-> conv 1x1 [64,64,1]; above 0 is the object
package masks

import (
	"fmt"
	"io"
	"math"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/tensor"
)

// The architecture that a mask file names, and the name of its first tensor.
const (
	Architecture = paligemma.MaskArchitecture
	CodeBook     = "codebook.weight"
)

// Sizes that every mask file has.
const (
	Codes    = 128 // rows of the code book
	PerMask  = 16  // codes of one mask, 4 x 4
	Side     = 64  // of the decoded mask
	maxWidth = 4096
)

// layer is a convolution of the decoder, under the name that the checkpoint and the file have for
// it.
type layer struct {
	Name     string
	In, Out  int // channels; In 0: the code book's width
	Kernel   int
	Upwards  bool // transposed, of stride 2: the side doubles
	Relu     bool // after it
	Residual int  // +1: its input is kept; -1: what was kept is added to its output
}

// decoderLayers is the decoder in order.
var decoderLayers = []layer{
	{"decoder.0", 0, 128, 1, false, true, 0},
	{"decoder.2.net.0", 128, 128, 3, false, true, 1},
	{"decoder.2.net.2", 128, 128, 3, false, true, 0},
	{"decoder.2.net.4", 128, 128, 1, false, false, -1},
	{"decoder.3.net.0", 128, 128, 3, false, true, 1},
	{"decoder.3.net.2", 128, 128, 3, false, true, 0},
	{"decoder.3.net.4", 128, 128, 1, false, false, -1},
	{"decoder.4", 128, 128, 4, true, true, 0},
	{"decoder.6", 128, 64, 4, true, true, 0},
	{"decoder.8", 64, 32, 4, true, true, 0},
	{"decoder.10", 32, 16, 4, true, true, 0},
	{"decoder.12", 16, 1, 1, false, false, 0},
}

// shape returns the shape of the layer's weight, as PyTorch stores it: (out,in,k,k), and
// (in,out,k,k) if it is transposed. width is the code book's.
func (l layer) shape(width int) []int {
	in := l.In
	if in == 0 {
		in = width
	}
	if l.Upwards {
		return []int{in, l.Out, l.Kernel, l.Kernel}
	}
	return []int{l.Out, in, l.Kernel, l.Kernel}
}

// Tensors lists what a mask file holds, without types, for a code book of this width.
func Tensors(width int) []gguf.Tensor {
	all := []gguf.Tensor{{Name: CodeBook, Shape: []int{Codes, width}}}
	for _, l := range decoderLayers {
		all = append(all, gguf.Tensor{Name: l.Name + ".weight", Shape: l.shape(width)},
			gguf.Tensor{Name: l.Name + ".bias", Shape: []int{l.Out}})
	}
	return all
}

// Decoder is a loaded mask file. It is safe for concurrent use.
type Decoder struct {
	book   []float32 // [Codes,width]
	width  int
	layers []convolution
}

// Open checks and loads a mask file.
func Open(path string) (*Decoder, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := load(f)
	if err != nil {
		return nil, fmt.Errorf("masks: %s: %w", path, err)
	}
	return d, nil
}

// Check checks that a file is a mask file, and returns its code book's width.
func Check(f *gguf.File) (width int, err error) {
	if arch, err := gguf.Get[string](f, "general.architecture"); err != nil || arch != Architecture {
		return 0, fmt.Errorf("not a mask file: general.architecture is not %s", Architecture)
	}
	book, ok := f.Tensor(CodeBook)
	if !ok || len(book.Shape) != 2 || book.Shape[1] < 1 || book.Shape[1] > maxWidth {
		return 0, fmt.Errorf("%s: shape %v, want [%d, 1 to %d]", CodeBook, book.Shape, Codes, maxWidth)
	}
	if err := gguf.CheckKeys(f, nil, "general."); err != nil {
		return 0, err
	}
	return book.Shape[1], gguf.CheckTensors(f, Tensors(book.Shape[1]),
		func(gguf.Tensor) []gguf.Type { return []gguf.Type{gguf.F32, gguf.F16} })
}

func load(f *gguf.File) (*Decoder, error) {
	width, err := Check(f)
	if err != nil {
		return nil, err
	}
	d := &Decoder{width: width}
	if d.book, err = values(f, CodeBook); err != nil {
		return nil, err
	}
	for _, l := range decoderLayers {
		weight, err := values(f, l.Name+".weight")
		if err != nil {
			return nil, err
		}
		bias, err := values(f, l.Name+".bias")
		if err != nil {
			return nil, err
		}
		d.layers = append(d.layers, newConvolution(l, l.shape(width), weight, bias))
	}
	return d, nil
}

// values reads a tensor, and refuses one that is not all numbers.
func values(f *gguf.File, name string) ([]float32, error) {
	t, _ := f.Tensor(name)
	raw := make([]byte, t.Bytes())
	if _, err := io.ReadFull(f.Data(t), raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	v := make([]float32, t.Len())
	tensor.ToFloat32(v, raw, map[gguf.Type]tensor.DType{gguf.F32: tensor.F32, gguf.F16: tensor.F16}[t.Type])
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s: holds %v", name, x)
		}
	}
	return v, nil
}

// Decode turns the 16 codes of a mask, 0 to 127, row by row of a 4 x 4 grid, into 64 x 64 values,
// about -1 to 1, above 0 where the object is.
func (d *Decoder) Decode(codes []int) ([]float32, error) {
	if len(codes) != PerMask {
		return nil, fmt.Errorf("masks: %d codes, want %d", len(codes), PerMask)
	}
	x := make([]float32, 0, PerMask*d.width)
	for _, c := range codes {
		if c < 0 || c >= Codes {
			return nil, fmt.Errorf("masks: code %d, want 0 to %d", c, Codes-1)
		}
		x = append(x, d.book[c*d.width:][:d.width]...)
	}
	side := 4
	var kept []float32
	for _, l := range d.layers {
		if l.Residual > 0 {
			kept = x
		}
		x, side = l.apply(x, side)
		if l.Residual < 0 {
			for i := range x {
				x[i] += kept[i]
			}
		}
	}
	return x, nil
}
