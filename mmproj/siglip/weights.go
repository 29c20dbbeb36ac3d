package siglip

// This file: the weights of an mmproj file in a device's memory. Before it: the checked file. After it: graph.go.

import (
	"fmt"
	"io"
	"slices"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
)

// linear is a weight and a bias: a dense layer, a LayerNorm, or the patch convolution.
type linear struct{ w, b ggml.Tensor }

// block is one layer of the encoder.
type block struct {
	ln1, ln2     linear
	q, k, v, out linear
	up, down     linear
}

// weights are all tensors of an mmproj file.
type weights struct {
	patch    linear      // [P,P,3,W], [W]
	position ggml.Tensor // [W,T]
	blocks   []block
	post     linear // [W]
	head     linear // [W,E], [E]

	contexts []*ggml.Context
	buffers  []*ggml.Buffer
}

// loadWeights copies a file's tensors to the device. On the processor, matrices go to the layout its vector units like best, where there is one.
func loadWeights(f *gguf.File, c paligemma.VisionConfig, device ggml.Device) (*weights, error) {
	l := &loader{file: f, device: device, plain: ggml.NewContext(len(f.Tensors)), at: map[string]ggml.Tensor{}}
	w := &weights{}
	w.patch = l.vectors(mmproj.PatchEmbdWeight, mmproj.PatchEmbdBias)
	w.position = l.tensor(mmproj.PositionEmbd, false)
	for i := range c.BlockCount {
		at := func(name string) string { return fmt.Sprintf(name, i) }
		w.blocks = append(w.blocks, block{
			ln1:  l.vectors(at(mmproj.LN1Weight), at(mmproj.LN1Bias)),
			q:    l.matrix(at(mmproj.AttnQWeight), at(mmproj.AttnQBias)),
			k:    l.matrix(at(mmproj.AttnKWeight), at(mmproj.AttnKBias)),
			v:    l.matrix(at(mmproj.AttnVWeight), at(mmproj.AttnVBias)),
			out:  l.matrix(at(mmproj.AttnOutWeight), at(mmproj.AttnOutBias)),
			ln2:  l.vectors(at(mmproj.LN2Weight), at(mmproj.LN2Bias)),
			up:   l.matrix(at(mmproj.FFNUpWeight), at(mmproj.FFNUpBias)),
			down: l.matrix(at(mmproj.FFNDownWeight), at(mmproj.FFNDownBias)),
		})
	}
	w.post = l.vectors(mmproj.PostLNWeight, mmproj.PostLNBias)
	w.head = l.matrix(mmproj.ProjectionWeight, mmproj.ProjectionBias)
	err := l.fill(w)
	if err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

// free releases the memory. It does nothing the second time.
func (w *weights) free() {
	for _, b := range w.buffers {
		b.Free()
	}
	for _, c := range w.contexts {
		c.Free()
	}
}

// loader first declares tensors in two contexts, then gives both memory and reads the data.
type loader struct {
	file   *gguf.File
	device ggml.Device
	plain  ggml.Context
	packed *ggml.Context // tensors in the device's own layout for weights, if it has one
	layout ggml.BufferType
	fits   map[string]bool // by type and shape: whether that layout takes them
	used   bool            // whether it takes any
	at     map[string]ggml.Tensor
	err    error
}

func (l *loader) matrix(weight, bias string) linear {
	return linear{l.tensor(weight, true), l.tensor(bias, false)}
}

func (l *loader) vectors(weight, bias string) linear {
	return linear{l.tensor(weight, false), l.tensor(bias, false)}
}

// tensor declares a tensor of the file; a matrix may go to the packed layout.
func (l *loader) tensor(name string, matrix bool) ggml.Tensor {
	t, ok := l.file.Tensor(name)
	if !ok {
		l.err = fmt.Errorf("siglip: %s is missing", name)
		return ggml.Tensor{}
	}
	ne := slices.Clone(t.Shape)
	slices.Reverse(ne)
	context := l.plain
	if matrix && l.packs(ggml.Type(t.Type), ne) {
		context = *l.packed
	}
	l.at[name] = context.New(ggml.Type(t.Type), ne...).SetName(name)
	return l.at[name]
}

// packs asks the device whether its own layout takes a matrix of this type and size, and our own product does not.
func (l *loader) packs(t ggml.Type, ne []int) bool {
	if l.device.Type() != ggml.CPU || ggml.ProductTakes(t) {
		return false
	}
	if l.fits == nil {
		l.fits = map[string]bool{}
		if layout, ok := l.device.PackedLayout(); ok {
			c := ggml.NewContext(len(l.file.Tensors))
			l.packed, l.layout = &c, layout
		}
	}
	if l.packed == nil {
		return false
	}
	key := fmt.Sprint(t, ne)
	fits, known := l.fits[key]
	if !known {
		fits = l.device.Packs(l.layout, t, ne)
		l.fits[key], l.used = fits, l.used || fits
	}
	return fits
}

// fill gives every declared tensor memory and its data.
func (l *loader) fill(w *weights) error {
	w.contexts = append(w.contexts, &l.plain)
	if l.packed != nil {
		w.contexts = append(w.contexts, l.packed)
	}
	if l.err != nil {
		return l.err
	}
	if err := w.alloc(l.plain, l.device.BufferType()); err != nil {
		return err
	}
	if l.used {
		if err := w.alloc(*l.packed, l.layout); err != nil {
			return err
		}
	}
	var data []byte
	for name, tensor := range l.at {
		t, _ := l.file.Tensor(name)
		data = slices.Grow(data[:0], int(t.Bytes()))[:t.Bytes()]
		if _, err := io.ReadFull(l.file.Data(t), data); err != nil {
			return fmt.Errorf("siglip: %s: %w", name, err)
		}
		tensor.SetBytes(data)
	}
	return nil
}

func (w *weights) alloc(c ggml.Context, b ggml.BufferType) error {
	memory, err := c.Alloc(b)
	if err != nil {
		return err
	}
	w.buffers = append(w.buffers, &memory)
	return nil
}
