package siglip

// This file: the weights of an mmproj file in a device's memory.

import (
	"fmt"
	"io"
	"slices"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/kernels"
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

// loadWeights copies the tensors of f to the device. On the processor, matrices for which we have
// no product of our own are repacked where the device can.
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
	repack *ggml.Context   // tensors for the device's repack buffer, if it has one
	buffer ggml.BufferType // that buffer's type
	fits   map[string]bool // by type and shape: whether that buffer takes them
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

// tensor declares a tensor of the file; a matrix may go to the repack buffer.
func (l *loader) tensor(name string, matrix bool) ggml.Tensor {
	t, ok := l.file.Tensor(name)
	if !ok {
		l.err = fmt.Errorf("siglip: %s is missing", name)
		return ggml.Tensor{}
	}
	ne := slices.Clone(t.Shape)
	slices.Reverse(ne)
	c := l.plain
	if matrix && l.repacks(ggml.Type(t.Type), ne) {
		c = *l.repack
	}
	l.at[name] = c.New(ggml.Type(t.Type), ne...).SetName(name)
	return l.at[name]
}

// repacks reports whether a matrix of type t and size ne goes to the device's repack buffer: our
// own product does not take it, and the buffer does.
func (l *loader) repacks(t ggml.Type, ne []int) bool {
	if l.device.Type() != ggml.CPU || kernels.HasMatMul(t) {
		return false
	}
	if l.fits == nil {
		l.fits = map[string]bool{}
		if buffer, ok := l.device.RepackBuffer(); ok {
			c := ggml.NewContext(len(l.file.Tensors))
			l.repack, l.buffer = &c, buffer
		}
	}
	if l.repack == nil {
		return false
	}
	key := fmt.Sprint(t, ne)
	fits, known := l.fits[key]
	if !known {
		fits = l.device.CanRepack(l.buffer, t, ne)
		l.fits[key], l.used = fits, l.used || fits
	}
	return fits
}

// fill gives every declared tensor memory and its data.
func (l *loader) fill(w *weights) error {
	w.contexts = append(w.contexts, &l.plain)
	if l.repack != nil {
		w.contexts = append(w.contexts, l.repack)
	}
	if l.err != nil {
		return l.err
	}
	if err := w.alloc(l.plain, l.device.BufferType()); err != nil {
		return err
	}
	if l.used {
		if err := w.alloc(*l.repack, l.buffer); err != nil {
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
