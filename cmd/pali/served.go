package main

// This file: a model as the server knows it: its names, its sizes, and the command of its worker. Before it: serve.go. After it: package server.

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner/llamacpp"
	"github.com/pali-gguf/pali/server"
	"github.com/pali-gguf/pali/server/engine"
	"github.com/pali-gguf/pali/server/worker"
	"github.com/pali-gguf/pali/tasks/masks"
)

// served checks a model's files, and tells the server about them.
func (f *serveFlags) served(stderr io.Writer, path string) (*server.Model, error) {
	options, err := f.modelFlags.options()
	if err != nil {
		return nil, err
	}
	text, vision, err := findPair(path, f.mmproj)
	if err != nil {
		return nil, err
	}
	if err := llamacpp.CheckPair(text, vision); err != nil {
		return nil, err
	}
	m := &server.Model{Model: engine.Model{Name: strings.TrimSuffix(filepath.Base(text), ".gguf")}}
	command, err := f.command(stderr, text, vision)
	if err != nil {
		return nil, err
	}
	m.Start = engine.Process(command)
	if m.Masks, err = f.maskDecoder(text); err != nil {
		return nil, err
	}
	return m, f.describe(m, text, vision, options.KV)
}

// command is how the model's worker is started: this program, with the same settings and without the key. Where ggml aborts
// it starts a debugger to print its calls, which takes seconds: it is told not to.
func (f *serveFlags) command(stderr io.Writer, text, vision string) (worker.Command, error) {
	exe, err := os.Executable()
	if err != nil {
		return worker.Command{}, err
	}
	c := worker.Command{Path: exe, Load: f.load, Stall: f.stall, Args: []string{"worker", "--model", text, "--mmproj", vision,
		"--threads", fmt.Sprint(f.threads), "--kv", f.kv, "--device", f.device, "--gpu-layers", fmt.Sprint(f.gpuLayers), "--ctx", fmt.Sprint(f.context)}}
	c.Env = []string{"GGML_NO_BACKTRACE=1"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PALI_API_KEY=") {
			c.Env = append(c.Env, v)
		}
	}
	if f.verbose {
		c.Stderr = stderr
	}
	return c, nil
}

func (f *serveFlags) maskDecoder(text string) (*masks.Decoder, error) {
	path := f.masks
	if path == "" {
		var err error
		if path, err = besideMasks(text); err != nil || path == "" {
			return nil, err
		}
	}
	return masks.Open(path)
}

// describe tells a model's sizes, and the memory that a question about one image takes.
func (f *serveFlags) describe(m *server.Model, text, vision string, cell gguf.Type) error {
	var s stored
	a := &m.Info
	err := withFile(text, func(file *gguf.File) error {
		c, err := gemma.Check(file)
		if err != nil {
			return err
		}
		s.text, s.textBytes = c.TextConfig, file.Size
		a.Architecture, a.Layers, a.Width, a.Type = c.Architecture, c.BlockCount, c.EmbeddingLength, commonType(file)
		a.Parameters = elements(file)
		return nil
	})
	if err != nil {
		return err
	}
	err = withFile(vision, func(file *gguf.File) error {
		s.vision, err = mmproj.Check(file)
		s.visionBytes = file.Size
		a.Parameters += elements(file)
		return err
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(text)
	if err != nil {
		return err
	}
	v, _ := paligemma.Lookup(s.text, a.Parameters)
	a.Modified, a.Bytes, a.Size = info.ModTime(), s.textBytes+s.visionBytes, v.SizeLabel
	prefix := s.vision.Tokens() + promptPositions
	m.Vision, m.Memory = s.vision, s.memory(cell, prefix, prefix+answerPositions).Memory
	return nil
}

func elements(f *gguf.File) (n int64) {
	for _, t := range f.Tensors {
		n += count(t)
	}
	return n
}

func count(t gguf.Tensor) int64 {
	n := int64(1)
	for _, side := range t.Shape {
		n *= int64(side)
	}
	return n
}

// commonType names the type that most weights have.
func commonType(f *gguf.File) string {
	types := map[gguf.Type]int64{}
	var most gguf.Type
	for _, t := range f.Tensors {
		if types[t.Type] += count(t); types[t.Type] > types[most] {
			most = t.Type
		}
	}
	return most.String()
}
