// Package llamacpp runs PaliGemma on llama.cpp: runner's Encoder and Decoder over a pair of GGUF
// files.
//
// Before it: two files that passed gemma.Check and mmproj.Check; llama.cpp sees no file that did
// not. After it: image embeddings and logits.
package llamacpp

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/bindings/llama"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/mmproj/siglip"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
)

// Options says where and how a model runs. The zero Options is ready to use: it means the defaults
// named below.
type Options struct {
	Threads int    // of the processor; less than 1: runtime.NumCPU
	KV      string // type of the KV cache: "f16", "f32" or "q8_0"; "" is "f16"
	// Device is "cpu", "cuda", "metal", "vulkan", the name of one device ("cuda1"), or "auto": the
	// first GPU, else the processor; "" is "auto".
	Device string
	// OffloadLayers is how many layers of the decoder run on the device. 0: all; negative: none.
	OffloadLayers int
	// MaxContext bounds the positions of a request, prefix and answer together; 0: no bound.
	MaxContext int
	Beams      int // the largest number of beams of a search; 0 and 1: it cannot search
	// Collect gets the inputs of every matrix of both halves, if not nil. The device must be the
	// processor.
	Collect *ggml.Collector
}

// KVTypes are the types that a KV cache can have, by their names in Options.KV.
var KVTypes = map[string]gguf.Type{"f16": gguf.F16, "f32": gguf.F32, "q8_0": gguf.Q8_0}

// settings are Options with their defaults filled in.
type settings struct {
	Options
	KV gguf.Type
}

func (o Options) settings() (settings, error) {
	kv, ok := KVTypes[strings.ToLower(cmp.Or(o.KV, "f16"))]
	if !ok {
		return settings{}, fmt.Errorf("no KV cache of type %q: it can be f16, f32 or q8_0", o.KV)
	}
	if o.Threads < 1 {
		o.Threads = min(runtime.NumCPU(), ggml.MaxThreads)
	}
	o.Device = cmp.Or(o.Device, "auto")
	return settings{o, kv}, nil
}

// Model is a loaded pair of files. It implements runner.Encoder and runner.Decoder, and is not safe
// for concurrent use.
type Model struct {
	text    *gguf.File
	config  *gemma.Model
	vision  paligemma.VisionConfig
	options settings
	device  ggml.Device
	stop    ggml.Stop
	parts   bool // graphs run in parts, between which stop is polled: the device is not the processor
	runner  *runner.Runner

	encoder   *siglip.Encoder
	tokenizer // with the decoder, tokenizer.model
	context   *llama.Context
	room      shape // what the context was made for
	next      int   // position of the next token
	beams     beams
	step      *llama.Batch
}

// Open checks and loads the text file at text and its mmproj file at projector, to run as o says.
func Open(text, projector string, o Options) (*Model, error) {
	llama.Init(ggml.LogCallback())
	filled, err := o.settings()
	if err != nil {
		return nil, err
	}
	m := &Model{options: filled, stop: ggml.NewStop(), step: llama.NewBatch(1, 0)}
	if err := m.open(text, projector); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Model) open(text, projector string) error {
	vision, err := m.check(text, projector)
	if err != nil {
		return err
	}
	defer vision.Close()
	if err := m.checkKV(); err != nil {
		return err
	}
	if m.device, err = choose(m.options.Device); err != nil {
		return err
	}
	options, devices := llama.ModelOptions{}, []ggml.Device{ggml.Processor()}
	if m.device.Type() != ggml.CPU {
		if m.options.Collect != nil {
			return fmt.Errorf("the inputs of matrices can be collected on the processor only, not on %s",
				m.device.Name())
		}
		options.Devices = append(options.Devices, m.device.Pointer())
		if options.GPULayers = max(0, m.options.OffloadLayers); m.options.OffloadLayers == 0 {
			options.GPULayers = m.config.BlockCount + 1 // and the classifier
		}
		devices = append([]ggml.Device{m.device}, devices...)
	}
	options.Repack = repacks(m.text, devices[0])
	m.parts = len(devices) > 1
	decoder, err := llama.Load(text, options)
	if err != nil {
		return withMemory(m.device, withLog(fmt.Errorf("%s: %w", text, err)))
	}
	m.tokenizer = newTokenizer(decoder, m.config)
	m.encoder, err = siglip.Load(vision, m.vision,
		siglip.Options{Devices: devices, Threads: m.options.Threads, Stop: m.stop, Collect: m.options.Collect})
	if err != nil {
		return withMemory(m.device, fmt.Errorf("%s: %w", projector, err))
	}
	m.runner = &runner.Runner{Encoder: m, Decoder: m, Vocabulary: runner.NewVocabulary(m.config.Pieces, m.config.Types)}
	return nil
}

