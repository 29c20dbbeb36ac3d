// Package siglip runs the vision half of PaliGemma: the SigLIP encoder and the projector of an
// mmproj file, as a ggml graph.
//
// Before it: preprocessing, which makes pixels [3,S,S]. After it: the decoder's prefix, whose first
// rows are the image embeddings [T,E]. The network is big_vision's models/vit.py (pool_type none)
// and the one linear layer of models/proj/paligemma/paligemma.py.
//
// Sizes in this package are in ggml's order: a matrix of T rows of W is [W,T].
package siglip

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/paligemma"
)

// Options says where an encoder runs. The zero Options is a good choice on a processor.
type Options struct {
	Devices []ggml.Device   // the processor last; none: the processor alone
	Threads int             // of the processor; less than 1: one for each of its cores
	Stop    ggml.Stop       // ends a running Encode
	Collect *ggml.Collector // gets the inputs of every weight, if not nil; the processor must be the only device

	ggmlOnly bool // a processor uses ggml's operations instead of our kernels: tests compare both
}

// Encoder is a loaded vision model. It is not safe for concurrent use.
type Encoder struct {
	config   paligemma.VisionConfig
	weights  *weights
	schedule *ggml.Scheduler
	nodes    *kernels.Nodes // on a processor

	context ggml.Context
	graph   ggml.Graph
	patches ggml.Tensor // input [3*patch*patch, T]
	output  ggml.Tensor // output [E, T]
	stages  map[string]ggml.Tensor
}

// Load reads the mmproj file f, which has passed mmproj.Check with the sizes c, and prepares its
// graph to run as o says.
func Load(f *gguf.File, c paligemma.VisionConfig, o Options) (*Encoder, error) {
	return load(f, c, o, false)
}

// load keeps every stage of the network readable if watch is set, which costs memory.
func load(f *gguf.File, c paligemma.VisionConfig, o Options, watch bool) (*Encoder, error) {
	e := &Encoder{config: c}
	if len(o.Devices) == 0 {
		o.Devices = []ggml.Device{ggml.Processor()}
	}
	if o.Threads < 1 {
		o.Threads = min(runtime.NumCPU(), ggml.MaxThreads)
	}
	var err error
	if e.weights, err = loadWeights(f, c, o.Devices[0]); err != nil {
		return nil, err
	}
	nodes := graphNodes(c)
	if e.schedule, err = ggml.NewScheduler(o.Devices, 2*nodes, o.Threads, o.Stop); err != nil {
		e.Close()
		return nil, err
	}
	if o.Collect != nil {
		e.schedule.Watch(o.Collect)
	} else if o.Devices[0].Type() != ggml.CPU {
		e.schedule.Poll(o.Stop)
	}
	if o.Devices[0].Type() == ggml.CPU && !o.ggmlOnly {
		if e.nodes, err = kernels.NewNodes(nodes, o.Threads); err != nil {
			e.Close()
			return nil, err
		}
	}
	e.build(nodes, watch)
	if e.nodes != nil {
		if err := e.nodes.Alloc(); err != nil {
			e.Close()
			return nil, err
		}
	}
	if err := e.schedule.Alloc(e.graph); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close frees the weights and the graph. It does nothing the second time.
func (e *Encoder) Close() {
	if e.schedule != nil {
		e.schedule.Free()
		e.schedule = nil
	}
	e.context.Free()
	if e.nodes != nil {
		e.nodes.Free()
	}
	if e.weights != nil {
		e.weights.free()
		e.weights = nil
	}
}

// Encode turns the pixels [3,S,S] of one image into its embeddings [T,E], as the projector gives
// them: unscaled. It fails where len(pixels) is not 3*S*S or an embedding is NaN or infinite, and
// returns ggml.ErrStopped if the Stop flag was raised.
func (e *Encoder) Encode(pixels []float32) ([]float32, error) {
	if want := 3 * e.config.ImageSize * e.config.ImageSize; len(pixels) != want {
		return nil, fmt.Errorf("siglip: have %d pixel values, want %d", len(pixels), want)
	}
	e.patches.SetFloat32s(patchRows(pixels, e.config.ImageSize, e.config.PatchSize))
	if err := e.schedule.Compute(e.graph); err != nil {
		return nil, err
	}
	out := e.output.Float32s()
	for _, v := range out {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errors.New("siglip: the vision model's weights give no numbers (NaN or infinity)")
		}
	}
	return out, nil
}

// patchRows cuts pixels [3,S,S] into T rows of 3*P*P values, channel by channel, row by row: the
// order of the patch kernel [W,3,P,P]. The stride-P convolution is then a matrix product. Patches
// follow each other along the rows of the image.
func patchRows(pixels []float32, side, patch int) []float32 {
	grid := side / patch
	out := make([]float32, 0, 3*grid*grid*patch*patch)
	for gy := range grid {
		for gx := range grid {
			for c := range 3 {
				for y := range patch {
					at := c*side*side + (gy*patch+y)*side + gx*patch
					out = append(out, pixels[at:at+patch]...)
				}
			}
		}
	}
	return out
}
