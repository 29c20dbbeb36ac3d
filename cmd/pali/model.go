package main

// This file: from -m to a loaded model. Before it: the command line. After it: run.go, demo.go.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/pali-gguf/pali/bindings/ggml"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/runner/llamacpp"
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
	beams         int             // of pali run and the tasks
	collect       *ggml.Collector // of pali imatrix
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
	f.IntVarP(&m.threads, "threads", "t", 0, "threads of the processor (0: one for each core)")
}

// addRunning adds the flags that say where and how a model runs.
func (m *modelFlags) addRunning(f *pflag.FlagSet) {
	m.addThreads(f)
	f.StringVar(&m.kv, "kv", "f16", "type of the KV cache: f16, f32 or q8_0")
	f.StringVar(&m.device, "device", "auto", "where to run: "+strings.Join(llamacpp.DeviceNames, ", "))
	f.IntVar(&m.gpuLayers, "gpu-layers", -1, "layers of the decoder on the GPU (-1: all)")
	f.IntVar(&m.context, "ctx", 0, "most positions a request may need (0: as many as it needs)")
}

// open finds and loads the model.
func (m *modelFlags) open(stderr io.Writer) (*llamacpp.Model, error) {
	options, err := m.options()
	if err != nil {
		return nil, err
	}
	if m.model == "" {
		return nil, usagef("no model: give a text GGUF or its folder with -m")
	}
	text, projector, err := findPair(m.model, m.mmproj)
	if err != nil {
		return nil, err
	}
	warnSlow(stderr)
	return llamacpp.Open(text, projector, options)
}

// kvTypes are the types that a KV cache can have.
var kvTypes = map[string]gguf.Type{"f16": gguf.F16, "f32": gguf.F32, "q8_0": gguf.Q8_0}

func (m *modelFlags) options() (llamacpp.Options, error) {
	_, ok := kvTypes[m.kv]
	if m.threads == 0 {
		m.threads = defaultThreads()
	}
	switch {
	case !ok:
		return llamacpp.Options{}, usagef("--kv %s: want f16, f32 or q8_0", m.kv)
	case m.threads < 1 || m.threads > 512:
		return llamacpp.Options{}, usagef("--threads %d: want 0 to 512", m.threads)
	case !slices.Contains(llamacpp.DeviceNames, m.device):
		return llamacpp.Options{}, usagef("--device %s: want one of %s", m.device, strings.Join(llamacpp.DeviceNames, ", "))
	case m.context < 0:
		return llamacpp.Options{}, usagef("--ctx %d: want 0 or more", m.context)
	}
	return llamacpp.Options{Threads: m.threads, KV: m.kv, Device: m.device, OffloadLayers: offload(m.gpuLayers),
		MaxContext: m.context, Beams: m.beams, Collect: m.collect}, nil
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
		fmt.Fprintln(stderr, "pali: this program was built without this processor's vector instructions and is many times slower than it could be: build it with make")
	}
}

// findPair returns the text file and the mmproj file that -m and --mmproj mean.
func findPair(model, projector string) (text, vision string, err error) {
	if model, err = locate(model); err != nil {
		return "", "", err
	}
	info, err := os.Stat(model)
	if err != nil {
		return "", "", err
	}
	text = model
	if info.IsDir() {
		if text, err = only(model, "text GGUF", "-m", isText); err != nil {
			return "", "", err
		}
	}
	if projector != "" {
		return text, projector, nil
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return "", "", errors.New(model + ": neither a file nor a folder, want a text GGUF or the folder that holds it")
	}
	vision, err = besideText(text)
	return text, vision, err
}

func isText(name string) bool {
	return strings.HasSuffix(name, ".gguf") && !strings.HasPrefix(name, "mmproj-") && !strings.HasPrefix(name, "masks-")
}

// besideText finds the mmproj file of a text file: of those in its folder the one whose name agrees longest with the text file's.
// NAME-Q4_0.gguf takes mmproj-NAME-Q4_0.gguf before mmproj-NAME-F16.gguf, and none of another NAME if one of its own is there.
func besideText(text string) (string, error) {
	folder, base := filepath.Dir(text), filepath.Base(text)
	exact := "mmproj-" + base
	if _, err := os.Stat(filepath.Join(folder, exact)); err == nil {
		return filepath.Join(folder, exact), nil
	}
	if at := strings.LastIndexByte(base, '-'); at > 0 { // NAME-TYPE.gguf
		prefix := "mmproj-" + base[:at+1]
		same := func(name string) bool {
			rest, ok := strings.CutPrefix(name, prefix)
			return ok && strings.HasSuffix(rest, ".gguf") && !strings.Contains(rest, "-")
		}
		if found, err := only(folder, "mmproj GGUF", "--mmproj", same); err == nil || errors.Is(err, errSeveral) {
			return found, err
		}
	}
	return only(folder, "mmproj GGUF", "--mmproj", func(name string) bool {
		return strings.HasSuffix(name, ".gguf") && strings.HasPrefix(name, "mmproj-")
	})
}

var errSeveral = errors.New("say which")

// only returns the one file of a folder that is wanted.
func only(folder, what, flag string, wanted func(name string) bool) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && wanted(e.Name()) {
			names = append(names, e.Name())
		}
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("%s: no %s in this folder: give one with %s", folder, what, flag)
	case 1:
		return filepath.Join(folder, names[0]), nil
	}
	return "", fmt.Errorf("%s: %d files could be the %s (%s): %w with %s", folder, len(names), what, strings.Join(names[:min(len(names), 5)], ", "), errSeveral, flag)
}