// repacks reports whether d can repack some matrix of the text file f for which we have no product
// of our own (bindings/kernels). llama.cpp then copies these. Otherwise the file is mapped, and a
// page is read when it is needed.
func repacks(f *gguf.File, d ggml.Device) bool {
	buffer, ok := d.RepackBuffer()
	if d.Type() != ggml.CPU || !ok {
		return false
	}
	asked := map[gguf.Type]bool{}
	for _, t := range f.Tensors {
		if len(t.Shape) != 2 || asked[t.Type] || t.Name == gemma.TokenEmbd || kernels.HasMatMul(ggml.Type(t.Type)) {
			continue
		}
		asked[t.Type] = true
		if d.CanRepack(buffer, ggml.Type(t.Type), []int{t.Shape[1], t.Shape[0]}) {
			return true
		}
	}
	return false
}

// check opens both files, and refuses what llama.cpp and the vision graph must not see. The text
// file stays open in m; the vision file is the caller's to close.
func (m *Model) check(text, projector string) (*gguf.File, error) {
	var err error
	if m.text, err = gguf.Open(text); err != nil {
		return nil, err
	}
	if m.config, err = gemma.Check(m.text); err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	vision, err := gguf.Open(projector)
	if err != nil {
		return nil, err
	}
	if m.vision, err = mmproj.Check(vision); err != nil {
		err = fmt.Errorf("%s: %w", projector, err)
	} else if err = paligemma.CheckPair(m.config.TextConfig, m.vision); err != nil {
		err = fmt.Errorf("%s and %s are not a pair: %w", text, projector, err)
	}
	if err != nil {
		vision.Close()
		return nil, err
	}
	return vision, nil
}

// Close frees everything. It does nothing the second time.
func (m *Model) Close() {
	if m.step == nil {
		return
	}
	if m.encoder != nil {
		m.encoder.Close()
	}
	if m.context != nil {
		m.context.Close()
	}
	if m.model != nil {
		m.model.Close()
	}
	if m.text != nil {
		m.text.Close()
	}
	m.step.Free()
	m.stop.Free()
	m.step = nil
}

// Runner returns the model as a runner, the same one at each call.
func (m *Model) Runner() *runner.Runner { return m.runner }

// Config returns the vision model's sizes.
func (m *Model) Config() paligemma.VisionConfig { return m.vision }

// ContextLength is how many positions the decoder was trained with.
func (m *Model) ContextLength() int { return m.config.ContextLength }

// Interrupt makes a running Encode, Prefill or Step end early, and those that follow. A Step on a GPU
// is not cut short. Safe for concurrent use.
func (m *Model) Interrupt() { m.stop.Raise() }

// Resume undoes Interrupt.
func (m *Model) Resume() { m.stop.Lower() }

// Progress returns a number that grows while Encode, Prefill or Step makes progress: on the processor
// with each node of a graph, on a GPU with each part of Encode's and Prefill's. Safe for concurrent
// use.
func (m *Model) Progress() int { return m.stop.Polls() }

// OnGPU reports whether the model runs on a GPU, or a part of it does.
func (m *Model) OnGPU() bool { return m.device.Type() != ggml.CPU }

// Encode turns pixels [3,S,S] into image embeddings [T,E], unscaled.
func (m *Model) Encode(pixels []float32) ([]float32, error) {
	if m.stop.Raised() {
		return nil, ggml.ErrStopped
	}
	m.stop.RunInParts(true)
	return m.encoder.Encode(pixels)
}

// withLog takes the library's log and adds it to err, if there is any.
func withLog(err error) error { return ggml.WithLog(err) }

// checkKV refuses a cache type that the heads of this model cannot have.
func (m *Model) checkKV() error {
	if m.options.KV == gguf.Q8_0 && m.config.KeyLength%32 != 0 {
		return runner.ValueError{Field: "kv", Value: "q8_0",
			Want: fmt.Sprintf("f16 or f32: this model's heads have %d values, not a multiple of 32",
				m.config.KeyLength)}
	}
	return nil
}
