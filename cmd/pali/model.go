package main

// This file: from -m to a loaded model.

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/internal/host"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/tasks/masks"
)

// modelHelp explains -m.
const modelHelp = "text GGUF, the folder that holds it, or the name of a model that \"pali list\" shows"

// modelFlags say which model to run, and where.
type modelFlags struct {
	model, mmproj string
	threads       int
	kv, device    string
	gpuLayers     int
	context       int
	beams         int         // of pali run and the tasks
	resizing      pali.Resize // how images are resized; "": antialiased
	flags         *pflag.FlagSet
}

func (m *modelFlags) add(f *pflag.FlagSet) {
	m.addFiles(f)
	m.addRunning(f)
}

func (m *modelFlags) addFiles(f *pflag.FlagSet) {
	f.StringVarP(&m.model, "model", "m", "", modelHelp)
	f.StringVar(&m.mmproj, "mmproj", "", "vision GGUF (default: the mmproj-*.gguf beside the text file)")
}

func (m *modelFlags) addThreads(f *pflag.FlagSet) {
	m.flags = f
	f.IntVarP(&m.threads, "threads", "t", 0, "CPU threads (0: one for each core)")
}

// addRunning adds the flags that say where and how a model runs.
func (m *modelFlags) addRunning(f *pflag.FlagSet) {
	m.addThreads(f)
	f.StringVar(&m.kv, "kv", "f16", "type of the KV cache: f16, f32 or q8_0")
	f.StringVar(&m.device, "device", "auto", "where to run: "+strings.Join(llamacpp.DeviceNames, ", "))
	f.IntVar(&m.gpuLayers, "gpu-layers", -1, "layers of the decoder on the GPU (-1: all)")
	f.IntVar(&m.context, "ctx", 0, "most positions of a request (0: as many as it needs)")
}

// open finds and loads the model.
func (m *modelFlags) open(stderr io.Writer) (*pali.Model, error) {
	options, err := m.options()
	if err != nil {
		return nil, err
	}
	if m.model == "" {
		return nil, usagef("no model: give a text GGUF or its folder with -m")
	}
	warnSlow(stderr)
	return pali.Open(m.model, options)
}

func (m *modelFlags) options() (o pali.Options, err error) {
	_, ok := llamacpp.KVTypes[m.kv]
	if m.threads == 0 {
		m.threads = host.Threads()
	}
	switch {
	case !ok:
		return o, usagef("--kv %s: want f16, f32 or q8_0", m.kv)
	case m.threads < 1 || m.threads > 512:
		return o, usagef("--threads %d: want 0 to 512", m.threads)
	case !llamacpp.IsDeviceName(m.device):
		return o, usagef("--device %s: want one of %s, or a device's name", m.device,
			strings.Join(llamacpp.DeviceNames, ", "))
	case m.context < 0:
		return o, usagef("--ctx %d: want 0 or more", m.context)
	}
	if err := m.refuseIdle(m.device == "cpu" && m.gpuLayers > 0, "with --device cpu", "gpu-layers"); err != nil {
		return o, err
	}
	return pali.Options{
		Vision: m.mmproj, Threads: m.threads, KV: m.kv, Device: m.device, OffloadLayers: offload(m.gpuLayers),
		MaxContext: m.context, Beams: m.beams, Resize: m.resizing,
	}, nil
}

func (m *modelFlags) refuseIdle(useless bool, why string, names ...string) error {
	return refuseIdle(m.flags, useless, why, names...)
}

// offload turns --gpu-layers, where -1 is all and 0 none, into Options.OffloadLayers.
func offload(gpuLayers int) int {
	switch {
	case gpuLayers < 0:
		return 0
	case gpuLayers == 0:
		return -1
	}
	return gpuLayers
}

// warnSlow says once if the program was built without its speed flags.
func warnSlow(stderr io.Writer) { slowOnce.Do(func() { writeSlow(stderr) }) }

var slowOnce sync.Once

func writeSlow(stderr io.Writer) {
	if ggml.CompiledSlow() {
		fmt.Fprintln(stderr,
			"pali: this program was built without this processor's vector instructions and is many times slower than "+
				"it could be: build it with make")
	}
}

// openMasks loads the mask file given, or the one beside the model. Without one it fails if needs,
// the flag that asks for masks, is not "", and returns nil otherwise, which it reports if masks are
// wanted.
func (m *modelFlags) openMasks(stderr io.Writer, given, needs string, wanted bool) (*masks.Decoder, error) {
	if given != "" {
		return masks.Open(given)
	}
	if m.model == "" { // open reports it
		return nil, nil
	}
	files, err := store.Find(m.model, m.mmproj, "")
	switch {
	case err != nil || files.MasksErr != nil:
		return nil, cmp.Or(err, files.MasksErr)
	case files.Masks != "":
		return masks.Open(files.Masks)
	case needs != "":
		return nil, usagef(`%s: no mask file beside the model ("pali convert --masks" makes one)`, needs)
	case wanted:
		fmt.Fprintln(stderr, `pali: no mask file beside the model: boxes only ("pali convert --masks" makes one)`)
	}
	return nil, nil
}
