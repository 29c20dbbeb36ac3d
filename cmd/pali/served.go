package main

// This file: a model as the server knows it: its name, its sizes, and the command of its worker.

import (
	"fmt"
	"io"
	"os"

	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/estimate"
	"github.com/pali-gguf/pali/internal/store"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/server"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/tasks/masks"
)

// served checks a model's files, and describes them for the server.
func (f *serveFlags) served(stderr io.Writer, path string) (*server.Model, error) {
	options, err := f.modelFlags.options()
	if err != nil {
		return nil, err
	}
	files, err := store.Find(path, f.mmproj, f.masks)
	if err != nil {
		return nil, err
	}
	info, err := store.Read(files)
	if err == nil {
		err = info.CheckPair()
	}
	if err != nil {
		return nil, err
	}
	m := &server.Model{Model: engine.Model{Name: store.Name(files.Text)}}
	command, err := f.command(stderr, files)
	if err != nil {
		return nil, err
	}
	m.Start = engine.Process(command)
	if m.Masks, err = openMasks(files); err != nil {
		return nil, err
	}
	if err := describe(m, info, llamacpp.KVTypes[options.KV]); err != nil {
		return nil, err
	}
	m.Info.MaxContext = f.context
	m.Info.Digest, err = files.Digest()
	return m, err
}

// command returns how the model's worker is started: this program, with the same settings. Where
// ggml aborts it would start a debugger to print its calls, which takes seconds: the environment
// turns that off.
func (f *serveFlags) command(stderr io.Writer, files store.Files) (worker.Command, error) {
	exe, err := os.Executable()
	if err != nil {
		return worker.Command{}, err
	}
	c := worker.Command{Path: exe, Load: f.load, Stall: f.stall, Args: []string{
		"worker", "--model", files.Text, "--mmproj", files.Vision,
		"--threads", fmt.Sprint(f.threads), "--kv", f.kv, "--device", f.device,
		"--gpu-layers", fmt.Sprint(f.gpuLayers), "--ctx", fmt.Sprint(f.context),
	}}
	c.Env = append(worker.Environment(os.Environ()), "GGML_NO_BACKTRACE=1")
	if f.verbose {
		c.Stderr = stderr
	}
	return c, nil
}

// openMasks loads the mask decoder of a model; nil where there is none.
func openMasks(files store.Files) (*masks.Decoder, error) {
	if files.MasksErr != nil || files.Masks == "" {
		return nil, files.MasksErr
	}
	return masks.Open(files.Masks)
}

// describe sets a model's sizes, and the memory that a question about one image takes.
func describe(m *server.Model, info store.Info, cell gguf.Type) error {
	modified, err := os.Stat(info.TextFile.Path)
	if err != nil {
		return err
	}
	a := &m.Info
	a.Text, a.ContextLength, a.Type = info.Text, info.ContextLength, info.TextFile.Type
	a.VisionParameters = info.VisionFile.Parameters
	a.Parameters = info.TextFile.Parameters + a.VisionParameters
	a.Modified, a.Bytes = modified.ModTime(), info.TextFile.Bytes+info.VisionFile.Bytes
	v, _ := paligemma.Lookup(info.Text, a.Parameters)
	a.Size = v.SizeLabel
	m.Vision, m.Memory = info.Vision, estimate.OfInfo(info).OneImage(cell).Total
	return nil
}
